"""Which files are finished, and of what: the same as in the last run?"""

import functools
import json
import os
import re

import tensorflow as tf

from keras_alexnet.beam.files import write_lines
from keras_alexnet.data.record_shards import UNFINISHED
from keras_alexnet.disk import is_remote

# What `shard_name` adds to the name of the output.
NUMBERED = re.compile(r"-\d{5}-of-\d{5}\.\w+$")


def cut(count, batch_size, shards):
    """Divides examples into parts of whole batches, as equal as can be.

    Args:
        count: Integer, examples.
        batch_size: Integer.
        shards: Integer, how many parts; fewer if there are fewer batches.

    Returns:
        List of tuples of two integers: the first example, and the one after
        the last.

    Example:

    >>> cut(10, batch_size=3, shards=2)
    [(0, 6), (6, 10)]
    """
    batches = -(-count // batch_size)
    shards = min(shards, batches)
    ends = [
        min(count, batches * number // shards * batch_size)
        for number in range(shards + 1)
    ]
    return list(zip(ends[:-1], ends[1:], strict=True))


def shard_name(stem, number, total, ending):
    """The path of one of several files.

    Example:

    >>> shard_name("features", 0, 8, ".parquet")
    'features-00000-of-00008.parquet'
    """
    return f"{stem}-{number:05d}-of-{total:05d}{ending}"


def check_positive(name, value):
    """Refuses what is no positive integer.

    Args:
        name: String, the argument.
        value: What came.

    Raises:
        ValueError: If `value` is none.
    """
    right = isinstance(value, int) and not isinstance(value, bool)
    if not right or value < 1:
        raise ValueError(
            f"`{name}` must be a positive integer. Received: {name}={value!r}"
        )


def claim(stem, settings, files):
    """Notes what is asked for; refuses files that were made of something else.

    What a killed worker was writing is removed, unless the folder is remote:
    there, a file appears when it is whole.

    Args:
        stem: String, where the names of all files begin. The settings are
            written to `stem` with the ending `.json`.
        settings: Dict that JSON can hold: all that the files depend on.
        files: List of strings, the paths that will be written.

    Returns:
        Function without arguments that `pickle` takes, to be called before a
        file gets its name, and at the end. It raises a `RuntimeError` if
        another run has been begun meanwhile with the same names.

    Raises:
        ValueError: If files with such names are of other settings; the
            message lists the differences. If `stem` with the ending `.json`
            is no such list of settings.
    """
    report = f"{stem}.json"
    there = _read_settings(report)
    if there is None or (there and not settings.keys() <= there.keys()):
        raise ValueError(
            f"{report} would be replaced, and is not of such a run. Give "
            "another `output`, or move it"
        )
    differences = [
        f"  {name}: {there.get(name)} there, {value} asked for"
        for name, value in settings.items()
        if there.get(name) != value
    ]
    folder = os.path.dirname(stem)
    names = {os.path.basename(file) for file in files}
    present = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else ()
    stems = {NUMBERED.sub("", name) for name in names}
    found = sorted(
        name
        for name in present
        if NUMBERED.search(name) and NUMBERED.sub("", name) in stems
    )
    if found and differences:
        raise ValueError(
            f"{os.path.join(folder, found[0])} is of another run. Give another "
            "`output`, or remove its files:\n" + "\n".join(differences)
        )
    write_lines(json.dumps(settings, indent=1).splitlines(), report)
    for name in () if is_remote(folder) else present:
        if UNFINISHED.fullmatch(name) and name[18:] in names:
            tf.io.gfile.remove(os.path.join(folder, name))
    return functools.partial(_check_claim, report, settings)


def _read_settings(report):
    """The dict in a file, empty without a file; `None` if it holds none."""
    if not tf.io.gfile.exists(report):
        return {}
    with tf.io.gfile.GFile(report, "rb") as file:
        try:
            found = json.loads(file.read())
        except ValueError:
            return None
    return found if isinstance(found, dict) and found else None


def _check_claim(report, settings):
    if _read_settings(report) != settings:
        raise RuntimeError(
            f"Another run was begun meanwhile, and {report} is of it now. "
            "Give each its own `output`"
        )


def check_written(files):
    """Refuses to go on where a file is not there.

    Args:
        files: List of strings, paths.

    Raises:
        RuntimeError: If one is missing.
    """
    for file in files:
        if not tf.io.gfile.exists(file):
            raise RuntimeError(
                f"The pipeline ended well, and {file} is not there. Do all "
                "workers write to the same place?"
            )
