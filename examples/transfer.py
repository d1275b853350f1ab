"""Trains a network that is trained already on the classes of another data set.

    python examples/transfer.py --dataset=photos --weights=imagenet
    python examples/transfer.py --dataset=cifar10 --weights=net.caffemodel

`photos` is a folder with one folder of images per class; any TFDS name will
do. The network is AlexNet, one of its variants or ZFNet, whose last layer is
`fc8`. First a new last layer is trained on frozen features. Then all layers
are, the first convolution at a tenth of the rate, as the author of the paper
fine-tuned his; the rate rises during the first epoch, so that the new layer is
not destroyed. For comparison the same architecture is trained from random
weights, for as many epochs, by the recipe for small sets of images.

A tenth of the training images is held out. By its error the best epoch of
each training is kept, and the better of the first two networks is saved. A
run that is interrupted goes on where it was when it is started again.
"""

import dataclasses
import json
import os
import pathlib

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import shared_flags
from absl import app
from absl import flags

from keras_alexnet import train
from keras_alexnet.models import save_weights
from keras_alexnet.training import FINE_TUNING_RECIPE
from keras_alexnet.training import SMALL_DATA_RECIPE
from keras_alexnet.training import write_class_names

FLAGS = flags.FLAGS
shared_flags.define_source(default=None)
shared_flags.define_holdout(0.1, "by which epochs and networks are chosen.")
shared_flags.define_output("runs/transfer")
shared_flags.define_seed()
shared_flags.define_weights()
flags.DEFINE_integer(
    "frozen_epochs", 3, "Epochs in which the last layer alone is trained."
)
flags.DEFINE_integer(
    "epochs", 7, "Epochs in which all layers are trained, after that."
)
flags.DEFINE_float(
    "learning_rate", 3e-4, "Learning rate of all layers; it falls to 0."
)
flags.DEFINE_integer("batch_size", 64, "Images per step.")
flags.DEFINE_bool("flip", True, "Mirror images; not for letters and digits.")
flags.DEFINE_bool("random", True, "Also train the network from random weights.")


def trainings(source, output):
    """Yields the name and the `Training` of each of the three."""
    common = {
        "keep": "best",
        "batch_size": FLAGS.batch_size,
        "flip": FLAGS.flip,
        "seed": FLAGS.seed,
        "verbose": 2,
    }
    tuning = dataclasses.replace(
        FINE_TUNING_RECIPE, color_sigma=0.0, learning_rate=FLAGS.learning_rate
    )
    last = train(
        source,
        FLAGS.architecture,
        # The last layer is new: the rate that the author gave such layers.
        dataclasses.replace(
            tuning, learning_rate=1e-2, warmup_epochs=0.0, multipliers=()
        ),
        output / "frozen",
        weights=FLAGS.weights,
        trainable=["fc8"],
        epochs=FLAGS.frozen_epochs,
        **common,
    )
    yield "frozen features", last
    first = last.architecture.conv_names[0]
    yield (
        "fine-tuned",
        train(
            source,
            recipe=dataclasses.replace(tuning, multipliers=((first, 0.1),)),
            directory=output / "fine_tuned",
            weights=output / "frozen" / "alexnet.keras",
            epochs=FLAGS.epochs,
            **common,
        ),
    )
    if FLAGS.random:
        yield (
            "from random weights",
            train(
                source,
                last.architecture,
                dataclasses.replace(SMALL_DATA_RECIPE, color_sigma=0.0),
                output / "random",
                input_size=last.model.input_shape[1],
                epochs=FLAGS.frozen_epochs + FLAGS.epochs,
                **common,
            ),
        )


def main(_):
    output = pathlib.Path(FLAGS.output)
    source = shared_flags.source(FLAGS.seed)
    results, chosen, lowest = {}, None, float("inf")
    for name, training in trainings(source, output):
        errors = training.evaluate("center")
        results[name] = errors.record()
        print(f"\n{name}: {errors}\n")
        held_out = training.evaluate("center", "holdout").top1_error
        if name != "from random weights" and held_out < lowest:
            chosen, lowest = training, held_out
    save_weights(chosen.model, output / "alexnet.keras")
    write_class_names(output / "classes.txt", source.class_names)
    (output / "errors.json").write_text(json.dumps(results, indent=2))
    for name, errors in results.items():
        low, high = errors["top1_interval"]
        print(
            f"{name:20} top-1 error {100 * errors['top1_error']:5.1f} %  "
            f"({100 * low:.1f} to {100 * high:.1f}, n = {errors['n']})"
        )
    print(f"Saved {output}/alexnet.keras, classes.txt, errors.json")


if __name__ == "__main__":
    app.run(main)
