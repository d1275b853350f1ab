"""Errors of files that say which file is meant, and why it was read."""

import contextlib


@contextlib.contextmanager
def explained(path, reason):
    """Puts a path and a reason before the error of what reads the file.

    Args:
        path: Path of the file.
        reason: String, what is true of the file if there is an error.

    Raises:
        ValueError: In place of one that the block raises.

    Example:

    >>> with explained("net.pth", "is no network"):
    ...     raise ValueError("It lacks `conv1`.")
    Traceback (most recent call last):
    ValueError: net.pth is no network. It lacks `conv1`.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path} {reason}. {error}") from error
