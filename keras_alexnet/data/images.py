"""Encoded image files to square uint8 RGB images."""

import io

import numpy as np
import tensorflow as tf


def _decode(encoded):
    return tf.io.decode_image(encoded, channels=3, expand_animations=False)


def decode(encoded, ids, index):
    """Decodes JPEG, PNG, BMP, GIF (first frame) or WebP to uint8 RGB.

    Args:
        encoded: Scalar string tensor, the file's bytes.
        ids: Sequence of strings: the examples' paths or names, for the error.
        index: Scalar integer tensor, which of `ids` this is.

    Returns:
        uint8 tensor of shape `(height, width, 3)`.
    """

    def name_the_error(encoded, index):
        try:
            return _decode_palette(encoded)
        except Exception as error:
            raise ValueError(
                f"Cannot decode the image {ids[index]}: {error}. Repair or "
                'remove it, or pass `on_error="skip"` to `load_source`'
            ) from error

    # A dataset of one element is the graph's try/except: what TensorFlow
    # cannot decode goes on to Python, which knows the example's name.
    element = tf.data.Dataset.from_tensors(encoded)
    fallback = element.map(
        lambda e: tf.numpy_function(name_the_error, [e, index], tf.uint8)
    )
    attempts = element.map(_decode).ignore_errors().concatenate(fallback)
    image = attempts.take(1).get_single_element()
    return tf.ensure_shape(image, (None, None, 3))


def _decode_palette(encoded):
    from PIL import Image

    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(image.convert("RGB"))


def resize_and_crop(image, resize):
    """Scales the shorter side to `resize`, then crops the center square.

    Area average down and bicubic up, then rounded to uint8, as the 2012
    images were made.

    Args:
        image: uint8 tensor of shape `(height, width, 3)`.
        resize: Integer.

    Returns:
        uint8 tensor of shape `(resize, resize, 3)`.

    Reference: cuda-convnet2 `make-data.py`, lines 32-41, and `pyext.cpp`.
    """
    shape = tf.shape(image)[:2]
    shorter = tf.reduce_min(shape)
    ratio = resize / tf.cast(shorter, tf.float64)
    scaled = tf.cast(tf.round(tf.cast(shape, tf.float64) * ratio), tf.int32)
    image = tf.cond(
        shorter > resize,
        lambda: tf.image.resize(image, scaled, method="area"),
        lambda: tf.image.resize(image, scaled, method="bicubic"),
    )
    top, left = (scaled[0] - resize) // 2, (scaled[1] - resize) // 2
    image = image[top : top + resize, left : left + resize]
    image = tf.saturate_cast(tf.round(image), tf.uint8)
    return tf.ensure_shape(image, (resize, resize, 3))
