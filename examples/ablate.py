"""Leaves out one idea of the paper at a time, with several seeds.

    python examples/ablate.py

trains narrow networks on handwritten digits, about 60 of them in a quarter of
an hour on two cores, and prints what each change does, with its 95 %
interval, beside what the paper and its author's logs say. For some of the
changes, and for a result that means something:

    python examples/ablate.py --changes="no LRN" --changes="no dropout"
    python examples/ablate.py --dataset=imagenette/160px-v2 --seeds=5
    python examples/ablate.py --study=scaling --dataset=imagenette/160px-v2

A study that is interrupted goes on when it is started again with the same
`--output`.
"""

import dataclasses
import logging
import os
import pathlib

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import app
from absl import flags

from keras_alexnet.data import load_source
from keras_alexnet.models import with_width
from keras_alexnet.models.presets import ARCHITECTURES
from keras_alexnet.models.presets import resolve_architecture
from keras_alexnet.studies import CHANGES
from keras_alexnet.studies import Experiment
from keras_alexnet.studies import run_ablation
from keras_alexnet.studies import run_scaling
from keras_alexnet.training import RECIPES
from keras_alexnet.training import resolve_recipe
from keras_alexnet.visualization.studies import plot_ablation
from keras_alexnet.visualization.studies import plot_scaling

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "dataset", "digits", '"digits", a TFDS name, or a folder of class folders.'
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
flags.DEFINE_enum(
    "study", "ablation", ["ablation", "scaling"], "What is varied."
)
flags.DEFINE_multi_enum(
    "changes", None, [change.name for change in CHANGES], "Defaults to all."
)
flags.DEFINE_multi_float(
    "shares", [0.125, 0.25, 0.5, 1.0], "Of the training set, for scaling."
)
flags.DEFINE_multi_float(
    "widths", [0.25, 0.5, 1.0], "Factors of --width, for scaling."
)
flags.DEFINE_integer("seeds", 3, "Networks per change.")
flags.DEFINE_string("split", "test", "Which split is judged.")
flags.DEFINE_float(
    "holdout",
    0.0,
    "Share of the training set that a schedule may look at; the recipe "
    '"paper" needs some.',
)
flags.DEFINE_enum(
    "views", "center", ["center", "ten", "nine"], "What is averaged."
)
flags.DEFINE_enum("architecture", "paper", list(ARCHITECTURES), "The baseline.")
flags.DEFINE_enum("recipe", "small_data", list(RECIPES), "How it is trained.")
flags.DEFINE_float("width", None, "Of all layers; 1, or 0.125 for digits.")
flags.DEFINE_integer(
    "input_size", None, "Pixels; the architecture's, or 48 for digits."
)
flags.DEFINE_integer("epochs", None, "The recipe's, or 10 for digits.")
flags.DEFINE_integer("batch_size", None, "The recipe's, or 32 for digits.")
flags.DEFINE_bool("flip", None, "Mirror images; the recipe's, no for digits.")
flags.DEFINE_string("output", "runs/ablate", "Folder for all that is saved.")

# Digits have no mirror images.
DIGITS = {"epochs": 10, "batch_size": 32, "flip": False}


def report(name, run):
    error = "failed" if run.top1_error is None else f"{run.top1_error:.2%}"
    print(f"{name}, seed {run.seed}: {error}", flush=True)


def main(_):
    # It warns of functions traced anew, which every network brings.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    output = pathlib.Path(FLAGS.output)
    digits = FLAGS.dataset == "digits"
    changes = dict(DIGITS) if digits else {}
    for name in ("epochs", "batch_size", "flip"):
        if FLAGS[name].value is not None:
            changes[name] = FLAGS[name].value
    recipe = dataclasses.replace(resolve_recipe(FLAGS.recipe), **changes)
    width = FLAGS.width or (0.125 if digits else 1.0)
    architecture = with_width(resolve_architecture(FLAGS.architecture), width)
    size = FLAGS.input_size or (48 if digits else architecture.input_size)

    experiment = Experiment(
        load_source(FLAGS.dataset, FLAGS.data_dir, holdout=FLAGS.holdout),
        output,
        input_size=size,
        split=FLAGS.split,
        views=FLAGS.views,
        cache=output / "images",
    )
    if FLAGS.study == "ablation":
        study = run_ablation(
            experiment,
            architecture,
            recipe,
            [c for c in CHANGES if c.name in (FLAGS.changes or [c.name])],
            seeds=range(FLAGS.seeds),
            on_run=report,
        )
    else:
        study = run_scaling(
            experiment,
            architecture,
            recipe,
            FLAGS.shares,
            FLAGS.widths,
            seeds=range(FLAGS.seeds),
            on_run=report,
        )
    study.save(output)
    print(study)
    if FLAGS.study == "ablation":
        plot_ablation(study.records(), output / "ablation.png")
    else:
        plot_scaling(study.curves(), output / "scaling.png")
    print(f"Saved tables and a picture in {output}")


if __name__ == "__main__":
    app.run(main)
