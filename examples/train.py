"""Trains AlexNet, evaluates it as the paper does, saves it, draws the curve.

    python examples/train.py

trains the full topology at 64 pixels on the 1,797 handwritten digits that
ship with scikit-learn; nothing is downloaded. Any TFDS name or a folder with
one folder of images per class will do:

    python examples/train.py --dataset=imagenette/160px-v2 --cache
    python examples/train.py --dataset=path/to/images --epochs=20

A run that is interrupted goes on where it was when it is started again with
the same `--output`.
"""

import dataclasses
import json
import logging
import os
import pathlib
import time

# Large buffers are reused instead of returned to the system, whose fresh
# pages are slow on many virtual machines. TensorFlow reads it at its import.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
from absl import app
from absl import flags

from keras_alexnet import AlexNet
from keras_alexnet.data import TrainingData
from keras_alexnet.data import center_view
from keras_alexnet.data import evaluation_data
from keras_alexnet.data import load_source
from keras_alexnet.data import mean_image
from keras_alexnet.distribution import on_one_device
from keras_alexnet.distribution import share_equally
from keras_alexnet.distribution import strategy_from_name
from keras_alexnet.distribution import worker_folder
from keras_alexnet.distribution.strategies import STRATEGIES
from keras_alexnet.evaluation import evaluate
from keras_alexnet.models.presets import ARCHITECTURES
from keras_alexnet.models.presets import resolve_architecture
from keras_alexnet.training import RECIPES
from keras_alexnet.training import fit
from keras_alexnet.training import resolve_recipe
from keras_alexnet.visualization import plot_curves

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "dataset", "digits", '"digits", a TFDS name, or a folder of class folders.'
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
flags.DEFINE_enum(
    "architecture", "paper", list(ARCHITECTURES), "What is built."
)
flags.DEFINE_enum("recipe", "small_data", list(RECIPES), "How it is trained.")
flags.DEFINE_integer(
    "input_size", None, "Pixels; the architecture's, or 64 for digits."
)
flags.DEFINE_integer("epochs", None, "The recipe's, or 4 for digits.")
flags.DEFINE_integer("batch_size", None, "The recipe's, or 32 for digits.")
flags.DEFINE_bool("flip", None, "Mirror images; the recipe's, no for digits.")
flags.DEFINE_bool("cache", False, "Keep decoded images in memory.")
flags.DEFINE_float(
    "holdout",
    0.0,
    "Share of the training set to validate on; 0 validates on the test split.",
)
flags.DEFINE_integer(
    "backup_every", None, "Steps between backups within an epoch."
)
flags.DEFINE_enum(
    "mixed_precision", None, ["float16", "bfloat16"], "Compute in 16 bits."
)
flags.DEFINE_enum(
    "strategy", "none", list(STRATEGIES), "How devices and machines share it."
)
flags.DEFINE_string("output", "runs/train", "Folder for all that is saved.")
flags.DEFINE_integer("seed", 0, "Of initialization, order and augmentation.")

# Digits have no mirror images, and 1,797 of them train the network soon.
DIGITS = {"epochs": 4, "batch_size": 32, "flip": False}


def make_recipe():
    changes = dict(DIGITS) if FLAGS.dataset == "digits" else {}
    for name in ("epochs", "batch_size", "flip"):
        if FLAGS[name].value is not None:
            changes[name] = FLAGS[name].value
    return dataclasses.replace(resolve_recipe(FLAGS.recipe), **changes)


def main(_):
    start = time.time()
    # It tells of every reduction between devices.
    logging.getLogger("tensorflow").setLevel(logging.WARNING)
    # Before any other operation of TensorFlow.
    strategy = strategy_from_name(FLAGS.strategy)
    keras.utils.set_random_seed(FLAGS.seed)
    if FLAGS.mixed_precision:
        keras.config.set_dtype_policy(f"mixed_{FLAGS.mixed_precision}")
    output = pathlib.Path(FLAGS.output)
    output.mkdir(parents=True, exist_ok=True)
    recipe = make_recipe()
    architecture = recipe.prepare(resolve_architecture(FLAGS.architecture))
    size = FLAGS.input_size or (
        64 if FLAGS.dataset == "digits" else architecture.input_size
    )

    source = load_source(
        FLAGS.dataset, FLAGS.data_dir, holdout=FLAGS.holdout, seed=FLAGS.seed
    )
    data = TrainingData(
        source,
        input_size=size,
        cache="memory" if FLAGS.cache else None,
        seed=FLAGS.seed,
        **recipe.augmentation(architecture),
    )
    validation = evaluation_data(
        source, "holdout" if FLAGS.holdout else "test", size
    ).map(lambda images, labels: (center_view(images, size), labels))

    with strategy.scope():
        model = AlexNet(
            input_shape=(size, size, 3),
            classes=len(source.class_names),
            architecture=architecture,
            include_preprocessing=True,
        )
    model.get_layer("preprocessing").set_mean(mean_image(source, size))
    model.summary()
    history = fit(
        model,
        recipe,
        data,
        share_equally(validation, strategy),
        output,
        every=FLAGS.backup_every or "epoch",
        verbose=2,
    )
    model = on_one_device(model)
    output = worker_folder(strategy, output)
    model.save(output / "alexnet.keras")
    plot_curves(history.history, output / "curve.png")

    results = {"minutes": (time.time() - start) / 60}
    for views in ("center", "ten"):
        errors = evaluate(
            model,
            evaluation_data(source, "test", size, batch_size=32),
            views,
            class_names=source.class_names,
        )
        results[views] = {
            name: getattr(errors, name)
            for name in ("n", "top1_error", "top1_interval", "top5_error")
        }
        print(errors)
    (output / "errors.json").write_text(json.dumps(results, indent=2))
    print(f"Saved {output}/alexnet.keras, curve.png, errors.json")


if __name__ == "__main__":
    app.run(main)
