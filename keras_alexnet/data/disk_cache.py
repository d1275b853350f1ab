"""What is computed once from a data set and kept on disk."""

import hashlib
import pathlib
import warnings

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

    A file that is damaged is written anew. If the file cannot be written, a
    warning says so, and the next call computes the array again.

    Args:
        path: Path of an `.npy` file.
        compute: Function without arguments that returns the array.

    Returns:
        NumPy array.

    Example:

    >>> import tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "a.npy")
    >>> cached_array(path, lambda: np.arange(3)).tolist()
    [0, 1, 2]
    >>> cached_array(path, lambda: np.arange(4)).tolist()
    [0, 1, 2]
    """
    if path.is_file():
        try:
            return np.load(path)
        # NumPy has no error of its own for a damaged file.
        except (ValueError, EOFError) as error:
            warnings.warn(
                f"{path} is damaged and computed again: {error}", stacklevel=2
            )
    array = compute()
    try:
        with replacing(path) as temporary:
            np.save(temporary, array)
    except OSError as error:
        warnings.warn(
            f"{path} cannot be written, so it is computed each time: {error}",
            stacklevel=2,
        )
    return array
