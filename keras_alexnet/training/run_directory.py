"""A directory that belongs to one training, and remembers which."""

import contextlib
import json
import os
import pathlib

import filelock

from keras_alexnet.disk import replacing

# What a directory holds that an earlier version, or another program, made.
TRACES = ("backup", "history.csv", "alexnet.keras")


@contextlib.contextmanager
def run_directory(directory, settings):
    """Keeps other processes and other trainings out of a directory.

    What was asked for is written to `settings.json` at the first time, and
    compared at the next.

    Args:
        directory: Path, made if need be.
        settings: Dict that JSON can hold: all that the training depends on.

    Yields:
        `pathlib.Path` of the directory.

    Raises:
        ValueError: If the directory is of a training with other settings; the
            message lists the differences.
        RuntimeError: If another process writes the directory now.

    Example:

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> for rate in (0.01, 0.1):
    ...     with run_directory(folder, {"recipe": {"learning_rate": rate}}):
    ...         pass
    Traceback (most recent call last):
    ValueError: ... is of another training. ...
      recipe.learning_rate: 0.01 there, 0.1 asked for
    """
    directory = pathlib.Path(directory)
    _make_writable(directory)
    lock = filelock.FileLock(directory / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RuntimeError(
            f"Another process is training in {directory}. Wait for it, or "
            "give another directory."
        ) from None
    try:
        _compare(directory, json.loads(json.dumps(settings)))
        yield directory
    finally:
        lock.release()


def _make_writable(directory):
    try:
        directory.mkdir(parents=True, exist_ok=True)
        writable = os.access(directory, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise PermissionError(
            f"`directory` must be a folder that can be written to. Received: "
            f"directory={str(directory)!r}"
        )


def _compare(directory, settings):
    path = directory / "settings.json"
    if not path.exists():
        traces = [name for name in TRACES if (directory / name).exists()]
        if traces:
            raise ValueError(
                f"{directory} holds {', '.join(traces)} but no settings.json: "
                "it is of an earlier version, or of something else. Give "
                "another directory."
            )
        with replacing(path) as temporary:
            pathlib.Path(temporary).write_text(json.dumps(settings, indent=1))
        return
    try:
        kept = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged ({error}). Give another directory."
        ) from error
    differences = list(_differences(kept, settings))
    if differences:
        lines = "".join(f"\n  {line}" for line in differences)
        raise ValueError(
            f"{directory} is of another training. Give another directory, or "
            f"ask for the same. They differ in:{lines}"
        )


def _differences(kept, asked, name=""):
    """Lines that say in which values two settings differ."""
    if isinstance(kept, dict) and isinstance(asked, dict):
        for key in dict.fromkeys([*kept, *asked]):
            path = f"{name}.{key}" if name else key
            there, wanted = kept.get(key), asked.get(key)
            if key in kept and key in asked:
                yield from _differences(there, wanted, path)
            elif there != wanted:
                # A field that was added later is there if it was changed.
                there = repr(there) if key in kept else "the default"
                wanted = repr(wanted) if key in asked else "the default"
                yield f"{path}: {there} there, {wanted} asked for"
    elif kept != asked:
        yield f"{name}: {kept!r} there, {asked!r} asked for"
