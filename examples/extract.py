"""Features of all images of a folder, in a NumPy or Parquet file.

    python examples/extract.py photos --weights=imagenet --output=fc7.npy
    python examples/extract.py photos --layer=pool5 --output=pool5.parquet

`fc7.npy` holds an array of a row per image, `fc7.txt` the paths of the images
in the same order; a Parquet file holds both, as columns `path` and
`features`. Started again after an interruption, it goes on where it was. The
row of an image that cannot be decoded, or not without repair, is NaN, and its
path is printed.
"""

import hashlib
import json
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import shared_flags
import tensorflow as tf
from absl import app
from absl import flags

from keras_alexnet.data import MISSING
from keras_alexnet.data import center_view
from keras_alexnet.data import decode
from keras_alexnet.data import image_files
from keras_alexnet.data import image_size
from keras_alexnet.data import problem
from keras_alexnet.data import resize_and_crop
from keras_alexnet.disk import replacing

FLAGS = flags.FLAGS
shared_flags.define_network()
flags.DEFINE_string(
    "layer", "fc7", "The layer whose outputs are saved; maps are flattened."
)
flags.DEFINE_string(
    "output", "features.npy", "A file that ends in .npy or .parquet."
)
flags.DEFINE_integer("batch_size", 32, "Images at a time.")
flags.DEFINE_integer(
    "limit", None, "Stop after so many images; the next start continues."
)


def find_images(folder):
    """The paths of all images in a folder; what is left out is printed."""
    if not os.path.isdir(folder):
        raise app.UsageError(f"There is no folder {folder}.")
    skipped, ignored = [], {}
    paths = image_files(pathlib.Path(folder), skipped, ignored)
    for what in skipped:
        print(f"Left out: {what}")
    return [str(path) for path in paths]


def image_batches(paths, size, side):
    """Batches of central crops, and what is wrong with each image."""

    def load(path):
        encoded = tf.io.read_file(path)
        reason = problem(encoded)
        image = tf.cond(
            reason == b"",
            lambda: resize_and_crop(decode(encoded, path), side),
            lambda: tf.zeros((side, side, 3), "uint8"),
        )
        return center_view(image[None], size)[0], reason

    data = tf.data.Dataset.from_tensor_slices(paths)
    data = data.map(load, num_parallel_calls=tf.data.AUTOTUNE)
    return data.batch(FLAGS.batch_size).prefetch(2)


def what_is_done(paths):
    """A digest of all that the features depend on."""
    parts = [FLAGS.weights, str(FLAGS.architecture), FLAGS.layer]
    for path in [FLAGS.weights, FLAGS.prototxt, *paths]:
        if path and os.path.exists(path):
            stat = os.stat(path)
            parts.append(f"{path} {stat.st_size} {stat.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def open_partial(shape, key):
    """The file that collects the features, and how many it has."""
    partial = pathlib.Path(f"{FLAGS.output}.partial.npy")
    journal = pathlib.Path(f"{FLAGS.output}.partial.json")
    if partial.exists() and journal.exists():
        state = json.loads(journal.read_text())
        rows = np.lib.format.open_memmap(partial, mode="r+")
        if state["key"] == key and rows.shape == shape:
            return rows, state["done"], partial, journal
    # Else it would speak of rows that are gone.
    journal.unlink(missing_ok=True)
    rows = np.lib.format.open_memmap(partial, "w+", "float32", shape)
    # Where the disk is too small, this is an error; to write to the map later
    # would kill the process.
    if hasattr(os, "posix_fallocate"):
        with open(partial, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, os.path.getsize(partial))
    return rows, 0, partial, journal


def fill(rows, done, model, side, paths, journal, key):
    """Computes the missing rows; the journal counts those that are written.

    Returns:
        How many there are then.
    """
    last = min(len(paths), done + (FLAGS.limit or len(paths)))
    bar = keras.utils.Progbar(len(paths), unit_name="image")
    bar.update(done)
    size = model.input_shape[1]
    images = image_batches(paths[done:last], size, side)
    for batch, reasons in images if done < last else ():
        reasons = reasons.numpy()
        for number, reason in enumerate(reasons):
            if reason.startswith(MISSING.encode()):
                raise ImportError(f"{paths[done + number]}: {reason.decode()}")
        features = np.array(model.predict_on_batch(batch), "float32")
        features = features.reshape(len(batch), -1)
        features[reasons != b""] = np.nan
        rows[done : done + len(batch)] = features
        rows.flush()
        done += len(batch)
        with replacing(journal) as temporary:
            pathlib.Path(temporary).write_text(
                json.dumps({"key": key, "done": done})
            )
        bar.update(done)
    return done


def write_parquet(rows, paths):
    import pyarrow
    from pyarrow import parquet

    kind = pyarrow.list_(pyarrow.float32(), rows.shape[1])
    schema = pyarrow.schema([("path", pyarrow.string()), ("features", kind)])
    with (
        replacing(FLAGS.output) as temporary,
        parquet.ParquetWriter(temporary, schema) as writer,
    ):
        for start in range(0, len(paths), 1024):
            values = pyarrow.array(np.ravel(rows[start : start + 1024]))
            writer.write_table(
                pyarrow.table(
                    [
                        paths[start : start + 1024],
                        pyarrow.FixedSizeListArray.from_arrays(
                            values, rows.shape[1]
                        ),
                    ],
                    schema=schema,
                )
            )


def main(arguments):
    ending = pathlib.Path(FLAGS.output).suffix
    if len(arguments) != 2 or ending not in (".npy", ".parquet"):
        raise app.UsageError(
            "Name one folder, and an --output that ends in .npy or .parquet."
        )
    paths = find_images(arguments[1])
    if not paths:
        raise app.UsageError(f"{arguments[1]} holds no images.")
    network = shared_flags.network()
    model = keras.Model(network.input, network.get_layer(FLAGS.layer).output)
    width = int(np.prod(model.output_shape[1:]))
    key = what_is_done(paths)
    rows, done, partial, journal = open_partial((len(paths), width), key)
    side = image_size(network)
    done = fill(rows, done, model, side, paths, journal, key)
    if done < len(paths):
        print(f"Stopped after {done} of {len(paths)} images")
        return
    bad = [
        path for path, row in zip(paths, rows, strict=True) if np.isnan(row[0])
    ]
    if ending == ".npy":
        names = pathlib.Path(FLAGS.output).with_suffix(".txt")
        names.write_text("".join(f"{path}\n" for path in paths))
        os.replace(partial, FLAGS.output)
    else:
        write_parquet(rows, paths)
        partial.unlink()
    journal.unlink()
    for path in bad:
        print(f"Cannot decode {path}, or not as it was: its row is NaN")
    print(f"Saved {len(paths)} x {width} features in {FLAGS.output}")


if __name__ == "__main__":
    app.run(main)
