"""Trains several networks that differ in their seed, and averages them.

    python examples/ensemble.py --output=runs/ensemble
    python examples/ensemble.py --dataset=cifar10 --architecture=cifar_19 \\
        --recipe=cifar_19_crops --input_size=24 --epochs=5 \\
        --learning_rate=0.004 --schedule=cosine --output=runs/cifar_ensemble

The first trains five narrow networks on the handwritten digits that ship with
scikit-learn. Printed are the error of each network, their mean, and the error
of the average of their probabilities, with the difference and its 95 %
interval over the test images. A run that is interrupted goes on when it is
started again with the same flags.

`ensemble.keras` in the output folder is one model of all networks:

    python examples/evaluate.py --model=runs/ensemble/ensemble.keras
"""

import dataclasses
import hashlib
import json
import logging
import os
import pathlib

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import shared_flags
from absl import app
from absl import flags

from keras_alexnet import train
from keras_alexnet.data import evaluation_data
from keras_alexnet.data import image_size
from keras_alexnet.disk import replacing
from keras_alexnet.evaluation import Ensemble
from keras_alexnet.evaluation import answers
from keras_alexnet.evaluation import top_k_wrong
from keras_alexnet.studies import paired_difference
from keras_alexnet.text_table import text_table

DIGITS = {**shared_flags.DIGITS, "epochs": 4, "input_size": 40, "width": 0.125}

FLAGS = flags.FLAGS
shared_flags.define_source()
shared_flags.define_architecture("What each network is.", DIGITS)
shared_flags.define_width(DIGITS)
shared_flags.define_recipe(DIGITS)
shared_flags.define_output("runs/ensemble")
flags.DEFINE_float(
    "learning_rate", None, "In place of the recipe's.", lower_bound=1e-9
)
flags.DEFINE_enum(
    "schedule",
    None,
    ["constant", "cosine", "steps"],
    "In place of the recipe's.",
)
flags.DEFINE_integer("networks", 5, "How many.", lower_bound=2)
flags.DEFINE_integer("seed", 0, "Of the first network; others count on.")
flags.DEFINE_enum(
    "views",
    "ten",
    ["center", "ten", "nine"],
    "Views of each image that are averaged, of one network and of all.",
)


def recipe():
    """The `Recipe` that the flags describe."""
    changes = {"learning_rate": FLAGS.learning_rate, "schedule": FLAGS.schedule}
    return dataclasses.replace(
        shared_flags.recipe(DIGITS),
        **{name: value for name, value in changes.items() if value is not None},
    )


def architecture():
    """The `Architecture`; images stay as large where only crops are smaller."""
    network = shared_flags.architecture(DIGITS)
    size = shared_flags.input_size(network, DIGITS)
    return dataclasses.replace(network, input_size=size)


def train_all(source, output):
    """The networks, one after the other."""
    for number in range(FLAGS.networks):
        seed = FLAGS.seed + number
        training = train(
            source,
            architecture(),
            recipe(),
            output / f"seed{seed}",
            cache=output / "images",
            # Errors of the test images would decide nothing.
            validation=None,
            seed=seed,
            verbose=2,
        )
        print(f"Trained network {number + 1} of {FLAGS.networks}", flush=True)
        yield training.model


def probabilities(model, data, path, images):
    """What a network says of all images; kept in a file for the next start.

    Args:
        model: The network.
        data: Batches of the images.
        path: Path of the `.npz` file.
        images: String, which images they are.
    """
    # It may have been trained further since.
    digest = hashlib.blake2b(images.encode(), digest_size=16)
    for weight in model.get_weights():
        digest.update(weight.tobytes())
    key = digest.hexdigest()
    if path.exists():
        with np.load(path, allow_pickle=False) as kept:
            if str(kept["key"]) == key:
                return kept["probabilities"]
    found = answers(model, data, FLAGS.views).probabilities
    with replacing(path) as temporary:
        with open(temporary, "wb") as file:
            np.savez(file, key=key, probabilities=found)
    return found


def compare(wrong_of_each, wrong_of_all):
    """Errors in percent, and what averaging saves, with its interval.

    Each image is a pair: whether the ensemble is wrong, and how many of the
    networks are.
    """
    singles = 100 * np.mean(wrong_of_each, axis=0)
    difference = paired_difference(100.0 * wrong_of_all, singles)
    return {
        "n": len(wrong_of_all),
        "single": (100 * np.mean(wrong_of_each, axis=1)).tolist(),
        "mean": float(singles.mean()),
        "ensemble": float(100 * wrong_of_all.mean()),
        "difference": difference.value,
        "low": difference.low,
        "high": difference.high,
    }


def table(result):
    rows = [("network", "top-1 error %")]
    for number, error in enumerate(result["single"]):
        rows.append((f"seed {FLAGS.seed + number}", f"{error:.2f}"))
    rows.append((f"mean of {len(result['single'])}", f"{result['mean']:.2f}"))
    rows.append(("ensemble", f"{result['ensemble']:.2f}"))
    return text_table(rows, "<>")


def main(_):
    # It warns of functions traced anew, which every network brings.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    output = pathlib.Path(FLAGS.output)
    source = shared_flags.source()
    networks = list(train_all(source, output))
    ensemble = Ensemble(networks)
    data = evaluation_data(source, resize=image_size(ensemble))
    labels = np.concatenate([labels for _, labels in data])
    found = [
        probabilities(
            network,
            data,
            output / f"seed{FLAGS.seed + number}" / f"{FLAGS.views}.npz",
            source.fingerprint,
        )
        for number, network in enumerate(networks)
    ]
    wrong = [top_k_wrong(p, labels, 1) for p in found]
    # What the ensemble says, without asking each network twice.
    result = compare(wrong, top_k_wrong(np.mean(found, axis=0), labels, 1))
    print(table(result))
    print(
        f"n = {result['n']} images, {FLAGS.views} view(s). Averaging changes "
        f"the error by {result['difference']:+.2f} points "
        f"(95 % interval {result['low']:+.2f} to {result['high']:+.2f})."
    )
    with replacing(output / "ensemble.keras") as temporary:
        ensemble.save(temporary)
    result = {
        **result,
        "source": source.name,
        "architecture": architecture().name,
        "input_size": architecture().input_size,
        "recipe": dataclasses.asdict(recipe()),
        "views": FLAGS.views,
        "software": f"Keras {keras.__version__}, {keras.backend.backend()}",
    }
    with replacing(output / "result.json") as temporary:
        pathlib.Path(temporary).write_text(json.dumps(result, indent=1))
    print(f"Saved {output}/ensemble.keras, result.json")


if __name__ == "__main__":
    app.run(main)
