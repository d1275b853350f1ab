"""What is computed once from a data set and kept on disk."""

import hashlib
import pathlib

import numpy as np

from keras_alexnet.disk import cache_folder
from keras_alexnet.disk import replacing


def digest(*parts):
    """Short name for a sequence of values, the same in every process.

    Example:

    >>> digest("train", 256) == digest("train", 256) != digest("test", 256)
    True
    """
    text = repr([str(part) for part in parts]).encode()
    return hashlib.blake2b(text, digest_size=12).hexdigest()


def cache_path(kind, *parts, folder=None):
    """Where an array is kept that depends on the given values.

    Args:
        kind: String, where the file's name begins.
        *parts: Whatever the array depends on.
        folder: Path. Defaults to `keras_alexnet` in Keras's own folder
            (`KERAS_HOME`, else `~/.keras`).

    Returns:
        `pathlib.Path` of an `.npy` file, which need not exist.

    Example:

    >>> cache_path("mean", "digits", 256, folder="somewhere").parent.name
    'somewhere'
    """
    if folder is None:
        folder = cache_folder("keras_alexnet")
    folder = pathlib.Path(folder).expanduser()
    return folder / f"{kind}-{digest(*parts)}.npy"


def cached_array(path, compute):
    """The array in a file, computed and written there if it is absent.

    Args:
        path: Path of an `.npy` file.
        compute: Function without arguments that returns the array.

    Returns:
        NumPy array.

    Raises:
        OSError: If the array cannot be written.
    """
    if path.is_file():
        return np.load(path)
    array = compute()
    with replacing(path) as temporary:
        np.save(temporary, array)
    return array
