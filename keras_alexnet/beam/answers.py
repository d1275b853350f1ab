"""A network's answers to the images of a split, each file one task."""

import dataclasses
import os
import typing
import uuid

import numpy as np
import tensorflow as tf

from keras_alexnet.beam.files import read_lines
from keras_alexnet.beam.files import reading
from keras_alexnet.beam.files import writing
from keras_alexnet.beam.finished import check_positive
from keras_alexnet.beam.finished import check_written
from keras_alexnet.beam.finished import claim
from keras_alexnet.beam.finished import cut
from keras_alexnet.beam.finished import shard_name
from keras_alexnet.beam.pipeline import import_beam
from keras_alexnet.beam.pipeline import once
from keras_alexnet.beam.pipeline import run_shards
from keras_alexnet.data import evaluation_data
from keras_alexnet.data import image_size
from keras_alexnet.disk import is_remote
from keras_alexnet.disk import path_string
from keras_alexnet.evaluation import Errors
from keras_alexnet.evaluation import answers
from keras_alexnet.evaluation import read_answers
from keras_alexnet.evaluation import write_answers
from keras_alexnet.evaluation.views import VIEWS
from keras_alexnet.models import dense_network
from keras_alexnet.parquet import import_pyarrow

# Images in a file: 33 MB of the probabilities of 1,000 classes.
IMAGES_PER_SHARD = 8192


class Part(typing.NamedTuple):
    """A file of answers, the views, and which examples it is of."""

    file: str
    views: str
    start: int
    stop: int


class AnswerShards:
    """Writes files of answers, one at a call: `write` of `run_shards`.

    The network is loaded, and the source opened, when the first file is
    written, once in a process. A file that exists is not written again.

    Args:
        load, open_source, split, batch_size, order, scales: As of
            `evaluate_split`.

    Call arguments:
        part: A `Part`.

    Returns:
        List of strings: the name of each damaged image, a tab, and what is
        wrong with it.
    """

    def __init__(self, load, open_source, split, batch_size, order, scales):
        self._load = load
        self._open_source = open_source
        self._split = split
        self._batch_size = batch_size
        self._order = order
        self._scales = scales
        # What `claim` returns, before the first call.
        self.check = None
        # The same in each process to which this object is sent.
        self._key = uuid.uuid4().hex

    def model_and_source(self):
        """The network and the `Source` of this process."""
        return once(self._key, lambda: (self._load(), self._open_source()))

    def __call__(self, part):
        if not tf.io.gfile.exists(part.file):
            self._write(part)
        with reading(part.file) as file:
            _, _, damage = read_answers(file, part.views, ())
        return [f"{n}\t{' '.join(w.split())}" for n, w in damage.items()]

    def _write(self, part):
        model, source = self.model_and_source()
        chosen = source.split(self._split).subset(
            np.arange(part.start, part.stop)
        )
        data = evaluation_data(
            dataclasses.replace(source, splits={self._split: chosen}),
            self._split,
            batch_size=self._batch_size,
            resize=max(self._scales) if self._scales else image_size(model),
        )
        found = answers(
            dense_network(model) if part.views == "dense" else model,
            data,
            part.views,
            source.class_names,
            self._order,
            self._scales,
        )
        with writing(part.file) as temporary:
            write_answers(temporary, found, chosen.names(), source.damaged)
            self.check()


def evaluate_split(
    load,
    open_source,
    output,
    split="test",
    views=("center",),
    batch_size=32,
    shards=None,
    order="cuda-convnet",
    scales=None,
    version="",
    options=(),
):
    """Errors of a network on a split, by the workers of a Beam runner.

    Both the answers and the errors are those of
    `keras_alexnet.evaluation.answers`, bit for bit, on machines of the same
    kind. The answers are written to `answers-center-00000-of-00008.parquet`
    and so on, see `keras_alexnet.evaluation.write_answers`; what an
    interrupted run has finished is not computed again.

    Args:
        load: Function without arguments that `pickle` takes, and that returns
            the network: `functools.partial(load_network, "imagenet")`.
        open_source: Such a function that returns the `Source`:
            `functools.partial(load_source, "/mnt/imagenet")`. Both are called
            once in each worker process, and once in this one.
        output: String, such as `"answers.parquet"`, from which the names are
            made. It may be one of TensorFlow's remote paths.
        split: String. Defaults to `"test"`.
        views: Sequence of names of views, see `predict_views`. Defaults to
            the center alone.
        batch_size: Integer, images at a time. Defaults to `32`.
        shards: Integer, files of each kind of views, and tasks for the
            workers. Defaults to one for each 8,192 images.
        order, scales: As of `predict_views`.
        version: String that changes when the weights do. Defaults to `""`.
        options: As of `run_shards`.

    Returns:
        Tuple of a list of `Errors`, one for each kind of views, and a list of
        strings: the damaged images, judged as far as they can be decoded.

    Raises:
        ImportError: If Apache Beam, or pyarrow, is not installed.
        ValueError: As of `answers`; if `output` does not end in `.parquet`, or
            its files are of another evaluation; as of `run_shards`.
        RuntimeError: As of `run_shards`.

    Example:

    >>> evaluate_split(load=None, open_source=None, output="answers.csv")
    Traceback (most recent call last):
    ValueError: `output` must end in .parquet. Received: output='answers.csv'
    """
    output = path_string(output)
    stem, ending = os.path.splitext(output)
    if ending != ".parquet":
        raise ValueError(
            f"`output` must end in .parquet. Received: output={output!r}"
        )
    if isinstance(views, str) or not views or not set(views) <= VIEWS.keys():
        raise ValueError(
            f"`views` must be one or more of {tuple(VIEWS)}. "
            f"Received: views={views!r}"
        )
    check_positive("batch_size", batch_size)
    if shards is not None:
        check_positive("shards", shards)
    import_beam()
    import_pyarrow()
    stem = stem if is_remote(stem) else os.path.abspath(stem)
    write = AnswerShards(load, open_source, split, batch_size, order, scales)
    _, source = write.model_and_source()
    plan = _plan(stem, source.split(split).count, batch_size, shards, views)
    settings = {
        "split": split,
        "examples": source.fingerprint,
        "views": list(views),
        "batch_size": batch_size,
        "shards": len(plan) // len(views),
        "order": order,
        "scales": scales and list(scales),
        "version": version,
    }
    write.check = claim(stem, settings, [part.file for part in plan])
    problems = f"{stem}-problems.txt"
    run_shards(write, plan, problems, options)
    write.check()
    check_written([part.file for part in plan])
    errors = [
        _errors([p for p in plan if p.views == kind], source.class_names)
        for kind in views
    ]
    return errors, list(dict.fromkeys(read_lines(problems)))


def _plan(stem, count, batch_size, shards, views):
    parts = cut(count, batch_size, shards or -(-count // IMAGES_PER_SHARD))
    return [
        Part(
            shard_name(f"{stem}-{kind}", number, len(parts), ".parquet"),
            kind,
            start,
            stop,
        )
        for kind in views
        for number, (start, stop) in enumerate(parts)
    ]


def _errors(parts, class_names):
    """The `Errors` of files, of which one is in memory at a time."""
    found = []
    for part in parts:
        with reading(part.file) as file:
            answered, _, _ = read_answers(file, part.views, class_names)
        found.append(answered.errors())
    return Errors(
        *(
            np.concatenate([getattr(one, name) for one in found])
            for name in ("labels", "top1_wrong", "top5_wrong")
        ),
        parts[0].views,
        tuple(class_names),
    )
