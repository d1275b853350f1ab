"""Turns photos upright, as the camera's orientation tag asks."""

import struct

import numpy as np
import tensorflow as tf

# EXIF's number of the orientation tag.
TAG = 0x0112

# What JPEG, PNG and WebP write before EXIF data, and how many bytes later
# they begin.
MARKS = ((b"Exif\0\0", 6), (b"eXIf", 4), (b"EXIF", 8))


def turn_upright(image, encoded):
    """Mirrors and rotates an image as the metadata of its file ask.

    Args:
        image: Tensor of shape `(height, width, channels)`.
        encoded: Scalar string tensor, the bytes of the file: 22 or more.

    Returns:
        Tensor of shape `(height, width, channels)`, or of `(width, height,
        channels)`.

    Example:

    >>> turn_upright(tf.zeros((2, 3, 1)), tf.constant(bytes(22))).shape
    TensorShape([2, 3, 1])

    Reference: CIPA DC-008, Exchangeable image file format (Exif 2.32),
    section 4.6.4, tag Orientation.
    """
    # Most JPEG files have no metadata: after the start or the usual JFIF
    # header of 20 bytes, the tables begin. Python is not called for them.
    start = tf.strings.substr(encoded, 0, 4)
    behind = tf.strings.substr(encoded, 20, 2)
    plain = (start == b"\xff\xd8\xff\xdb") | (
        (start == b"\xff\xd8\xff\xe0") & (behind == b"\xff\xdb")
    )
    return tf.cond(
        plain,
        lambda: image,
        lambda: tf.numpy_function(
            _turn, [image, encoded], image.dtype, stateful=False
        ),
    )


def _turn(image, encoded):
    orientation = read_orientation(np.asarray(encoded).item())
    if orientation >= 5:
        image = image.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def read_orientation(encoded):
    """The orientation that the metadata of an image file state.

    Args:
        encoded: Bytes of a file.

    Returns:
        Integer from 1 to 8; 1, upright, where there are no metadata.

    Example:

    >>> read_orientation(b"no image")
    1
    """
    for mark, skipped in MARKS:
        start = encoded.find(mark)
        if start >= 0:
            # A segment of a JPEG ends within 64 KiB.
            found = _tag(encoded[start + skipped : start + skipped + 2**16])
            return found if 1 <= found <= 8 else 1
    return 1


def _tag(exif):
    """The value of the orientation tag, 1 where there is none."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(count):
            tag, _, _, value = struct.unpack_from(
                f"{order}HHIH", exif, start + 2 + 12 * entry
            )
            if tag == TAG:
                return value
    # The metadata are damaged; the pixels need not be.
    except struct.error:
        pass
    return 1
