"""The files of an `ImageIndex`: parts that are complete or not there.

A folder holds `index.json`, which says what it is; `probe.npy`, by which the
network is recognized; for each part `000000.npy`, the features of some images,
and `000000.json`, their paths; and `removed.json`, the rows that no longer
count. The `.json` of a part is written last: without it the part does not
exist, so an interrupted build loses the part that it was at.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import zlib

import filelock
import numpy as np

from keras_alexnet.disk import replacing

FORMAT = "keras-alexnet image index"
VERSION = 1
HEADER, PROBE, REMOVED, LOCK = (
    "index.json",
    "probe.npy",
    "removed.json",
    ".lock",
)


@dataclasses.dataclass(frozen=True)
class Part:
    """Some images of an index.

    Args:
        features: float32 array of shape `(n, width)`, also a memory map.
        entries: List of tuples `(path, bytes, time)`: an absolute path, the
            size of the file and when it was changed, in nanoseconds.
    """

    features: np.ndarray
    entries: list


@contextlib.contextmanager
def writing(directory):
    """Keeps other processes from writing to an index.

    Args:
        directory: Path, or `None` for an index in memory.

    Raises:
        RuntimeError: If another process writes to it now.
    """
    if directory is None:
        yield
        return
    lock = filelock.FileLock(pathlib.Path(directory) / LOCK, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RuntimeError(
            f"Another process writes to the index {directory}. Wait for it, "
            "or give another directory."
        ) from None
    try:
        yield
    finally:
        lock.release()


def create(directory, layer, probe, parts=()):
    """Makes an index. Its `index.json` is written last.

    Args:
        directory: Path of a folder that is absent or empty.
        layer: String.
        probe: float32 array, the features of known images.
        parts: Iterable of `Part`s. Defaults to none.

    Raises:
        ValueError: If the folder holds something else.
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    others = {path.name for path in directory.iterdir()} - {PROBE, LOCK}
    if others:
        raise ValueError(
            "`directory` must be empty, or hold an index. Received: "
            f"{directory}, which holds {sorted(others)[0]!r}"
        )
    with replacing(directory / PROBE) as temporary:
        np.save(temporary, probe, allow_pickle=False)
    for number, part in enumerate(parts):
        write_part(directory, number, part)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "layer": layer,
        "width": probe.shape[1],
        "probe_crc32": zlib.crc32(probe),
    }
    _write_json(directory / HEADER, header)


def read_header(directory):
    """What `index.json` says, with the probe.

    Args:
        directory: Path.

    Returns:
        Dict with `"layer"`, `"width"` and `"probe"`, an array; `None` if the
        folder holds no index.

    Raises:
        ValueError: If it is damaged, or of a later version.
    """
    directory = pathlib.Path(directory)
    if not (directory / HEADER).exists():
        return None
    header = _read_json(directory / HEADER)
    with _naming_damage(directory / HEADER):
        if (header["format"], header["version"]) != (FORMAT, VERSION):
            raise ValueError(f"its version is {header['version']}")
        width, crc = int(header["width"]), header["probe_crc32"]
        layer = str(header["layer"])
    probe = _read_array(directory / PROBE, width, crc)
    return {"layer": layer, "width": width, "probe": probe}


def write_part(directory, number, part):
    """Writes a part, in full or not at all.

    Args:
        directory: Path.
        number: Integer, how many parts there are before it.
        part: A `Part`.

    Raises:
        RuntimeError: If another process has written this part.
    """
    path = pathlib.Path(directory) / f"{number:06d}"
    if path.with_suffix(".json").exists():
        raise RuntimeError(
            f"Another process has added images to the index {directory} "
            "since it was opened here. Open it again."
        )
    with replacing(path.with_suffix(".npy")) as temporary:
        np.save(temporary, part.features, allow_pickle=False)
    entries = [list(entry) for entry in part.entries]
    _write_json(
        path.with_suffix(".json"),
        {
            "features_crc32": zlib.crc32(np.ascontiguousarray(part.features)),
            "entries_crc32": _crc_of(entries),
            "entries": entries,
        },
    )


def read_parts(directory, width):
    """All parts of an index, with memory maps of their features.

    Args:
        directory: Path.
        width: Integer, numbers per image.

    Returns:
        List of `Part`s.

    Raises:
        ValueError: If one is damaged or absent; the message names the file.
    """
    directory = pathlib.Path(directory)
    numbers = [
        int(path.stem)
        for path in directory.glob("*.json")
        if path.stem.isdigit()
    ]
    return [
        _read_part(directory / f"{number:06d}", width)
        for number in range(max(numbers, default=-1) + 1)
    ]


def write_removed(directory, rows):
    """Remembers which rows no longer count.

    Args:
        directory: Path.
        rows: Set of tuples, the number of a part and of a row in it.
    """
    _write_json(pathlib.Path(directory) / REMOVED, sorted(rows))


def read_removed(directory):
    """The rows that no longer count.

    Args:
        directory: Path.

    Returns:
        Set of tuples, as of `write_removed`.
    """
    path = pathlib.Path(directory) / REMOVED
    if not path.exists():
        return set()
    with _naming_damage(path):
        return {(int(part), int(row)) for part, row in _read_json(path)}


def _read_part(path, width):
    table = path.with_suffix(".json")
    kept = _read_json(table)
    with _naming_damage(table):
        if _crc_of(kept["entries"]) != kept["entries_crc32"]:
            raise ValueError("its checksum is another")
        entries = [
            (str(name), int(size), int(time))
            for name, size, time in kept["entries"]
        ]
    features = _read_array(
        path.with_suffix(".npy"), width, kept["features_crc32"]
    )
    if len(features) != len(entries):
        raise ValueError(f"{table} is damaged: it is of another part")
    return Part(features, entries)


def _read_array(path, width, crc32):
    with _naming_damage(path):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.dtype != "float32" or array.shape[1:] != (width,):
            raise ValueError(f"it holds {array.dtype} of {array.shape}")
        found = 0
        for start in range(0, len(array), 1024):
            found = zlib.crc32(array[start : start + 1024], found)
        if found != crc32:
            raise ValueError("its checksum is another")
    return array


def _read_json(path):
    with _naming_damage(path):
        return json.loads(path.read_text("utf-8"))


def _write_json(path, value):
    with replacing(path) as temporary:
        pathlib.Path(temporary).write_text(json.dumps(value), "utf-8")


def _crc_of(entries):
    return zlib.crc32(json.dumps(entries).encode())


@contextlib.contextmanager
def _naming_damage(path):
    """Turns the many errors of damaged files into one that names the file."""
    try:
        yield
    except (ValueError, KeyError, TypeError, EOFError, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise ValueError(
            f"{os.fspath(path)} is absent or damaged, so this index cannot be "
            f"used: {error}. Remove its folder, and build it again."
        ) from error
