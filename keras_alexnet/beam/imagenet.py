"""ImageNet's archives to records, each file of which is one task."""

import functools
import json
import os
import pathlib

from keras_alexnet.beam.files import read_lines
from keras_alexnet.beam.files import write_lines
from keras_alexnet.beam.pipeline import beam_options
from keras_alexnet.beam.pipeline import once
from keras_alexnet.beam.pipeline import run_shards
from keras_alexnet.data import prepare_imagenet as prepare_in_one_process
from keras_alexnet.data.image_records import preparer
from keras_alexnet.data.imagenet_index import Example
from keras_alexnet.data.record_shards import Shard
from keras_alexnet.data.record_shards import read_result
from keras_alexnet.data.record_shards import write_shards


def prepare_imagenet(source, output, options=(), workers=1, **settings):
    """As `keras_alexnet.data.prepare_imagenet`, by the workers of a runner.

    Archives are checked, and the work is divided, in this process; each file
    of records is one task. All bytes of the result are those of one process,
    and a preparation that was begun in the one way can be finished in the
    other.

    `source` and `output` must be folders that all workers see by the same
    names: of one machine, of a file server, or where a bucket is mounted.

    Args:
        source, output: As of `keras_alexnet.data.prepare_imagenet`.
        options: As of `run_shards`.
        workers: Integer, threads of each task. Defaults to `1`, as runners
            give a processor to each.
        **settings: As of `keras_alexnet.data.prepare_imagenet`.

    Returns:
        Dict, as of `keras_alexnet.data.prepare_imagenet`.

    Raises:
        ValueError: As of `keras_alexnet.data.prepare_imagenet`; where an
            image cannot be decoded, when the other files are written. As of
            `run_shards`.
        OSError: If there is too little space.
        RuntimeError: As of `run_shards`.

    Example:

    >>> prepare_imagenet("downloads", "gs://bucket/imagenet")
    Traceback (most recent call last):
    ValueError: `output` must be a folder of this machine, ...
    """
    write = functools.partial(_write, options=options, workers=workers)
    return prepare_in_one_process(
        source, output, workers=workers, write=write, **settings
    )


def _write(shards, settings, options, workers):
    beam_options(options)
    if not shards:
        return
    folder = shards[0].result.resolve().parent
    plans = [_plan(shard, folder) for shard in shards]
    problems = os.fspath(folder / "problems.txt")
    run_shards(ImagenetShards(settings, workers), plans, problems, options)
    found = read_lines(problems)
    if found:
        raise ValueError(found[0])
    missing = [shard for shard in shards if read_result(shard) is None]
    if missing:
        raise RuntimeError(
            f"The pipeline ended well, and {missing[0].path} is not there. Do "
            "all workers write to the same place?"
        )


def _plan(shard, folder):
    """Writes what a task needs to know to a file; returns its path."""
    plan = {
        "split": shard.split,
        "path": os.path.abspath(shard.path),
        "result": os.path.abspath(shard.result),
        "examples": [
            example._replace(file=os.path.abspath(example.file))
            for example in shard.examples
        ],
    }
    path = os.fspath(folder / f"{shard.path.name}.json")
    write_lines([json.dumps(plan)], path)
    return path


class ImagenetShards:
    """Writes files of records, one at a call: `write` of `run_shards`.

    Args:
        settings: Dict of settings of `prepare_imagenet`.
        workers: Integer, threads.

    Call arguments:
        plan: String, path of the file that says what to write.

    Returns:
        List of strings: why the file cannot be written, empty where it is.
    """

    def __init__(self, settings, workers):
        names = ("side", "encoding", "quality", "square", "upright")
        self._of_image = {name: settings[name] for name in names}
        self._on_error = settings["on_error"]
        self._workers = workers

    def __call__(self, plan):
        (text,) = read_lines(plan)
        plan = json.loads(text)
        shard = Shard(
            plan["split"],
            pathlib.Path(plan["path"]),
            pathlib.Path(plan["result"]),
            [Example(*example) for example in plan["examples"]],
        )
        # A runner may ask again for what is done.
        if read_result(shard) is not None:
            return []
        key = json.dumps(self._of_image)
        prepare = once(key, lambda: preparer(**self._of_image))
        try:
            write_shards(
                [shard],
                prepare,
                self._of_image["side"],
                self._on_error,
                self._workers,
                lambda: None,
            )
        except ValueError as error:
            # Not raised, or else runners would try again.
            return [" ".join(str(error).split())]
        return []
