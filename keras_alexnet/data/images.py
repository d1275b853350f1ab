"""Image files to square uint8 RGB images."""

import io

import numpy as np
import tensorflow as tf

# Longer sides in shorter sides; only the central square is used.
LONGEST = 16


def decode(encoded, name):
    """Decodes JPEG, PNG, BMP, GIF (first frame) or WebP to uint8 RGB.

    Grey, palette and CMYK images become RGB, an alpha channel is dropped,
    16 bits become 8, an orientation in the metadata is ignored. TensorFlow
    decodes all but BMP with a palette and animated WebP, which Pillow does.

    Args:
        encoded: Scalar string tensor, the file's bytes.
        name: Scalar string tensor, the path or id that an error shows.

    Returns:
        uint8 tensor of shape `(height, width, 3)`.
    """

    def decode_or_name(encoded, name):
        try:
            return _decode_with_pillow(encoded)
        except Exception as error:
            raise ValueError(
                f"Cannot decode the image {name.decode()}: {error}. Repair or "
                'remove it, or pass `on_error="skip"` to `load_source`'
            ) from error

    def fall_back(encoded):
        return tf.numpy_function(decode_or_name, [encoded, name], tf.uint8)

    image = _first_that_works(encoded, _decode, fall_back)
    return tf.ensure_shape(image, (None, None, 3))


def problem(encoded):
    """Why an image cannot be decoded.

    Args:
        encoded: Scalar string tensor, the file's bytes.

    Returns:
        Scalar string tensor, empty if it can be decoded.
    """

    def explain(encoded):
        try:
            _decode_with_pillow(encoded)
        except Exception as error:
            return str(error).encode()
        return b""

    def no_problem(encoded):
        # Made of the pixels, or the graph would drop the decoding.
        return tf.strings.substr("", 0, tf.size(_decode(encoded)))

    def fall_back(encoded):
        return tf.numpy_function(explain, [encoded], tf.string)

    reason = _first_that_works(encoded, no_problem, fall_back)
    return tf.ensure_shape(reason, ())


def _first_that_works(encoded, attempt, fall_back):
    # A data set of one element is a graph's try/except, so Python, which can
    # name the example, is only called for images that TensorFlow refuses.
    element = tf.data.Dataset.from_tensors(encoded)
    attempts = element.filter(_tensorflow_can).map(attempt).ignore_errors()
    attempts = attempts.concatenate(element.map(fall_back))
    return attempts.take(1).get_single_element()


def _tensorflow_can(encoded):
    # It takes the palette's indices of a BMP for grey levels. Byte 28 of a
    # BMP is the number of bits per pixel.
    is_bmp = tf.strings.substr(encoded, 0, tf.minimum(2, _length(encoded)))
    bits = tf.cond(
        _length(encoded) > 28,
        lambda: tf.strings.substr(encoded, 28, 1),
        lambda: tf.constant(b"\x18"),
    )
    has_palette = tf.reduce_any(bits == [b"\x01", b"\x04", b"\x08"])
    return ~((is_bmp == b"BM") & has_palette)


def _length(encoded):
    return tf.strings.length(encoded)


def _decode(encoded):
    return tf.io.decode_image(encoded, channels=3, expand_animations=False)


def _decode_with_pillow(encoded):
    if not encoded.startswith((b"BM", b"RIFF")):
        # Pillow would let some truncated files pass. Says why it is refused.
        return _decode(encoded).numpy()
    from PIL import Image

    with Image.open(io.BytesIO(encoded), formats=("BMP", "WEBP")) as image:
        return np.asarray(image.convert("RGB"))


def resize_and_crop(image, resize):
    """Scales the shorter side to `resize`, then crops the central square.

    Area average down and bicubic (Keys, a = -1/2) up, then rounded to uint8.
    The 2012 images were made by OpenCV's `INTER_AREA` and `INTER_CUBIC` and
    stored as JPEG.

    Args:
        image: uint8 tensor of shape `(height, width, 3)`.
        resize: Integer.

    Returns:
        uint8 tensor of shape `(resize, resize, 3)`.

    Example:

    >>> image = tf.zeros((300, 400, 3), "uint8")
    >>> resize_and_crop(image, 256).shape
    TensorShape([256, 256, 3])

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 2; cuda-convnet2 `make-data.py`, lines 32-41, and `pyext.cpp`.
    """
    image = _without_far_ends(image)
    shape = tf.shape(image)[:2]
    shorter = tf.reduce_min(shape)
    ratio = resize / tf.cast(shorter, tf.float64)
    scaled = tf.cast(tf.round(tf.cast(shape, tf.float64) * ratio), tf.int32)
    image = tf.cond(
        shorter == resize, lambda: image, lambda: _scale(image, scaled)
    )
    top, left = (scaled[0] - resize) // 2, (scaled[1] - resize) // 2
    image = image[top : top + resize, left : left + resize]
    return tf.ensure_shape(image, (resize, resize, 3))


def _without_far_ends(image):
    """At most `LONGEST` squares in a row; a line of pixels, scaled, is GB."""
    shape = tf.shape(image)[:2]
    kept = tf.minimum(shape, LONGEST * tf.reduce_min(shape))
    top, left = tf.unstack((shape - kept) // 2)
    return image[top : top + kept[0], left : left + kept[1]]


def _scale(image, shape):
    image = tf.cond(
        shape[0] < tf.shape(image)[0],
        lambda: tf.image.resize(image, shape, method="area"),
        lambda: tf.image.resize(image, shape, method="bicubic"),
    )
    return tf.saturate_cast(tf.round(image), tf.uint8)
