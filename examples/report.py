"""Writes one self-contained HTML page about a training.

    python examples/train.py --output=runs/digits
    python examples/report.py runs/digits

The page is `report.html` in that folder. It requests nothing from anywhere,
and can be read on a phone. `--dataset` says where the images are if they are
no longer where they were.
"""

import os

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import sys

from absl import app
from absl import flags

from keras_alexnet.report import write_report

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "dataset", None, "The images, where they are not where they were."
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
flags.DEFINE_string(
    "split", "test", "The split to measure errors on: test, holdout or train."
)
flags.DEFINE_enum(
    "on_error",
    "raise",
    ["raise", "skip"],
    "Where a file is no sound image: end with an error, or leave it out.",
)
flags.DEFINE_enum(
    "views", "center", ["center", "ten", "nine"], "Views to average."
)
flags.DEFINE_string("output", None, "The page; report.html in the folder.")
flags.DEFINE_integer(
    "count", 10, "Wrong and right answers to show.", lower_bound=0
)


def main(arguments):
    if len(arguments) != 2:
        raise app.UsageError("Name the folder of one training.")
    try:
        path = write_report(
            arguments[1],
            FLAGS.output,
            FLAGS.dataset,
            data_dir=FLAGS.data_dir,
            views=FLAGS.views,
            split=FLAGS.split,
            count=FLAGS.count,
            on_error=FLAGS.on_error,
        )
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Saved {path}, {path.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    app.run(main)
