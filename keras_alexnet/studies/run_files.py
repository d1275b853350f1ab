"""The result of a training, and the file that keeps it."""

import dataclasses
import hashlib
import json
import pathlib

from keras_alexnet.disk import replacing

# How backends say that memory is exhausted; they share no class for it.
OUT_OF_MEMORY = ("out of memory", "oom when allocating", "resource_exhausted")


@dataclasses.dataclass(frozen=True)
class Run:
    """The result of one training.

    Args:
        status: `"completed"`; `"stopped"`, early, as hopeless; or `"failed"`.
        seed: Integer.
        epochs: Integer, those of the recipe.
        top1_error, top5_error: Floats in [0, 1], `None` if it failed.
        n: Integer, images judged.
        curve: Top-1 errors on the split `"holdout"` after each epoch.
        seconds: Float, of the process that finished it.
        message: String, why it failed.
        transient: Boolean, whether another attempt may succeed.
        history: Dict from the name of a loss or an error to its values, one
            per epoch.

    Example:

    >>> Run("failed", seed=0, epochs=40, message="The loss is nan").top1_error
    """

    status: str
    seed: int
    epochs: int
    top1_error: float | None = None
    top5_error: float | None = None
    n: int = 0
    curve: tuple = ()
    seconds: float = 0.0
    message: str = ""
    transient: bool = False
    history: dict = dataclasses.field(default_factory=dict)


def read_run(path):
    """The `Run` that `write_run` wrote.

    Args:
        path: Path of a JSON file.

    Returns:
        A `Run`.
    """
    kept = json.loads(pathlib.Path(path).read_text())["run"]
    history = kept.get("history", {})
    kept["curve"] = tuple(kept["curve"])
    kept["history"] = {name: tuple(history[name]) for name in history}
    return Run(**kept)


def same_setting(path, setting):
    """Whether a kept run has all values of a setting.

    Args:
        path: Path of a JSON file that `write_run` wrote.
        setting: Dict, perhaps of a part of what the run depends on.

    Returns:
        Boolean.
    """
    kept = json.loads(pathlib.Path(path).read_text())
    part = {name: kept.get(name) for name in setting}
    return setting_key(part) == setting_key(setting)


def write_run(path, run, setting):
    """Writes a `Run` and what it depends on, in full or not at all.

    Args:
        path: Path of a JSON file, in a folder that may be absent.
        run: A `Run`.
        setting: Dict that JSON can hold.

    Example:

    >>> import tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.json"
    >>> write_run(path, Run("completed", 0, 40, 0.25), {"n": 5})
    >>> read_run(path).top1_error
    0.25
    """
    text = json.dumps({"run": dataclasses.asdict(run), **setting}, indent=1)
    with replacing(path) as temporary:
        pathlib.Path(temporary).write_text(text)


def setting_key(setting):
    """A name for what a run depends on.

    Args:
        setting: Dict that JSON can hold.

    Returns:
        String of 16 characters.

    Example:

    >>> setting_key({"a": 1, "b": (2,)}) == setting_key({"b": [2], "a": 1})
    True
    """
    text = json.dumps(setting, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def is_failure(error):
    """Whether an error is a result of the network and not of the program.

    Args:
        error: An exception.

    Returns:
        Boolean, true for numbers that are not finite and exhausted memory.

    Example:

    >>> is_failure(MemoryError()), is_failure(KeyError("n"))
    (True, False)
    """
    if isinstance(error, FloatingPointError | MemoryError):
        return True
    text = str(error).lower()
    return any(words in text for words in OUT_OF_MEMORY)
