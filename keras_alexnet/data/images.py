"""Image files to square uint8 RGB images."""

import re

import tensorflow as tf

from keras_alexnet.data.damaged_jpeg import jpeg_damage
from keras_alexnet.data.orientation import turn_upright
from keras_alexnet.data.other_formats import MissingLibrary
from keras_alexnet.data.other_formats import decode_other_format
from keras_alexnet.data.other_formats import is_other_format

# The longest aspect ratio that is scaled; only the central square is used.
LONGEST = 16

# How `problem` begins if the image may be sound, but a library is missing.
MISSING = "A library is missing: "


def decode(encoded, name, upright=True):
    """Decodes an image file to uint8 RGB.

    Reads JPEG, PNG, BMP, GIF, WebP, TIFF, AVIF and HEIC (the first frame).
    Grey, palette and CMYK images become RGB, an alpha channel is dropped, 16
    bits become 8. TensorFlow decodes most; Pillow decodes TIFF, AVIF, BMP
    with a palette and animated WebP, its plugin `pillow-heif` HEIC.

    Args:
        encoded: Scalar string tensor, the file's bytes.
        name: Scalar string tensor, the path or id that an error shows.
        upright: Boolean. Whether a photo is turned as the orientation in its
            metadata asks, as programs show it. Defaults to `True`. HEIC
            files are always turned: it is part of their format.

    Returns:
        uint8 tensor of shape `(height, width, 3)`.
    """

    def decode_or_name(encoded, name):
        try:
            return _decode_in_python(encoded, upright)
        except MissingLibrary as error:
            raise ValueError(
                f"Cannot decode the image {_text(name)}: {error}"
            ) from error
        except Exception as error:
            raise ValueError(
                f"Cannot decode the image {_text(name)}: {_plain(error)}. "
                'Repair or remove it, or pass `on_error="skip"` to '
                "`load_source`"
            ) from error

    def attempt(encoded):
        image = decode_in_tensorflow(encoded)
        if upright:
            image = turn_upright(image, encoded)
        return image

    def fall_back(encoded):
        return tf.numpy_function(decode_or_name, [encoded, name], tf.uint8)

    image = _first_that_works(encoded, attempt, fall_back)
    return tf.ensure_shape(image, (None, None, 3))


def problem(encoded, strict=True):
    """Says why an image cannot be decoded, or may not look as it should.

    Args:
        encoded: Scalar string tensor, the file's bytes.
        strict: Boolean. Whether a damaged JPEG counts although `decode` takes
            it, see `jpeg_damage`. Defaults to `True`.

    Returns:
        Scalar string tensor, empty if nothing is wrong. It begins with
        `MISSING` if a library is missing.
    """

    def explain(encoded):
        try:
            _decode_in_python(encoded, upright=True)
        except MissingLibrary as error:
            return f"{MISSING}{error}".encode()
        except Exception as error:
            return (_plain(error) or type(error).__name__).encode()
        return b""

    def damage(encoded):
        return tf.numpy_function(
            lambda encoded: jpeg_damage(encoded).encode(), [encoded], tf.string
        )

    def attempt(encoded):
        # The empty string depends on the pixels; otherwise the graph would
        # leave the decoding out.
        nothing = tf.strings.substr(
            "", 0, tf.size(decode_in_tensorflow(encoded))
        )
        return tf.cond(
            (_start(encoded, 3) == b"\xff\xd8\xff") & strict,
            lambda: tf.ensure_shape(damage(encoded), ()),
            lambda: nothing,
        )

    def fall_back(encoded):
        return tf.numpy_function(explain, [encoded], tf.string)

    reason = _first_that_works(encoded, attempt, fall_back)
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
    bits = tf.cond(
        tf.strings.length(encoded) > 28,
        lambda: tf.strings.substr(encoded, 28, 1),
        lambda: tf.constant(b"\x18"),
    )
    has_palette = tf.reduce_any(bits == [b"\x01", b"\x04", b"\x08"])
    return ~((_start(encoded, 2) == b"BM") & has_palette)


def _start(encoded, count):
    length = tf.minimum(count, tf.strings.length(encoded))
    return tf.strings.substr(encoded, 0, length)


def decode_in_tensorflow(encoded):
    """What `decode` does with a sound image that TensorFlow can decode.

    Args:
        encoded: Scalar string tensor, the file's bytes.

    Returns:
        uint8 tensor of shape `(height, width, 3)`, not turned upright.
    """
    return tf.io.decode_image(encoded, channels=3, expand_animations=False)


def _plain(error):
    """What an error says, without the names of TensorFlow's ops."""
    return re.sub(r"{{.*?}} ?| ?\[Op:.*", "", str(error), flags=re.DOTALL)


def _text(name):
    """An id as text: an error of TensorFlow's can hold nothing else."""
    return name.decode(errors="backslashreplace")


def _decode_in_python(encoded, upright):
    if is_other_format(encoded):
        return decode_other_format(encoded, upright)
    # Says why TensorFlow refuses it. Pillow would let some truncated files
    # pass.
    return decode_in_tensorflow(encoded).numpy()


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
    image = scale_shorter_side(image, resize)
    height, width = tf.unstack(tf.shape(image)[:2])
    top, left = (height - resize) // 2, (width - resize) // 2
    image = image[top : top + resize, left : left + resize]
    return tf.ensure_shape(image, (resize, resize, 3))


def scale_shorter_side(image, side):
    """Scales the shorter side, as `resize_and_crop` does, and crops nothing.

    Args:
        image: uint8 tensor of shape `(height, width, 3)`.
        side: Integer, pixels of the shorter side afterwards.

    Returns:
        uint8 tensor of shape `(height, width, 3)`. Of an image that is longer
        than 16 times its width, the ends are missing.
    """
    image = _without_far_ends(image)
    shape = tf.shape(image)[:2]
    shorter = tf.reduce_min(shape)
    ratio = side / tf.cast(shorter, tf.float64)
    scaled = tf.cast(tf.round(tf.cast(shape, tf.float64) * ratio), tf.int32)
    return tf.cond(
        shorter == side, lambda: image, lambda: _scale(image, scaled)
    )


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
