"""Makes records to train on of ImageNet's archives.

    python examples/prepare_imagenet.py --source=downloads --output=imagenet

`downloads` holds the files as image-net.org gives them:

    2012: ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar,
          ILSVRC2012_devkit_t12.tar.gz (labels of the validation images;
          without it they are those that TFDS ships)
    2010: ILSVRC2010_images_train.tar, ILSVRC2010_images_val.tar,
          ILSVRC2010_images_test.tar, ILSVRC2010_devkit-1.0.tar.gz,
          ILSVRC2010_test_ground_truth.txt, and patch_images.tar if you have it

or folders in the place of archives: `train` with a folder for each synset,
`val` flat or with the same folders. Nothing is extracted, and nothing in
`downloads` is changed.

All is checked before the first file is written. What is interrupted goes on
where it was, started again with the same flags. Then

    python examples/train.py --dataset=imagenet

trains on it. docs/imagenet_data.md says how long it takes and how much space.

With `--runner` the work is done by Apache Beam, in several processes or on
several machines that see the same folders, see docs/beam.md; what follows `--`
are Beam's own options:

    python examples/prepare_imagenet.py --source=downloads --output=imagenet \
        --runner=DirectRunner \
        -- --direct_running_mode=multi_processing --direct_num_workers=2
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import functools

import shared_flags
from absl import app
from absl import flags

from keras_alexnet import beam
from keras_alexnet.data import prepare_imagenet

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "source", None, "Folder of the archives, or of the folders.", required=True
)
flags.DEFINE_string(
    "output", None, "Folder to write to, empty or absent.", required=True
)
flags.DEFINE_enum("year", "2012", ["2010", "2012"], "Of the challenge.")
flags.DEFINE_integer("side", 256, "Pixels of the shorter side.")
flags.DEFINE_enum(
    "encoding",
    "jpeg",
    ["jpeg", "png", "original"],
    "How images are stored; original keeps the files as they are.",
)
flags.DEFINE_integer("quality", 95, "Of JPEG, 1 to 100.")
flags.DEFINE_bool(
    "square", False, "Cut out the central square now, which takes less space."
)
flags.DEFINE_bool("upright", True, "Turn photos as their metadata ask.")
flags.DEFINE_string(
    "expected",
    "official",
    'How many images there must be: "official", "any", or numbers such as '
    '"train=2000,validation=500", of which other splits are left alone.',
)
flags.DEFINE_enum(
    "on_error",
    "raise",
    ["raise", "skip"],
    "Where an image cannot be decoded: end with an error, or leave it out and "
    "list it.",
)
flags.DEFINE_integer(
    "workers",
    None,
    "Threads; by default all processors, with --runner one for each task.",
)
flags.DEFINE_integer("images_per_shard", 1251, "Images in a file.")
flags.DEFINE_integer("seed", 0, "Of the order in which images are stored.")
shared_flags.define_runner()


def expected():
    if FLAGS.expected in ("official", "any"):
        return "official" if FLAGS.expected == "official" else None
    try:
        pairs = [pair.split("=") for pair in FLAGS.expected.split(",")]
        return {split: int(count) for split, count in pairs}
    except ValueError:
        raise app.UsageError(
            '--expected is "official", "any", or numbers such as '
            f'"train=2000,validation=500". Received: {FLAGS.expected!r}'
        ) from None


def main(arguments):
    strange, options = shared_flags.beam_options(arguments)
    if strange:
        raise app.UsageError(f"Not a flag: {strange[0]}")
    prepare, workers = prepare_imagenet, FLAGS.workers
    if FLAGS.runner:
        prepare = functools.partial(beam.prepare_imagenet, options=options)
        workers = workers or 1
    try:
        report = prepare(
            FLAGS.source,
            FLAGS.output,
            year=int(FLAGS.year),
            side=FLAGS.side,
            encoding=FLAGS.encoding,
            quality=FLAGS.quality,
            square=FLAGS.square,
            upright=FLAGS.upright,
            expected=expected(),
            on_error=FLAGS.on_error,
            images_per_shard=FLAGS.images_per_shard,
            workers=workers,
            seed=FLAGS.seed,
        )
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        raise SystemExit(f"Nothing more is prepared. {error}") from None
    for split, count in report["counts"].items():
        print(f"{split}: {count:,} images")
    for note in report["notes"]:
        print(f"Note: {note}")
    for what, found in (
        ("Left out", report["skipped"]),
        (
            "Damaged, and used",
            [": ".join(x) for x in report["damaged"].items()],
        ),
    ):
        if found:
            print(f"{what}: {len(found)}. The first:", *found[:5], sep="\n")
    print(f"Saved {report['bytes'] / 1e9:.2f} GB in {FLAGS.output}")


if __name__ == "__main__":
    app.run(main)
