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

import logging
import os
import pathlib

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import shared_flags
from absl import app
from absl import flags

from keras_alexnet.studies import CHANGES
from keras_alexnet.studies import Experiment
from keras_alexnet.studies import run_ablation
from keras_alexnet.studies import run_scaling
from keras_alexnet.visualization import plot_ablation
from keras_alexnet.visualization import plot_scaling

# What the flags mean for the digits, where they are not given.
DIGITS = {**shared_flags.DIGITS, "input_size": 48, "width": 0.125, "epochs": 10}

FLAGS = flags.FLAGS
shared_flags.define_source()
shared_flags.define_holdout(
    0.0, 'that a schedule may look at; the recipe "paper" needs some.'
)
shared_flags.define_architecture("The baseline.", DIGITS)
shared_flags.define_width(DIGITS)
shared_flags.define_recipe(DIGITS)
shared_flags.define_mixed_precision()
shared_flags.define_output("runs/ablate")
flags.DEFINE_enum(
    "study", "ablation", ["ablation", "scaling"], "Vary ideas or sizes."
)
flags.DEFINE_multi_enum(
    "changes",
    None,
    [change.name for change in CHANGES],
    "Names of the changes to study, by default all.",
)
flags.DEFINE_multi_float(
    "shares",
    [0.125, 0.25, 0.5, 1.0],
    "Shares of the training set, for --study=scaling.",
)
flags.DEFINE_multi_float(
    "widths", [0.25, 0.5, 1.0], "Factors of --width, for --study=scaling."
)
flags.DEFINE_integer("seeds", 3, "Networks to train per change.", lower_bound=1)
flags.DEFINE_string("split", "test", "The split to measure errors on.")
flags.DEFINE_enum(
    "views",
    "center",
    ["center", "ten", "nine"],
    "Views of each image to average.",
)


def report(name, run):
    error = "failed" if run.top1_error is None else f"{run.top1_error:.2%}"
    print(f"{name}, seed {run.seed}: {error}", flush=True)


def main(_):
    # TensorFlow warns of every function that it traces again, and each new
    # network needs that.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    shared_flags.set_precision()
    output = pathlib.Path(FLAGS.output)
    recipe = shared_flags.recipe(DIGITS)
    architecture = shared_flags.architecture(DIGITS)

    experiment = Experiment(
        shared_flags.source(),
        output,
        input_size=shared_flags.input_size(architecture, DIGITS),
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
