"""An image file to the record of it, and what it adds to the mean."""

import gzip
import os
import typing

import numpy as np
import tensorflow as tf

from keras_alexnet.data.damaged_jpeg import jpeg_damage
from keras_alexnet.data.images import MISSING
from keras_alexnet.data.images import decode
from keras_alexnet.data.images import problem
from keras_alexnet.data.images import resize_and_crop
from keras_alexnet.data.images import scale_shorter_side
from keras_alexnet.data.training_statistics import color_products


class Prepared(typing.NamedTuple):
    """What has become of an image.

    `record` is a serialized `tf.train.Example`, or `None` where the image
    cannot be decoded; `problem` says why then, and `damage` what was
    repaired. `square` and `products` are the pixels of the central square and
    the sums of the products of their colors, or `None`.
    """

    record: bytes | None
    problem: str = ""
    damage: str = ""
    square: np.ndarray | None = None
    products: np.ndarray | None = None


def read_bytes(example):
    """The bytes of an image; those that are compressed by gzip unpacked.

    ILSVRC2010's archives hold some of these.

    Args:
        example: An `Example`.

    Returns:
        Bytes.

    Raises:
        ValueError: If the file has become shorter.

    Reference: Fuel, `fuel/converters/ilsvrc2010.py`.
    """
    descriptor = os.open(example.file, os.O_RDONLY)
    try:
        encoded = os.pread(descriptor, example.size, example.offset)
    finally:
        os.close(descriptor)
    if len(encoded) != example.size:
        raise ValueError(
            f"{example.origin} has changed: {len(encoded)} of {example.size} "
            "bytes are left"
        )
    if encoded.startswith(b"\x1f\x8b"):
        try:
            return gzip.decompress(encoded)
        except (OSError, EOFError):
            # The decoder says what is wrong with it, and names the image.
            return encoded
    return encoded


def preparer(side, encoding, quality, square, upright):
    """Makes a function that prepares one image.

    Args:
        side, encoding, quality, square, upright: As of `prepare_imagenet`.

    Returns:
        Function of an `Example` and of a boolean, whether it is part of the
        mean. It returns a `Prepared`, and can run in several threads.
    """
    encode = _encoder(side, encoding, quality, square, upright)

    def prepare(example, in_mean):
        encoded = read_bytes(example)
        try:
            stored, pixels = encode(tf.constant(encoded), example.name, in_mean)
        except tf.errors.OpError:
            what = problem(tf.constant(encoded), strict=False).numpy().decode()
            if what.startswith(MISSING):
                raise ImportError(f"{example.origin}: {what}") from None
            # Else it is not the image's fault.
            if not what:
                raise
            return Prepared(None, problem=what)
        record = _record(stored.numpy(), example)
        damage = jpeg_damage(encoded)
        if not in_mean:
            return Prepared(record, damage=damage)
        pixels = pixels.numpy()
        return Prepared(record, "", damage, pixels, color_products(pixels))

    return prepare


def _record(stored, example):
    """A `tf.train.Example`, the same bytes in every process.

    TFDS's `serialize_example` writes the features in an order that differs
    from process to process.
    """
    values = {
        "image": {"bytes_list": {"value": [stored]}},
        "label": {"int64_list": {"value": [example.label]}},
        "file_name": {"bytes_list": {"value": [example.name.encode()]}},
    }
    record = tf.train.Example(features={"feature": values})
    return record.SerializeToString(deterministic=True)


def _encoder(side, encoding, quality, square, upright):
    scale = resize_and_crop if square else scale_shorter_side

    @tf.function(
        input_signature=[
            tf.TensorSpec((), tf.string),
            tf.TensorSpec((), tf.string),
            tf.TensorSpec((), tf.bool),
        ]
    )
    def encode(encoded, name, in_mean):
        image = decode(encoded, name, upright)
        if encoding == "original":
            stored = encoded
        elif encoding == "png":
            image = scale(image, side)
            stored = tf.io.encode_png(image)
        else:
            stored = tf.io.encode_jpeg(scale(image, side), quality=quality)

        def pixels():
            # The mean is of the images as they are read again.
            again = image
            if encoding == "jpeg":
                again = decode(stored, name, upright)
            return resize_and_crop(again, side)

        empty = tf.zeros((side, side, 3), "uint8")
        return stored, tf.cond(in_mean, pixels, lambda: empty)

    return encode
