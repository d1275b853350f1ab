"""Finds the images of a folder that a network takes for similar to others.

    python examples/retrieve.py photos cat.jpg dog.jpg --weights=imagenet
    python examples/retrieve.py photos --index=runs/index
    python examples/retrieve.py photos cat.jpg --index=runs/index \\
        --figure=neighbors.png

The first argument is a folder of images, the others are queries. With
`--index` the features of the folder are kept there: the second line computes
them, also in several attempts if it is interrupted, and the third one finds
them there. Files that have changed since are read again, those that are gone
are forgotten. `--figure` draws queries and neighbors as Figure 4 (right) of
the paper does.

Files that cannot be read are named and left out; the script ends with status
1 then.
"""

import os
import pathlib
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import shared_flags
import tensorflow as tf
from absl import app
from absl import flags

from keras_alexnet.data import decode
from keras_alexnet.data import image_size
from keras_alexnet.data import resize_and_crop
from keras_alexnet.retrieval import ImageIndex
from keras_alexnet.visualization import plot_neighbors

FLAGS = flags.FLAGS
shared_flags.define_network()
flags.DEFINE_string("layer", "fc7", "The layer whose outputs are compared.")
flags.DEFINE_string("index", None, "Folder of the index; in memory without.")
flags.DEFINE_integer("k", 6, "Neighbors of each query.", lower_bound=1)
flags.DEFINE_integer("batch_size", 32, "Images at a time.", lower_bound=1)
flags.DEFINE_string("figure", None, "Save a picture of queries and neighbors.")


def opened_index(network, folder):
    """The index of the folder, brought up to date."""
    index = ImageIndex(network, FLAGS.layer, FLAGS.index, FLAGS.batch_size)
    # What it left out is told at the end.
    with warnings.catch_warnings(action="ignore"):
        changed, gone = index.update()
        added = index.add(folder, verbose=1)
    print(
        f"{len(index)} images: {added} added, {changed} read again, "
        f"{gone} forgotten"
    )
    return index


def load_image(path, side):
    """The part of an image that the network saw, for the picture."""
    # A file's name need not be text.
    name = os.fsencode(path)
    return resize_and_crop(decode(tf.io.read_file(name), name), side).numpy()


def draw(queries, found, side):
    plot_neighbors(
        [(load_image(path, side), pathlib.Path(path).name) for path in queries],
        [
            [(load_image(n.path, side), f"d = {n.distance:.1f}") for n in row]
            for row in found
        ],
        FLAGS.figure,
        f"Left: queries. Right: the nearest of the folder, with their "
        f"Euclidean distance d in {FLAGS.layer}",
    )
    print(f"Saved {FLAGS.figure}")


def main(arguments):
    if len(arguments) < 2:
        raise app.UsageError("Name a folder of images, and perhaps queries.")
    network = shared_flags.network()
    index = opened_index(network, arguments[1])
    queries = arguments[2:]
    if queries:
        k = min(FLAGS.k, len(index) - 1)
        found = index.search(queries, k)
        for query, row in zip(queries, found, strict=True):
            print(query)
            for neighbor in row:
                print(f"  {neighbor.distance:10.2f}  {neighbor.path}")
        if FLAGS.figure:
            draw(queries, found, image_size(network))
    for path, reason in index.skipped.items():
        print(f"Left out {path}: {reason}", file=sys.stderr)
    return 1 if index.skipped else 0


if __name__ == "__main__":
    app.run(main)
