"""Paths, files that are written in full or not at all, and where caches are."""

import contextlib
import os
import pathlib
import re
import secrets

# "gs://bucket", also once `pathlib` has made "gs:/bucket" of it; not "C:/".
REMOTE = re.compile(r"^([a-z][a-z0-9]+):/")


def is_remote(path):
    """Whether a path is one of TensorFlow's file systems, such as `gs://`.

    Args:
        path: String or `os.PathLike`.

    Returns:
        Boolean.

    Example:

    >>> is_remote("gs://bucket/photos"), is_remote("photos")
    (True, False)
    """
    return REMOTE.match(os.fspath(path)) is not None


def path_string(path):
    """A path as a string, with both slashes of a remote one.

    Args:
        path: String or `os.PathLike`; `pathlib` leaves one slash of two.

    Returns:
        String.

    Example:

    >>> path_string(pathlib.PurePosixPath("gs://bucket/photos"))
    'gs://bucket/photos'
    >>> path_string("photos")
    'photos'
    """
    path = os.fspath(path)
    return path if "://" in path else REMOTE.sub(r"\1://", path)


@contextlib.contextmanager
def replacing(path):
    """A file is written in full, or not at all.

    Args:
        path: Path of the file to write or to replace. Missing folders are
            made.

    Yields:
        String, the path of an empty file beside it, to write to. No other
        process has that name. If the block ends well, the file is flushed to
        the disk and becomes `path`; else it is removed, and what was at
        `path` is still there.

    Raises:
        OSError: If the folder cannot be written to, or the disk is full.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "x")
    >>> with replacing(path) as temporary:
    ...     _ = open(temporary, "w").close()
    >>> os.path.exists(path), os.path.exists(temporary)
    (True, False)
    """
    folder, name = os.path.split(os.path.abspath(path))
    os.makedirs(folder, exist_ok=True)
    # The ending stays: some writers go by it, or add it.
    temporary = os.path.join(folder, f".{secrets.token_hex(8)}-{name}")
    # Fails if the name exists, be it as a link that somebody has planted.
    # Unlike `tempfile`'s, the file can be read by those who share the folder.
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        _flush(temporary, os.O_RDWR)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    # Makes the renaming outlive a loss of power, where the system can.
    if hasattr(os, "O_DIRECTORY"):
        _flush(folder, os.O_DIRECTORY)


def cache_folder(name):
    """A folder within Keras's own, `KERAS_HOME` or else `~/.keras`.

    Args:
        name: String, the folder's name.

    Returns:
        `pathlib.Path`. It need not exist.

    Example:

    >>> cache_folder("models").name
    'models'
    """
    home = os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")
    return pathlib.Path(home).expanduser() / name


def _flush(path, flags):
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
