"""Random crops of a source's images, decoded no further than needed."""

import numpy as np
import tensorflow as tf

from keras_alexnet.data.images import LONGEST
from keras_alexnet.data.images import decode_in_tensorflow
from keras_alexnet.data.images import resize_and_crop
from keras_alexnet.data.loader import loader
from keras_alexnet.data.orientation import read_orientation

# A JPEG of known size is remembered as one integer: its number of bytes, times
# `RANGE`, plus its height, times `RANGE`, plus its width.
RANGE = 2**14


def crop_loader(source, name, resize, cache=None):
    """Makes a function that plans crops, and one that loads a planned crop.

    The first time that an image is met it is read as `loader` does it: an
    error names an image that cannot be decoded, and damage is noted. Of a JPEG
    that was found sound before the crops were planned, only the crop is decoded
    if its shorter side is `resize` pixels, and otherwise all of it. The pixels
    are the same either way. It is examined again if its number of bytes
    changes.

    What can be computed for all crops at once is planned: an operation on
    numbers costs as much in a graph for one image as in one for a million.

    Args:
        source, name, resize, cache: As of `loader`.

    Returns:
        Tuple of two functions. `plan` takes an int64 tensor of shape
        `(count,)`, the images' numbers, and the int32 tensors `top`, `left`
        and `side` of that shape; it returns a tuple of tensors with `count`
        rows. `load` takes one number and one row of each of these, for
        `tf.data.Dataset.map`; it returns a uint8 tensor `(side, side, 3)` and
        an int64 label.

    Example:

    >>> from keras_alexnet.data.load_source import load_source
    >>> plan, load = crop_loader(load_source("digits"), "test", 16)
    >>> numbers = tf.range(2, dtype=tf.int64)
    >>> crops = plan(numbers, *tf.constant([[3, 0], [2, 0], [8, 8]]))
    >>> load(numbers[1], *(column[1] for column in crops))[0].shape
    TensorShape([8, 8, 3])
    """
    split = source.split(name)
    load = loader(source, name, resize, cache)
    if cache is None and split.encoded:
        return _planned_decoding(split, load, resize)

    def load_whole(index, top, left, side):
        image, label = load(index)
        return _cut(image, top, left, side), label

    return lambda _, *crops: crops, load_whole


def _planned_decoding(split, load, resize):
    """`crop_loader` of files that are decoded each time they are read."""
    known = np.zeros(split.count, "int64")

    def remember(index, encoded, shape):
        known[index] = _remember(encoded, shape, split.upright)

    def plan(index, top, left, side):
        found = tf.numpy_function(lambda i: known[i], [index], tf.int64)
        found = tf.reshape(found, tf.shape(index))
        length = tf.cast(found // RANGE**2, tf.int32)
        shape = [
            tf.cast(pixels % RANGE, tf.int32)
            for pixels in (found // RANGE, found)
        ]
        of_size = tf.minimum(*shape) == resize
        window, corner = _windows(shape, (top, left), side, resize)
        return top, left, side, length, of_size, window, corner

    def load_crop(index, top, left, side, length, of_size, window, corner):
        encoded, label, example = split.fetch(index)
        same = tf.strings.length(encoded) == length

        def examine():
            image = load.decode(encoded, example)
            noted = tf.numpy_function(
                remember, [index, encoded, tf.shape(image)], []
            )
            with tf.control_dependencies([noted]):
                return tf.identity(image)

        def decode_all():
            image = tf.cond(
                same, lambda: decode_in_tensorflow(encoded), examine
            )
            return _cut(resize_and_crop(image, resize), top, left, side)

        def decode_crop():
            image = tf.io.decode_and_crop_jpeg(encoded, window, channels=3)
            return tf.slice(image, corner, [side, side, 3])

        return tf.cond(same & of_size, decode_crop, decode_all), label

    return plan, load_crop


def _cut(image, top, left, side):
    return tf.slice(image, [top, left, 0], [side, side, 3])


def _windows(shape, corner, side, resize):
    """What the decoder is asked for, and where in it the crops begin.

    The decoder interpolates colors within its window alone. With a pixel more
    on each side, the crop is that of the whole image.
    """
    starts, sizes, rests = [], [], []
    for length, begin in zip(shape, corner, strict=True):
        begin = (length - resize) // 2 + begin
        starts.append(tf.maximum(begin - 1, 0))
        sizes.append(tf.minimum(begin + side + 1, length) - starts[-1])
        rests.append(begin - starts[-1])
    window = tf.stack([*starts, *sizes], axis=1)
    return window, tf.stack([*rests, tf.zeros_like(side)], axis=1)


def _remember(encoded, shape, upright):
    """The integer that is kept of an image, 0 if it needs care each time."""
    height, width = map(int, shape[:2])
    is_jpeg = encoded.startswith(b"\xff\xd8\xff")
    turned = upright and read_orientation(encoded) != 1
    too_large = max(height, width) >= RANGE
    too_long = max(height, width) > LONGEST * min(height, width)
    if not is_jpeg or turned or too_large or too_long:
        return np.int64(0)
    return np.int64((len(encoded) * RANGE + height) * RANGE + width)
