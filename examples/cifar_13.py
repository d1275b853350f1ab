"""The author's run of the 13 % net on CIFAR-10, beside his log.

    python examples/cifar_13.py --data_dir=../shared/tfds

trains as `docs/Methodology.md` of cuda-convnet tells: 100 epochs of four
fifths of the training images, 40 of all of them, then 10 each at a tenth and a
hundredth of the rate, on random crops of 24 pixels and their mirror images;
and tests with ten views. `--epochs` runs another number in the same
proportions. A run that is interrupted goes on when it is started again with
the same `--output`.

One departure: the velocities start anew where the last fifth is added.
"""

import dataclasses
import json
import os
import pathlib

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from absl import app
from absl import flags

from keras_alexnet.data import evaluation_data
from keras_alexnet.data import load_source
from keras_alexnet.evaluation import predict_views
from keras_alexnet.models import CIFAR_13
from keras_alexnet.training import RECIPES
from keras_alexnet.training import train

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "dataset", "cifar10", "A TFDS name, a folder of class folders, or digits."
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
flags.DEFINE_integer("epochs", 160, "All of them.", lower_bound=4)
flags.DEFINE_integer("seed", 0, "Of initialization, order and augmentation.")
flags.DEFINE_string("output", "runs/cifar_13", "Folder for all that is saved.")

# docs/Methodology.md: the cost in nats and the error, of a training batch at
# epoch 100 ("100.3") and of the test images with ten views.
LOG = {
    "training, epoch 100": (0.405222, 0.141100),
    "test, ten views": (0.423908, 0.126000),
}
# Held out until epoch 100: the last of the five batches.
HOLDOUT = 0.2


def part(epochs):
    """A number of the author's 160 epochs, as a share of `--epochs`."""
    return max(1, round(epochs * FLAGS.epochs / RECIPES["cifar_13"].epochs))


def test_cost_and_error(model, source):
    """Nats and error of the probabilities averaged over ten views."""
    costs, wrong = [], []
    data = evaluation_data(source, "test", resize=CIFAR_13.resize())
    for images, labels in data:
        labels = np.asarray(labels)
        probabilities = predict_views(model, images, "ten")
        right = probabilities[np.arange(len(labels)), labels]
        costs.append(-np.log(np.maximum(right, 1e-12)))
        wrong.append(probabilities.argmax(axis=1) != labels)
    costs, wrong = np.concatenate(costs), np.concatenate(wrong)
    return float(costs.mean()), float(wrong.mean())


def main(_):
    output = pathlib.Path(FLAGS.output)
    first = dataclasses.replace(
        RECIPES["cifar_13"],
        epochs=part(100),
        schedule="constant",
        milestones=(),
    )
    training = train(
        load_source(FLAGS.dataset, FLAGS.data_dir, holdout=HOLDOUT),
        CIFAR_13,
        first,
        output / "four_fifths",
        cache=output / "images",
        seed=FLAGS.seed,
        verbose=2,
    )
    history = dict(training.history)
    source = load_source(FLAGS.dataset, FLAGS.data_dir)
    second = dataclasses.replace(
        RECIPES["cifar_13"], epochs=part(60), milestones=(40 / 60, 50 / 60)
    )
    training = train(
        source,
        None,
        second,
        output / "all",
        weights=output / "four_fifths" / "alexnet.keras",
        cache=output / "images",
        # Looking at the test images after each epoch would decide nothing.
        validation=None,
        seed=FLAGS.seed,
        verbose=2,
    )
    for name, values in training.history.items():
        history[name] = [*history.get(name, ()), *values]
    found = {
        "training, epoch 100": (
            history["loss"][part(100) - 1],
            history["top1_error"][part(100) - 1],
        ),
        "test, ten views": test_cost_and_error(training.model, source),
    }
    print(f"{'':22} {'ours':>16} {'2011':>16}")
    for name, (nats, error) in found.items():
        then = LOG[name]
        print(
            f"{name:22} {nats:.3f}, {error:7.2%} {then[0]:8.3f}, {then[1]:6.2%}"
        )
    result = {
        "epochs": FLAGS.epochs,
        "seed": FLAGS.seed,
        "n": source.counts["test"],
        "found": found,
        "log_of_2011": LOG,
        "history": history,
    }
    (output / "result.json").write_text(json.dumps(result, indent=1))
    training.model.save(output / "cifar_13.keras")
    print(f"Saved {output}/cifar_13.keras, result.json")


if __name__ == "__main__":
    app.run(main)
