import contextlib
import os


@contextlib.contextmanager
def replacing(path):
    """A file is written in full, or not at all.

    Args:
        path: Path of the file to write or to replace.

    Yields:
        Path beside it, to write to. If the block ends well, that file becomes
        `path`; else it is removed, and what was at `path` is still there.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "x")
    >>> with replacing(path) as temporary:
    ...     _ = open(temporary, "w").close()
    >>> os.path.exists(path), os.path.exists(temporary)
    (True, False)
    """
    folder, name = os.path.split(os.path.abspath(path))
    # The ending stays: some writers go by it, or add it.
    temporary = os.path.join(folder, f".{os.getpid()}-{name}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
