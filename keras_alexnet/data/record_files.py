"""Records by position, in files of records."""

import array
import hashlib
import mmap
import os
import pathlib
import struct
import zipfile

import numpy as np

from keras_alexnet.data.disk_cache import cache_path
from keras_alexnet.data.disk_cache import cached_array
from keras_alexnet.disk import replacing

# Where a set keeps the lengths of its records, so that nobody has to look for
# them in the files.
NAME = "record_lengths.npz"

# How a record of a TFRecord file begins.
LENGTH = struct.Struct("<Q")
# 8 bytes of length and 4 of checksum before a record, 4 behind.
BEFORE, BEHIND = 12, 4


class RecordFiles:
    """TFRecord files of one folder, whose records are read in any order.

    Args:
        paths: List of strings, the files, in their order.
        copies: `BlockCopies` of the folder, if the files are copies that are
            not whole yet.

    Example:

    >>> import tempfile, tensorflow as tf
    >>> path = os.path.join(tempfile.mkdtemp(), "a.tfrecord")
    >>> with tf.io.TFRecordWriter(path) as writer:
    ...     for record in (b"one", b"three"):
    ...         writer.write(record)
    >>> files = RecordFiles([path])
    >>> positions = files.positions(2)
    >>> positions.tolist()
    [[0, 12, 3], [0, 31, 5]]
    >>> files.read(*positions[1])
    b'three'
    """

    def __init__(self, paths, copies=None):
        self._paths = list(paths)
        self._copies = copies

    @property
    def versions(self):
        """List of strings that change when the files do."""
        if self._copies is not None:
            return [self._copies.version(path) for path in self._paths]
        stats = [os.stat(path) for path in self._paths]
        return [f"{stat.st_size} {stat.st_mtime_ns}" for stat in stats]

    def read(self, number, start, length):
        """The bytes of a record.

        Args:
            number: Integer, of the file.
            start, length: Integers, from a row of `positions`.

        Returns:
            Bytes.
        """
        path = self._paths[number]
        if self._copies is not None:
            self._copies.fetch(path, start, length)
        with open(path, "rb", buffering=0) as records:
            records.seek(start)
            return records.read(length)

    def positions(self, count):
        """Where the records are.

        Args:
            count: Integer, how many there must be.

        Returns:
            int64 array of shape `(count, 3)`: file, start, length. It is
            what `write_lengths` has stored of these files; else it is found
            in them, and kept on this machine.

        Raises:
            ValueError: If there are more or fewer records, or a file does
                not end with one.
        """
        sizes = [os.path.getsize(path) for path in self._paths]
        found = _stored_positions(self._paths, sizes)
        if found is None:
            path = cache_path("records", *self._paths, *self.versions)
            found = cached_array(path, lambda: self._find(sizes))
        if len(found) != count:
            raise ValueError(
                f"{self._paths[0]} and its like hold {len(found)} records, "
                f"but dataset_info.json says {count}: a file is truncated or "
                "missing"
            )
        return found

    def _find(self, sizes):
        if self._copies is not None:
            for path, size in zip(self._paths, sizes, strict=True):
                self._copies.fetch(path, 0, size)
        return find_positions(self._paths)


def find_positions(paths):
    """Looks for the records of files.

    Args:
        paths: List of paths.

    Returns:
        int64 array `(records, 3)`: file, start, length.

    Raises:
        ValueError: If a file does not end with a record.
    """
    # A list of a million tuples would take several times the memory.
    found = array.array("q")
    for number, path in enumerate(paths):
        if os.path.getsize(path):
            found.extend(_records_of(path, number))
    return np.frombuffer(found, "int64").reshape(-1, 3)


def _records_of(path, number):
    """The numbers `number, start, length` of each record, one after another."""
    offset, size = 0, os.path.getsize(path)
    with (
        open(path, "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as records,
    ):
        while offset + BEFORE <= size:
            (length,) = LENGTH.unpack_from(records, offset)
            yield from (number, offset + BEFORE, length)
            offset += BEFORE + length + BEHIND
    if offset != size:
        raise ValueError(
            f"{path} is truncated or no file of records: its last record "
            f"would end at byte {offset} of {size}"
        )


def write_lengths(folder, paths):
    """Stores in a folder how long the records of its files are.

    Args:
        folder: Path.
        paths: List of paths of files in it.

    Raises:
        ValueError: If a file does not end with a record.
    """
    positions = find_positions(paths)
    with replacing(pathlib.Path(folder) / NAME) as temporary:
        np.savez(
            temporary,
            names=[pathlib.Path(path).name for path in paths],
            bytes=[os.path.getsize(path) for path in paths],
            counts=np.bincount(positions[:, 0], minlength=len(paths)),
            lengths=positions[:, 2],
        )


def stored_order(paths):
    """What changes with the order of records whose lengths are stored.

    Args:
        paths: List of strings, files of one folder.

    Returns:
        List of a string, or none where `write_lengths` stored nothing of
        these files.
    """
    found = _stored_positions(paths, [os.path.getsize(path) for path in paths])
    if found is None:
        return []
    return [hashlib.blake2b(found.tobytes(), digest_size=16).hexdigest()]


def _stored_positions(paths, sizes):
    """What `write_lengths` knows of files of these sizes, or `None`."""
    stored = os.path.join(os.path.dirname(paths[0]), NAME)
    if not os.path.isfile(stored):
        return None
    try:
        with np.load(stored) as arrays:
            names, ends = arrays["names"].tolist(), arrays["counts"].cumsum()
            known, lengths = arrays["bytes"].tolist(), arrays["lengths"]
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{stored} is damaged ({error}). Remove it, and the records are "
            "looked for"
        ) from error
    where = {name: i for i, name in enumerate(names)}
    parts = []
    for number, (path, size) in enumerate(zip(paths, sizes, strict=True)):
        i = where.get(os.path.basename(path))
        if i is None or known[i] != size:
            return None
        own = lengths[ends[i - 1] if i else 0 : ends[i]]
        behind = np.cumsum(own + BEFORE + BEHIND)
        starts = behind - own - BEHIND
        if behind.size and behind[-1] != size:
            return None
        parts.append(np.stack([np.full_like(own, number), starts, own], 1))
    return np.concatenate(parts)
