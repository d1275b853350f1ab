"""Copies of remote files, made block by block as they are read."""

import itertools
import mmap
import os
import pathlib
import shutil
import threading

import filelock
import tensorflow as tf

from keras_alexnet.data.disk_cache import digest
from keras_alexnet.disk import cache_folder
from keras_alexnet.disk import path_string

# Bytes that are asked for at once. Of a bucket whose answer begins after 50
# ms, and which then sends 100 MB/s, half of the time is spent waiting.
BLOCK = 2**22

# What holds the records of a set; its other files are small.
RECORDS = ".tfrecord"
# A byte for each block of all copies, which says whether it is there.
STATE = ".blocks"
# Threads that wait for different blocks seldom wait for the same lock.
LOCKS = 64


class BlockCopies:
    """A folder of this machine that fills with a remote folder's records.

    It looks like the remote one. Small files are copied at once. A file of
    records is, in the beginning, a hole of its size; each block that is read
    for the first time is copied into it. So random order costs a request for
    a block, not for a record, and what was read once is read from this
    machine, by later runs, too.

    Threads and processes share the copies. When the remote files change, new
    copies take the place of the old ones.

    Args:
        remote: String, a folder in one of TensorFlow's file systems, such as
            `"gs://bucket/imagenet"`.
        folder: Path of a folder on this machine, in which the copies get one
            of their own. Defaults to `keras_alexnet` in Keras's own folder
            (`KERAS_HOME`, else `~/.keras`).
        block: Integer, bytes. Defaults to 4 MiB.

    Attributes:
        folder: String, the folder that looks like the remote one.

    Raises:
        ValueError: If there is no such remote folder.
        OSError: If the disk has no room for all that is not copied yet.

    Example:

    >>> import tempfile
    >>> for name in ("labels.txt", "a.tfrecord-0"):
    ...     with tf.io.gfile.GFile(f"ram://copied/{name}", "w") as file:
    ...         file.write("0123456789")
    >>> copies = BlockCopies("ram://copied", tempfile.mkdtemp(), block=4)
    >>> sorted(os.listdir(copies.folder))
    ['.blocks', 'a.tfrecord-0', 'labels.txt']
    >>> path = os.path.join(copies.folder, "a.tfrecord-0")
    >>> copies.fetch(path, start=5, length=2)
    >>> open(path, "rb").read()
    b'\\x00\\x00\\x00\\x004567\\x00\\x00'
    """

    def __init__(self, remote, folder=None, block=None):
        self._remote = path_string(remote).rstrip("/")
        self._block = block = block or BLOCK
        self._locks = [threading.Lock() for _ in range(LOCKS)]
        if not tf.io.gfile.isdir(self._remote):
            raise ValueError(f"There is no folder {self._remote}")
        stats = _stats(self._remote)
        self._versions = {
            name: f"{stat.length} {stat.mtime_nsec}"
            for name, stat in stats.items()
        }
        self._sizes = {
            name: stat.length for name, stat in stats.items() if RECORDS in name
        }
        # Where the blocks of each file begin among those of all.
        blocks = [-(-size // block) for size in self._sizes.values()]
        firsts = itertools.accumulate(blocks, initial=0)
        self._first = dict(zip(self._sizes, firsts, strict=False))
        if folder is None:
            folder = cache_folder("keras_alexnet")
        folder = pathlib.Path(folder).expanduser().absolute()
        place = folder / f"copies-{digest(self._remote)}"
        own = place / digest(block, *self._versions.items())
        place.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(place / "lock"):
            if not own.is_dir():
                self._begin(place, own, sum(blocks))
        self.folder = os.fspath(own)
        self._present = _shared(own / STATE)
        self._check_room()

    def version(self, path):
        """String that changes when the remote file of a copy does."""
        return self._versions[os.path.basename(path)]

    def fetch(self, path, start, length):
        """Copies the blocks that hold these bytes, unless they are there.

        Args:
            path: String, of a copy.
            start, length: Integers, bytes.

        Raises:
            OSError: If the remote file has become shorter, or the disk is
                full.
        """
        name = os.path.basename(path)
        behind = -(-(start + length) // self._block)
        for number in range(start // self._block, behind):
            bit = self._first[name] + number
            if not self._present[bit]:
                with self._locks[bit % LOCKS]:
                    # Another thread may have fetched it meanwhile.
                    if not self._present[bit]:
                        self._fetch(name, number)
                        self._present[bit] = 1

    def _fetch(self, name, number):
        start = number * self._block
        expected = min(self._block, self._sizes[name] - start)
        remote = f"{self._remote}/{name}"
        with tf.io.gfile.GFile(remote, "rb") as file:
            file.seek(start)
            content = file.read(expected)
        if len(content) != expected:
            raise OSError(
                f"{remote} has changed: {len(content)} of {expected} bytes are "
                f"left from byte {start} on. Start again, and it is copied anew"
            )
        with open(os.path.join(self.folder, name), "r+b") as file:
            file.seek(start)
            file.write(content)
            # Without power, a block must not be missing that seems present.
            _to_disk(file)

    def _begin(self, place, own, blocks):
        """Makes the folder; the caller holds the lock of its place."""
        for path in place.iterdir():
            # Copies of what the files were, or what a killed process began.
            if path.is_dir():
                shutil.rmtree(path)
        begun = place / "begun"
        begun.mkdir()
        for name in self._versions:
            if name not in self._sizes:
                tf.io.gfile.copy(
                    f"{self._remote}/{name}", os.fspath(begun / name)
                )
        for name, size in self._sizes.items():
            with open(begun / name, "wb") as file:
                file.truncate(size)
        with open(begun / STATE, "wb") as file:
            # No hole: a full disk would kill who writes to it by `mmap`, which
            # cannot do without a byte.
            file.write(bytes(max(1, blocks)))
            _to_disk(file)
        begun.rename(own)

    def _check_room(self):
        missing = sum(
            min(self._block, size - start)
            for name, size in self._sizes.items()
            for number, start in enumerate(range(0, size, self._block))
            if not self._present[self._first[name] + number]
        )
        free = shutil.disk_usage(self.folder).free
        if missing > free:
            raise OSError(
                f"{self.folder} must have room for {missing / 1e9:.1f} GB, "
                f"what is not copied yet of {self._remote}. It has "
                f"{free / 1e9:.1f} GB. Set `KERAS_HOME` to a folder of "
                "another disk"
            )


def _stats(remote):
    """Dict from the names of a remote folder's files to what they are."""
    stats = {}
    for name in sorted(tf.io.gfile.listdir(remote)):
        # Some file systems end the names of folders so.
        path = f"{remote}/{name}"
        if "/" not in name and not tf.io.gfile.isdir(path):
            stats[name] = tf.io.gfile.stat(path)
    return stats


def _to_disk(file):
    file.flush()
    os.fsync(file.fileno())


def _shared(path):
    """The bytes of a file, which all processes see change."""
    with open(path, "r+b") as file:
        return mmap.mmap(file.fileno(), 0)
