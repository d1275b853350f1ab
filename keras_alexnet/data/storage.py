"""Where many images are kept: in a variable, in a file, under which name."""

import hashlib
import os
import pathlib
import tempfile

import numpy as np
import tensorflow as tf


def lookup(values):
    """Keeps an array out of the graphs that index it.

    tf.data hashes and copies the tensors a function captures each time an
    iterator is made, seconds per epoch for a gigabyte; not so variables.

    Args:
        values: Array or tensor; its first axis is looked up.

    Returns:
        Function from an integer scalar tensor to the row, in graphs too.

    Example:

    >>> row = lookup(np.array([10, 20, 30]))
    >>> [int(x) for x in tf.data.Dataset.range(3).map(row)]
    [10, 20, 30]
    """
    with tf.device("CPU:0"):
        return tf.Variable(values, trainable=False).sparse_read


def keep_in_memory(load, count, shape):
    """Calls `load` for all indices, in parallel, and keeps the results.

    Args:
        load: Function from an int64 scalar tensor to a uint8 tensor.
        count: Integer, how many indices there are.
        shape: Tuple, the shape of each result.

    Returns:
        Function that looks a result up.
    """
    with tf.device("CPU:0"):
        kept = tf.Variable(tf.zeros((count, *shape), tf.uint8), trainable=False)
    for rows, images in _loaded(load, count):
        # In place, where a slice assignment would copy the whole variable.
        kept.scatter_update(tf.IndexedSlices(images, rows))
    return kept.sparse_read


def keep_in_file(load, count, shape, path):
    """Calls `load` for all indices once and for all, and keeps a file.

    A file that is there is used as it is; one that is being written has
    another name.

    Args:
        load: Function from an int64 scalar tensor to a uint8 tensor.
        count: Integer, how many indices there are.
        shape: Tuple, the shape of each result.
        path: Path of the `.npy` file.

    Returns:
        Function that reads a result.
    """
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        try:
            array = np.lib.format.open_memmap(
                partial, "w+", "uint8", (count, *shape)
            )
            for rows, images in _loaded(load, count):
                array[rows.numpy()] = images.numpy()
            array.flush()
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    kept = np.load(path, mmap_mode="r")

    def read(index):
        image = tf.numpy_function(
            lambda i: np.array(kept[i]), [index], tf.uint8, stateful=False
        )
        return tf.ensure_shape(image, shape)

    return read


def _loaded(load, count):
    indices = tf.data.Dataset.range(count)
    images = indices.map(load, num_parallel_calls=tf.data.AUTOTUNE)
    return tf.data.Dataset.zip(indices, images).batch(64).prefetch(2)


def digest(*parts):
    """Short name for a sequence of values, the same in every process.

    Example:

    >>> digest("train", 256) == digest("train", 256) != digest("test", 256)
    True
    """
    text = repr([str(part) for part in parts]).encode()
    return hashlib.blake2b(text, digest_size=12).hexdigest()


def cache_folder(folder=None):
    """`folder` as a path, by default ours within Keras's own.

    Example:

    >>> cache_folder("somewhere").name
    'somewhere'
    """
    if folder is None:
        home = os.environ.get("KERAS_HOME", os.path.join("~", ".keras"))
        folder = os.path.join(home, "keras_alexnet")
    return pathlib.Path(folder).expanduser()


def save_array(path, array):
    """Writes an `.npy` file that no reader ever sees half of.

    Args:
        path: Path; missing folders are made.
        array: Array.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, suffix=".partial", delete=False
    ) as file:
        np.save(file, array)
    os.replace(file.name, path)
