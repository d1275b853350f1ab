"""Features of all images of a folder, in a NumPy, Parquet or TFRecord file.

    python examples/extract.py photos --weights=imagenet --output=fc7.npy
    python examples/extract.py photos --layer=pool5 --output=pool5.parquet

`fc7.npy` holds an array of a row per image, `fc7.txt` the paths of the images
in the same order; the other files hold both, as columns `path` and
`features`, and a third, `problem`. Started again after an interruption, it
goes on where it was. The row of an image that cannot be decoded, or not
without repair, is NaN, and its path is printed.

With `--runner` the work is done by Apache Beam, in several processes or on
several machines; what follows `--` are Beam's own options. The same rows are
then in several files, see docs/beam.md:

    python examples/extract.py photos --output=fc7.parquet --shards=8 \
        --runner=DirectRunner \
        -- --direct_running_mode=multi_processing --direct_num_workers=2
"""

import functools
import hashlib
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import shared_flags
from absl import app
from absl import flags

from keras_alexnet.beam import extract_features
from keras_alexnet.beam import load_remote_network
from keras_alexnet.data import image_files
from keras_alexnet.data import remote_image_files
from keras_alexnet.disk import is_remote
from keras_alexnet.disk import replacing
from keras_alexnet.retrieval import FeatureExtractor
from keras_alexnet.retrieval import FeatureWriter
from keras_alexnet.retrieval import check_feature_file
from keras_alexnet.retrieval import feature_rows

FLAGS = flags.FLAGS
shared_flags.define_network()
flags.DEFINE_string(
    "layer", "fc7", "The layer whose outputs are saved; maps are flattened."
)
flags.DEFINE_string(
    "output",
    "features.npy",
    "A file that ends in .npy, .parquet or .tfrecord.",
)
flags.DEFINE_integer("batch_size", 32, "Images at a time.", lower_bound=1)
flags.DEFINE_integer(
    "limit",
    None,
    "Stop after so many images; the next start continues.",
    lower_bound=1,
)
flags.DEFINE_integer(
    "shards",
    None,
    "With --runner: files to write, by default one for each 8,192 images.",
    lower_bound=1,
)
shared_flags.define_runner()


def find_images(folder):
    """The paths of all images in a folder; what is left out is printed."""
    skipped, ignored = [], {}
    if is_remote(folder):
        paths = remote_image_files(folder, skipped, ignored)
    elif os.path.isdir(folder):
        paths = image_files(pathlib.Path(folder), skipped, ignored)
    else:
        raise app.UsageError(f"There is no folder {folder}.")
    for what in skipped:
        print(f"Left out: {what}")
    return [str(path) for path in paths]


def what_is_done(paths):
    """A digest of all that the features depend on."""
    parts = [FLAGS.weights, str(FLAGS.architecture), FLAGS.layer, "problems"]
    parts += map(shared_flags.file_version, (FLAGS.weights, FLAGS.prototxt))
    for path in paths:
        # One that is gone, or unreadable, still has its row.
        version = ""
        if is_remote(path):
            version = shared_flags.file_version(path)
        elif os.path.exists(path):
            stat = os.stat(path)
            version = f"{stat.st_size} {stat.st_mtime_ns}"
        parts.append(f"{path} {version}")
    return hashlib.sha256("\n".join(parts).encode(errors="replace")).hexdigest()


def open_partial(shape, key):
    """The file that collects the features, and what is known of them."""
    partial = pathlib.Path(f"{FLAGS.output}.partial.npy")
    journal = pathlib.Path(f"{FLAGS.output}.partial.json")
    if partial.exists() and journal.exists():
        state = json.loads(journal.read_text())
        rows = np.lib.format.open_memmap(partial, mode="r+")
        if state["key"] == key and rows.shape == shape:
            return rows, state, partial, journal
    partial.parent.mkdir(parents=True, exist_ok=True)
    # Else it would speak of rows that are gone.
    journal.unlink(missing_ok=True)
    rows = np.lib.format.open_memmap(partial, "w+", "float32", shape)
    # Where the disk is too small, this is an error; to write to the map later
    # would kill the process.
    if hasattr(os, "posix_fallocate"):
        with open(partial, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(partial))
    state = {"key": key, "done": 0, "problems": {}}
    return rows, state, partial, journal


def fill(rows, state, extract, paths, journal):
    """Computes the missing rows; the journal counts those that are written."""
    done = state["done"]
    last = min(len(paths), done + (FLAGS.limit or len(paths)))
    bar = keras.utils.Progbar(len(paths), unit_name="image")
    bar.update(done)
    for features, problems in feature_rows(extract, paths[done:last]):
        for number, problem in enumerate(problems, done):
            if problem:
                state["problems"][str(number)] = problem
        rows[done : done + len(features)] = features
        rows.flush()
        done = state["done"] = done + len(features)
        with replacing(journal) as temporary:
            pathlib.Path(temporary).write_text(json.dumps(state))
        bar.update(done)


def write_table(rows, paths, problems):
    with (
        replacing(FLAGS.output) as temporary,
        FeatureWriter(temporary, rows.shape[1]) as writer,
    ):
        for start in range(0, len(paths), 1024):
            numbers = range(start, min(start + 1024, len(paths)))
            writer.add(
                paths[start : numbers.stop],
                rows[start : numbers.stop],
                [problems.get(str(number), "") for number in numbers],
            )


def check_lines(paths):
    """Refuses names that would take two lines of the list of paths."""
    for path in paths:
        if "\n" in path:
            raise app.UsageError(
                f"{path!r} has a line break, and the list beside a .npy file "
                "holds a path in a line. Rename the file, or write .parquet "
                "or .tfrecord."
            )


def extract_here(paths):
    """All in this process, into one file."""
    if FLAGS.output.endswith(".npy"):
        check_lines(paths)
    else:
        check_feature_file(FLAGS.output, paths)
    extract = FeatureExtractor(
        shared_flags.network(), FLAGS.layer, FLAGS.batch_size
    )
    rows, state, partial, journal = open_partial(
        (len(paths), extract.width), what_is_done(paths)
    )
    fill(rows, state, extract, paths, journal)
    if state["done"] < len(paths):
        print(f"Stopped after {state['done']} of {len(paths)} images")
        return
    if FLAGS.output.endswith(".npy"):
        names = pathlib.Path(FLAGS.output).with_suffix(".txt")
        with replacing(names) as temporary:
            # Names of files need not be text.
            listing = b"".join(os.fsencode(path) + b"\n" for path in paths)
            pathlib.Path(temporary).write_bytes(listing)
        os.replace(partial, FLAGS.output)
    else:
        write_table(rows, paths, state["problems"])
        partial.unlink()
    journal.unlink()
    for number, problem in state["problems"].items():
        tell_problem(paths[int(number)], problem)
    print(f"Saved {len(paths)} x {extract.width} features in {FLAGS.output}")


def extract_on_beam(paths, options):
    """By the workers of a runner, into several files."""
    weights = shared_flags.absolute_file(FLAGS.weights)
    prototxt = shared_flags.absolute_file(FLAGS.prototxt)
    load = functools.partial(
        load_remote_network, weights, FLAGS.architecture, prototxt
    )
    found = extract_features(
        paths,
        FLAGS.output,
        load,
        FLAGS.layer,
        FLAGS.batch_size,
        FLAGS.shards,
        version=what_is_done(paths),
        options=options,
    )
    for line in found["problems"]:
        tell_problem(*line.rsplit("\t", 1))
    print(
        f"Saved {len(paths)} x {found['width']} features in "
        f"{len(found['files'])} files, {found['files'][0]} the first; "
        f"{len(found['problems'])} images cannot be read"
    )


def tell_problem(path, problem):
    print(f"Cannot decode {path}, or not as it was: its row is NaN: {problem}")


def main(arguments):
    folders, options = shared_flags.beam_options(arguments)
    ending = pathlib.Path(FLAGS.output).suffix
    endings = (".parquet", ".tfrecord", *(() if FLAGS.runner else (".npy",)))
    if len(folders) != 1 or ending not in endings:
        raise app.UsageError(
            "Name one folder, and an --output that ends in .parquet or "
            ".tfrecord, or, without --runner, in .npy."
        )
    if FLAGS.runner and FLAGS.limit:
        raise app.UsageError("--limit is not for use with --runner.")
    if FLAGS.shards and not FLAGS.runner:
        raise app.UsageError("--shards needs --runner.")
    paths = find_images(folders[0])
    if not paths:
        raise app.UsageError(f"{folders[0]} holds no images.")
    if FLAGS.runner:
        extract_on_beam(paths, options)
    else:
        extract_here(paths)


if __name__ == "__main__":
    app.run(main)
