"""Finds JPEG files that decode although they are damaged."""

import functools
import os
import warnings

import tensorflow as tf

# How libjpeg begins to say that pixels were made up. What else it warns of
# (an unknown version, an odd marker) leaves the pixels as they were.
DAMAGE = ("Corrupt JPEG data", "Premature end of JPEG")


def jpeg_damage(encoded):
    """What libjpeg had to repair in a JPEG file.

    TensorFlow, Pillow and OpenCV decode such files without an error: from the
    damage on they show grey, or shifted pieces. The check reads all of the
    compressed data and computes an eighth of the pixels, so it takes a
    fraction of the time of decoding. It cannot see everything: bytes may be
    wrong and still have a meaning.

    Args:
        encoded: Bytes of a file.

    Returns:
        String, empty if nothing was repaired, if the file is not JPEG, or if
        `simplejpeg`, which tells, is not installed (a warning says so once).

    Example:

    >>> jpeg_damage(b"no JPEG")
    ''
    """
    simplejpeg = _simplejpeg()
    if simplejpeg is None or not encoded.startswith(b"\xff\xd8\xff"):
        return ""
    try:
        color = simplejpeg.decode_jpeg_header(encoded)[2]
        simplejpeg.decode_jpeg(
            encoded,
            "CMYK" if color in ("CMYK", "YCCK") else "GRAY",
            min_height=1,
            min_width=1,
            min_factor=8,
        )
    except ValueError as error:
        # Other errors are for the decoder to tell, which may know better.
        return str(error) if str(error).startswith(DAMAGE) else ""
    return ""


def damage_notice(damaged):
    """Makes a function that notes damaged JPEG files as they are read.

    The first one is a warning.

    Args:
        damaged: Dict to which the ids of damaged files are added, with what
            is wrong with them.

    Returns:
        Function of two scalar string tensors, the bytes of a file and its id,
        for `tf.data.Dataset.map`. It looks into each file once.
    """
    seen = set()

    def note(encoded, name):
        if name in seen:
            return
        seen.add(name)
        what, name = jpeg_damage(encoded), os.fsdecode(name)
        if what and not damaged:
            warnings.warn(
                f"The image {name} is damaged ({what}) and used as "
                "far as it can be decoded. `Source.damaged` collects such "
                'images; `on_error="skip"` leaves them out.',
                stacklevel=2,
            )
        if what:
            damaged[name] = what

    return lambda encoded, name: tf.numpy_function(note, [encoded, name], [])


@functools.cache
def _simplejpeg():
    try:
        import simplejpeg
    except ImportError:
        warnings.warn(
            "JPEG files are not checked for damage that decoders repair "
            "silently. `pip install simplejpeg`, and they are.",
            stacklevel=2,
        )
        return None
    return simplejpeg
