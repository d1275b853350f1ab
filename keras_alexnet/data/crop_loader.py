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
    """Makes a function that loads a square part of one image.

    The first time that an image is met it is read as `loader` does it: an
    error names an image that cannot be decoded, and damage is noted. Of a JPEG
    that was found sound, only the crop is decoded from then on if its shorter
    side is `resize` pixels, and otherwise all of it. The pixels are the same
    either way. It is examined again if its number of bytes changes.

    Args:
        source, name, resize, cache: As of `loader`.

    Returns:
        Function of an int64 scalar tensor, the image's number, and of int32
        scalar tensors `top`, `left` and `side`, for `tf.data.Dataset.map`. It
        returns a uint8 tensor `(side, side, 3)` and an int64 label.

    Example:

    >>> from keras_alexnet.data.load_source import load_source
    >>> load = crop_loader(load_source("digits"), "test", 16)
    >>> load(tf.constant(0, tf.int64), 3, 2, 8)[0].shape
    TensorShape([8, 8, 3])
    """
    split = source.split(name)
    load = loader(source, name, resize, cache)

    def load_whole(index, top, left, side):
        image, label = load(index)
        return _cut(image, top, left, side), label

    if cache is not None or not split.encoded:
        return load_whole
    known = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, 0)

    def load_crop(index, top, left, side):
        encoded, label, example = split.fetch(index)
        found = known.lookup(index)
        height = tf.cast(found // RANGE % RANGE, tf.int32)
        width = tf.cast(found % RANGE, tf.int32)

        def examine():
            image = load.decode(encoded, example)
            size = tf.numpy_function(
                lambda *of: _remember(*of, split.upright),
                [encoded, tf.shape(image)],
                tf.int64,
                stateful=False,
            )
            noted = known.insert(index, tf.ensure_shape(size, ()))
            with tf.control_dependencies([noted]):
                image = resize_and_crop(image, resize)
            return _cut(image, top, left, side)

        def decode_all():
            image = resize_and_crop(decode_in_tensorflow(encoded), resize)
            return _cut(image, top, left, side)

        def decode_crop():
            y = (height - resize) // 2 + top
            x = (width - resize) // 2 + left
            return _decode_crop(encoded, (height, width), (y, x), side)

        length = tf.cast(found // RANGE**2, tf.int32)
        same = tf.strings.length(encoded) == length
        of_size = tf.minimum(height, width) == resize
        way = tf.where(same, tf.where(of_size, 2, 1), 0)
        return tf.switch_case(way, [examine, decode_all, decode_crop]), label

    return load_crop


def _cut(image, top, left, side):
    return tf.slice(image, [top, left, 0], [side, side, 3])


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


def _decode_crop(encoded, shape, corner, side):
    # The decoder interpolates colors within the crop alone. A pixel more on
    # each side, and the crop is that of the whole image.
    starts = [tf.maximum(begin - 1, 0) for begin in corner]
    sizes = [
        tf.minimum(begin + side + 1, length) - start
        for begin, length, start in zip(corner, shape, starts, strict=True)
    ]
    image = tf.io.decode_and_crop_jpeg(encoded, [*starts, *sizes], channels=3)
    top, left = (
        begin - start for begin, start in zip(corner, starts, strict=True)
    )
    return _cut(image, top, left, side)
