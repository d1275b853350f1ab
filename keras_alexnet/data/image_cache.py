"""Decoded images, kept in memory or in a file."""

import math

import numpy as np
import tensorflow as tf

from keras_alexnet.autotuning import parallel_calls
from keras_alexnet.autotuning import without_autotuning
from keras_alexnet.data.lookup import own_variable
from keras_alexnet.disk import replacing


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
        empty = tf.zeros((count, *shape), tf.uint8)
    kept = own_variable(empty)
    for rows, images in _loaded(load, count):
        # In place, where a slice assignment would copy the whole variable.
        kept.scatter_update(tf.IndexedSlices(images, rows))
    return kept.sparse_read


def keep_in_file(load, count, shape, path):
    """Calls `load` for all indices, once, and keeps the results in a file.

    A file that is there is used as it is; one that is being written has
    another name.

    Args:
        load: Function from an int64 scalar tensor to a uint8 tensor.
        count: Integer, how many indices there are.
        shape: Tuple, the shape of each result.
        path: Path of the `.npy` file.

    Returns:
        Function that reads a result.

    Raises:
        OSError: If the file cannot be written; nothing is left of it then.
    """
    if not path.is_file():
        try:
            with replacing(path) as temporary:
                _write(temporary, load, count, shape)
        except OSError as error:
            size = count * math.prod(shape) / 1e6
            raise OSError(
                error.errno,
                f"The images ({size:.1f} MB) cannot be kept: {error.strerror}",
                str(path),
            ) from error
    kept = np.load(path, mmap_mode="r")
    if kept.shape != (count, *shape):
        raise ValueError(
            f"{path} is not the cache of these images: it has shape "
            f"{kept.shape}, wanted is {(count, *shape)}. Remove it"
        )

    def read(index):
        image = tf.numpy_function(
            lambda i: np.array(kept[i]), [index], tf.uint8, stateful=False
        )
        return tf.ensure_shape(image, shape)

    return read


def _write(path, load, count, shape):
    """Writes an `.npy` file image by image.

    Not by way of a memory map: on a full disk that kills the process.
    """
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, *shape)}
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for _, images in _loaded(load, count):
            file.write(images.numpy().tobytes())


def _loaded(load, count):
    indices = tf.data.Dataset.range(count)
    images = indices.map(load, num_parallel_calls=parallel_calls())
    batches = tf.data.Dataset.zip(indices, images).batch(64).prefetch(2)
    return without_autotuning(batches)
