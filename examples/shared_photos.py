"""How the examples read photos, and what they say of those that are broken."""

import os
import pathlib
import sys

import tensorflow as tf

from keras_alexnet.data import decode
from keras_alexnet.data import problem


def read_photo(path):
    """A photo, or `None` where there is none; then the reason is printed.

    A damaged JPEG that can be decoded is named, and decoded.
    """
    try:
        encoded = tf.constant(pathlib.Path(path).read_bytes())
    except OSError as error:
        print(f"Cannot read {path}: {error.strerror}", file=sys.stderr)
        return None
    reason = problem(encoded, strict=False).numpy().decode()
    if reason:
        print(f"Cannot decode {path}: {reason}", file=sys.stderr)
        return None
    damage = problem(encoded).numpy().decode()
    if damage:
        print(f"{path} is damaged: {damage}", file=sys.stderr)
    # A file's name need not be text.
    return decode(encoded, os.fsencode(path))
