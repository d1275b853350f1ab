"""Files that are whole or not there: arrays and a position in training."""

import json
import os
import pathlib
import warnings
import zipfile

import numpy as np
from keras import ops

# What reading a torn, truncated or altered file raises.
DAMAGE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile)


class Snapshots:
    """The last snapshot of a directory and the one before it.

    A new one is written beside them, flushed to the disk and only then
    renamed, so a process can be killed at any moment. Every array carries a
    checksum. Arrays are not compressed: AlexNet's weights and velocities, 488
    MB, are as good as random.

    Args:
        directory: Path, made when first written to.

    Example:

    >>> import tempfile
    >>> snapshots = Snapshots(tempfile.mkdtemp())
    >>> snapshots.write({"w": np.arange(3)}, {"epoch": 2})
    >>> arrays, position = snapshots.read()
    >>> arrays["w"].tolist(), position
    ([0, 1, 2], {'epoch': 2})
    """

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.last = self.directory / "backup.npz"
        self.previous = self.directory / "backup.previous.npz"
        self._last_is_damaged = False

    def write(self, arrays, position):
        """Writes a snapshot; the last one becomes the previous one.

        Args:
            arrays: Dict of name to NumPy array.
            position: Anything that JSON can hold, and numbers of any library.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        new = self.directory / "backup.new.npz"
        with open(new, "wb") as file:
            text = json.dumps(position, default=_plain)
            np.savez(file, **{"": text}, **arrays)
            file.flush()
            os.fsync(file.fileno())
        if self.last.exists() and not self._last_is_damaged:
            os.replace(self.last, self.previous)
        os.replace(new, self.last)
        self._last_is_damaged = False
        _flush_directory(self.directory)

    def read(self):
        """The last snapshot, or if it is damaged the previous one.

        Returns:
            Pair of arrays and position as they were written, or `None` where
            nothing was.

        Raises:
            OSError: If there are snapshots, all of them damaged.
        """
        damaged = []
        for path in (self.last, self.previous):
            if not path.exists():
                continue
            try:
                with np.load(path) as file:
                    arrays = {name: file[name] for name in file.files}
                return arrays, json.loads(str(arrays.pop("")))
            except DAMAGE as error:
                damaged.append(path)
                self._last_is_damaged |= path == self.last
                warnings.warn(
                    f"The backup {path} is damaged ({error}). The one before "
                    "it is used if there is one.",
                    stacklevel=2,
                )
        if damaged:
            raise OSError(
                f"All backups in {self.directory} are damaged. Delete that "
                "directory to train from the beginning."
            )
        return None


def gather(kind, variables):
    """Named arrays of variables, for a snapshot.

    Args:
        kind: String, where their names begin.
        variables: List of `keras.Variable`.

    Returns:
        Dict of `kind/index/path` to NumPy array.

    Example:

    >>> import keras
    >>> gather("model", [keras.Variable([1.0], name="w")])
    {'model/0/w': array([1.], dtype=float32)}
    """
    return {
        f"{kind}/{index}/{variable.path}": ops.convert_to_numpy(variable)
        for index, variable in enumerate(variables)
    }


def assign(kind, variables, arrays):
    """Puts into variables what `gather` took from them.

    Args:
        kind: String, as there.
        variables: List of `keras.Variable`, in the same order.
        arrays: Dict of a snapshot; it may hold other kinds.

    Raises:
        ValueError: If their number or their shapes differ.
    """
    stored = [name for name in arrays if name.startswith(f"{kind}/")]
    if len(stored) != len(variables):
        raise ValueError(
            f"The backup holds {len(stored)} variables of the {kind}, which "
            f"has {len(variables)}. Build it as it was (for columns, convert "
            "it after that with `distribution.to_columns`), or use another "
            "`directory`."
        )
    for name, variable in zip(stored, variables, strict=True):
        value = arrays[name]
        if value.shape != tuple(variable.shape):
            raise ValueError(
                f"The backup holds {name} of shape {value.shape}, but "
                f"{variable.path} has {tuple(variable.shape)}. Build the "
                "model as it was, or use another `directory`."
            )
        # NumPy stores bfloat16 as bytes without a name.
        if value.dtype.kind == "V":
            value = value.view(ops.convert_to_numpy(variable).dtype)
        variable.assign(value)


def _plain(value):
    return np.asarray(value).tolist()


def _flush_directory(directory):
    """Makes the renaming outlive a loss of power, where the system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(directory, os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
