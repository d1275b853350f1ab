"""Leaves out one idea of the paper at a time, with several seeds.

    python examples/ablate.py

trains narrow networks on handwritten digits, about 60 of them in a quarter of
an hour on two cores, and prints what each change does, with its 95 %
interval, beside what the paper and its author's logs say. For some of the
changes, and for a result that means something:

    python examples/ablate.py --changes="no LRN" --changes="no dropout"
    python examples/ablate.py --dataset=imagenette/160px-v2 --seeds=5
    python examples/ablate.py --study=scaling --dataset=imagenette/160px-v2

Any other values can be compared as well. `--change` is of the baseline, and
each `--variant` is a network beside it. What is chosen in this way should be
judged by images that are held out:

    python examples/ablate.py --holdout=0.1 --split=holdout \\
        --change=dropout=0.4 \\
        --variant="dropout=0.3" --variant="dropout=0.3 label_smoothing=0.1"

A study that is interrupted goes on when it is started again with the same
`--output`.
"""

import dataclasses
import logging
import os
import pathlib

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import shared_flags
from absl import app
from absl import flags

from keras_alexnet.studies import CHANGES
from keras_alexnet.studies import Change
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
shared_flags.define_changes()
shared_flags.define_mixed_precision()
shared_flags.define_output("runs/ablate")
flags.DEFINE_enum(
    "study", "ablation", ["ablation", "scaling"], "Vary ideas or sizes."
)
flags.DEFINE_multi_enum(
    "changes",
    None,
    [change.name for change in CHANGES],
    "Names of the changes to study; by default all, or none beside --variant.",
)
flags.DEFINE_multi_string(
    "variant",
    [],
    "Fields of the architecture or the recipe with other values than the "
    "baseline's, name=value with spaces between them; may be given several "
    "times.",
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


def studied(architecture, recipe):
    """List of `Change`: those that the flags name."""
    wanted = FLAGS.changes
    if wanted is None:
        wanted = [] if FLAGS.variant else [c.name for c in CHANGES]
    return [
        *(change for change in CHANGES if change.name in wanted),
        *(variant(text, architecture, recipe) for text in FLAGS.variant),
    ]


def variant(text, architecture, recipe):
    """The `Change` that a `--variant` describes."""

    def changed(*parts):
        return shared_flags.changed(*parts, flag="variant", texts=text.split())

    def prepared(given):
        # As `--change` does: what the recipe scales, it scales afterwards.
        network, chosen = changed(architecture, recipe)
        return dataclasses.replace(
            chosen.prepare(network), input_size=given.input_size
        )

    # A value that no network can have is found here, before anything is
    # trained.
    changed(architecture, recipe)
    return Change(
        text, prepared, lambda chosen: changed(architecture, chosen)[1]
    )


def main(_):
    if FLAGS.study == "scaling" and (FLAGS.changes or FLAGS.variant):
        raise app.UsageError("--study=scaling has no --changes or --variant.")
    # TensorFlow warns of every function that it traces again, and each new
    # network needs that.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    shared_flags.set_precision()
    output = pathlib.Path(FLAGS.output)
    architecture, recipe = shared_flags.changed(
        shared_flags.architecture(DIGITS), shared_flags.recipe(DIGITS)
    )
    changes = studied(architecture, recipe)

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
            changes,
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
    print(f"Saved tables in {output}")
    draw(study, output / f"{FLAGS.study}.png")


def draw(study, path):
    """A picture of the study, if it has compared something."""
    if FLAGS.study == "scaling":
        found, plot = study.curves(), plot_scaling
    else:
        found, plot = study.records(), plot_ablation
        if all(record["top1_difference"] is None for record in found):
            found = []
    if not found:
        print("There is no picture: nothing could be compared.")
        return
    print(f"Saved {plot(found, path)}")


if __name__ == "__main__":
    app.run(main)
