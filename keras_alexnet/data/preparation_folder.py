"""A folder that belongs to one preparation, and remembers which."""

import contextlib
import json
import pathlib
import shutil

from keras_alexnet.disk import replacing

REPORT = "preparation.json"
# Results of finished shards, until all are.
WORKING = ".preparation"


@contextlib.contextmanager
def preparation_folder(output, settings):
    """Keeps other processes, and other preparations, out of a folder.

    Args:
        output: `pathlib.Path`.
        settings: Dict that JSON can hold: all that the bytes depend on.
            `"names"` are compared while it is unfinished, `"examples"` when
            it is finished: until then, images may be repaired.

    Yields:
        The report, if the preparation is finished, else `None`. If the block
        ends well, what was kept for the case of an interruption is removed.

    Raises:
        ValueError: If the folder holds anything else; the message lists the
            differences.
        RuntimeError: If another process prepares it now.
    """
    import filelock

    report = output / REPORT
    if not report.exists() and output.is_dir():
        strange = [p.name for p in output.iterdir() if p.name != WORKING]
        if strange:
            raise ValueError(
                f"`output` must be an empty folder. {output} holds "
                f"{sorted(strange)[0]!r}"
            )
    working = output / WORKING
    working.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(working / "lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise RuntimeError(
            f"Another process prepares {output}. Wait for it, or give another "
            "folder"
        ) from None
    try:
        found = {}
        if report.exists():
            found = json.loads(report.read_text())
        finished = found if "counts" in found else None
        # Where no file is finished, another preparation may begin.
        if finished or (found and any(working.glob("*.npz"))):
            other = "names" if finished else "examples"
            _compare(output, found["settings"], settings, other)
        if not finished:
            write_json(report, {"settings": settings})
        yield finished
    finally:
        lock.release()
    # Not reached after an error: the next call needs what is in it.
    shutil.rmtree(working, ignore_errors=True)


def _compare(output, there, asked, other):
    differences = [
        f"  {name}: {there.get(name)} there, {value} asked for"
        for name, value in asked.items()
        if name != other
        and there.get(name) != value
        # What was written until an error holds all its images.
        and (name, there.get(name)) != ("on_error", "raise")
    ]
    if differences:
        raise ValueError(
            f"{output} is of another preparation. Give another folder, or ask "
            "for the same:\n" + "\n".join(differences)
        )


def write_json(path, value):
    """Writes a file of JSON for people to read, whole or not at all."""
    with replacing(path) as temporary:
        pathlib.Path(temporary).write_text(json.dumps(value, indent=1) + "\n")
