"""Snapshots: arrays and a position in training, in files that are complete."""

import contextlib
import errno
import json
import os
import pathlib
import shutil
import time
import warnings
import zipfile

import numpy as np

# What reading a torn, truncated or altered file raises. A file whose end is
# missing can also make `zipfile` seek to before its beginning, see `read`.
DAMAGE = (EOFError, ValueError, KeyError, zipfile.BadZipFile)
FULL = (errno.ENOSPC, errno.EDQUOT)
# Errors of a network file system that often pass.
PASSING = (errno.EIO, errno.ESTALE, errno.ETIMEDOUT)
READ_ATTEMPTS = 3


class Snapshots:
    """The last snapshot of a directory and the one before it.

    A new one is written beside them, flushed to the disk and only then renamed,
    so a process can be killed at any moment. Every array carries a checksum.
    Arrays are not compressed: AlexNet's weights and velocities, 488 MB, would
    hardly become smaller. While one is written the directory holds three, 1.5
    GB then; otherwise two.

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
        # Always of this name, unlike the files of `disk.replacing`: what a
        # killed process has left of it is overwritten, not kept.
        self._new = self.directory / "backup.new.npz"
        self._last_is_damaged = False

    def check_writable(self):
        """Makes the directory, and sees whether a file can be made in it.

        Raises:
            OSError: If not. The message names the directory.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._new.touch()
            self._new.unlink()
        except OSError as error:
            if error.errno in FULL:
                return  # `write` says what is needed.
            raise OSError(
                error.errno,
                "`directory` must be a folder that backups can be written to "
                f"({error.strerror}). Received: "
                f"directory={str(self.directory)!r}",
            ) from error

    def write(self, arrays, position):
        """Writes a snapshot; the last one becomes the previous one.

        Args:
            arrays: Dict of name to NumPy array.
            position: Anything that JSON can hold, and numbers of any library.

        Raises:
            OSError: If it cannot be written, such as on a full disk. What
                was there stays, and no part of the new one is left.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        text = json.dumps(position, default=_plain)
        try:
            with open(self._new, "wb") as file:
                np.savez(file, **{"": text}, **arrays)
                file.flush()
                os.fsync(file.fileno())
            if self.last.exists() and not self._last_is_damaged:
                os.replace(self.last, self.previous)
            os.replace(self._new, self.last)
        except OSError as error:
            size = sum(array.nbytes for array in arrays.values())
            message = self._not_written(error, size)
            with contextlib.suppress(OSError):
                self._new.unlink()
            raise OSError(error.errno, message) from error
        self._last_is_damaged = False
        _flush_directory(self.directory)

    def read(self):
        """The last snapshot, or if it is damaged the previous one.

        Returns:
            Pair of arrays and position as they were written, or `None` where
            nothing was.

        Raises:
            OSError: If there are snapshots, all of them damaged; or if one
                cannot be read now, which says nothing about what it holds.
        """
        damaged = []
        for path in (self.last, self.previous):
            try:
                return _read(path)
            except FileNotFoundError:
                continue
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

    def _not_written(self, error, size):
        message = f"The backup {self.last} could not be written"
        if error.errno not in FULL:
            return f"{message} ({error.strerror})."
        # Before the part that was written is removed, so that counts too.
        free = shutil.disk_usage(self.directory).free
        with contextlib.suppress(OSError):
            free += self._new.stat().st_size
        return (
            f"{message} ({error.strerror}): it needs {_megabytes(size)}, and "
            f"{_megabytes(free)} are free. The directory holds three of them "
            "while one is written."
        )


def _read(path):
    """Arrays and position of a file, tried again where an error may pass."""
    for attempt in range(READ_ATTEMPTS):
        try:
            with np.load(path) as file:
                arrays = {name: file[name] for name in file.files}
            return arrays, json.loads(str(arrays.pop("")))
        except FileNotFoundError:
            raise
        except OSError as error:
            # Without a number it is of `zipfile` or NumPy; EINVAL is a seek
            # to before the beginning.
            if error.errno in (None, errno.EINVAL):
                raise EOFError(str(error)) from error
            if error.errno in PASSING and attempt + 1 < READ_ATTEMPTS:
                time.sleep(1 + attempt)
                continue
            raise OSError(
                error.errno,
                f"The backup {path} cannot be read now ({error.strerror}). It "
                "need not be damaged: start again when the disk and the "
                "permissions are in order.",
            ) from error


def _megabytes(size):
    return f"{size / 1e6:,.1f} MB"


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
