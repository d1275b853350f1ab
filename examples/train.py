"""Trains AlexNet, evaluates it as the paper does, saves it, draws the curve.

    python examples/train.py

trains the full topology at 64 pixels on the 1,797 handwritten digits that
ship with scikit-learn; nothing is downloaded. Any TFDS name or a folder with
one folder of images per class will do:

    python examples/train.py --dataset=imagenette/160px-v2 --cache
    python examples/train.py --dataset=path/to/images --epochs=20

A run that is interrupted resumes where it was when it is started again with
the same flags. The folder `--output` belongs to that run alone.

    python examples/train.py --dataset=path/to/images --dry_run

does ten steps of everything, says how long the run would take, and leaves
nothing behind.
"""

import dataclasses
import json
import logging
import os
import pathlib
import sys

# TensorFlow then reuses large buffers: fresh memory from the system is slow on
# many virtual machines. It reads the variable when it is imported.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import shared_flags
from absl import app
from absl import flags

from keras_alexnet import train
from keras_alexnet.disk import replacing
from keras_alexnet.distribution import CLUSTERS
from keras_alexnet.distribution import STRATEGIES
from keras_alexnet.distribution import strategy_from_name
from keras_alexnet.distribution import worker_folder
from keras_alexnet.training import DryRunError
from keras_alexnet.training import Stopwatch
from keras_alexnet.training import dry_run
from keras_alexnet.visualization import plot_curves

# The defaults of flags for the digits, which have no mirror images, and which
# are so few that small values are enough.
DIGITS = {**shared_flags.DIGITS, "epochs": 4, "input_size": 64}

FLAGS = flags.FLAGS
shared_flags.define_source()
shared_flags.define_holdout(
    None,
    "to validate on; by default none, or 0.1 where the recipe decides by it.",
)
shared_flags.define_architecture("What is built.", DIGITS)
shared_flags.define_recipe(DIGITS)
shared_flags.define_changes()
shared_flags.define_cache()
shared_flags.define_mixed_precision()
shared_flags.define_output("runs/train")
shared_flags.define_seed()
flags.DEFINE_float(
    "learning_rate",
    None,
    "At the beginning, in place of the recipe's; in proportion to the batch.",
    lower_bound=1e-9,
)
flags.DEFINE_string(
    "weights", None, '"imagenet" or a file to begin with; random by default.'
)
flags.DEFINE_enum(
    "keep",
    "last",
    ["last", "best", "average"],
    "Keep the last weights, the best on held-out images, or the mean of those "
    "after each epoch of the second half.",
)
flags.DEFINE_integer(
    "backup_every", None, "Steps between backups within an epoch."
)
flags.DEFINE_bool(
    "preflight", True, "Look at network and images before the first step."
)
flags.DEFINE_enum(
    "strategy",
    "none",
    list(STRATEGIES),
    "How devices and machines share the training.",
)
flags.DEFINE_enum(
    "cluster",
    "none",
    list(CLUSTERS),
    "How workers find each other: by TF_CONFIG, or as tasks of Slurm.",
)
flags.DEFINE_integer(
    "port", None, "Of each machine's first task of Slurm; by the job's number."
)
flags.DEFINE_bool(
    "dry_run", False, "Try ten steps of everything, and predict the time."
)


def recipe():
    chosen = shared_flags.recipe(DIGITS)
    if FLAGS.learning_rate is None:
        return chosen
    return dataclasses.replace(chosen, learning_rate=FLAGS.learning_rate)


def minutes(watch, path):
    """What the training took; if nothing was left to do, what was kept."""
    if watch.seconds or not path.exists():
        return watch.seconds / 60 or None
    return json.loads(path.read_text()).get("minutes")


def main(_):
    # At a lower level TensorFlow reports every reduction between devices.
    logging.getLogger("tensorflow").setLevel(logging.WARNING)
    # Before any other operation of TensorFlow.
    strategy = strategy_from_name(FLAGS.strategy, FLAGS.cluster, FLAGS.port)
    architecture = shared_flags.architecture(DIGITS)
    if FLAGS.weights:
        for name in ("architecture", "input_size"):
            if FLAGS[name].present:
                raise app.UsageError(
                    f"--{name} is not changed beside --weights, which bring "
                    "an architecture."
                )
        (chosen,) = shared_flags.changed(recipe())
    else:
        architecture, chosen = shared_flags.changed(architecture, recipe())
    size = shared_flags.input_size(architecture, DIGITS)
    asked = {
        "source": FLAGS.dataset,
        "architecture": None if FLAGS.weights else architecture,
        "recipe": chosen,
        "directory": FLAGS.output,
        "input_size": None if FLAGS.weights else size,
        "weights": FLAGS.weights,
        "keep": FLAGS.keep,
        "holdout": FLAGS.holdout,
        "data_dir": FLAGS.data_dir,
        "on_error": FLAGS.on_error,
        "cache": "memory" if FLAGS.cache else None,
        "strategy": strategy,
        "mixed_precision": FLAGS.mixed_precision,
        "seed": FLAGS.seed,
        "every": FLAGS.backup_every or "epoch",
        "preflight": FLAGS.preflight,
    }
    if FLAGS.dry_run:
        try:
            print(dry_run(**asked))
        except DryRunError as error:
            sys.exit(f"\n{error}")
        return
    watch = Stopwatch()
    training = train(**asked, callbacks=[watch], verbose=2)
    shared_flags.tell_skipped(training.source)
    output = worker_folder(strategy, FLAGS.output)
    plot_curves(training.history, output / "curve.png")
    path = output / "errors.json"
    results = {"minutes": minutes(watch, path)}
    for views in ("center", "ten"):
        errors = training.evaluate(views, share=True)
        results[views] = errors.record()
        print(errors)
    with replacing(path) as temporary:
        pathlib.Path(temporary).write_text(json.dumps(results, indent=2))
    print(f"Saved {output}/alexnet.keras, curve.png, errors.json")


if __name__ == "__main__":
    app.run(main)
