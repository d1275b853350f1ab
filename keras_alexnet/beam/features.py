"""Features of millions of images, in files of which each is one task."""

import hashlib
import os
import typing
import uuid

import tensorflow as tf

from keras_alexnet.beam.files import read_lines
from keras_alexnet.beam.files import reading
from keras_alexnet.beam.files import write_lines
from keras_alexnet.beam.files import writing
from keras_alexnet.beam.finished import check_positive
from keras_alexnet.beam.finished import check_written
from keras_alexnet.beam.finished import claim
from keras_alexnet.beam.finished import cut
from keras_alexnet.beam.finished import shard_name
from keras_alexnet.beam.pipeline import import_beam
from keras_alexnet.beam.pipeline import once
from keras_alexnet.beam.pipeline import run_shards
from keras_alexnet.disk import is_remote
from keras_alexnet.disk import path_string
from keras_alexnet.retrieval.feature_files import FeatureWriter
from keras_alexnet.retrieval.feature_files import check_feature_file
from keras_alexnet.retrieval.feature_files import read_problems
from keras_alexnet.retrieval.features import FeatureExtractor
from keras_alexnet.retrieval.image_reader import feature_rows

# Images in a file: 134 MB of the paper's 4,096 features.
IMAGES_PER_SHARD = 8192


class Shard(typing.NamedTuple):
    """A file of features, and where in the list of images its paths are."""

    file: str
    start: int
    size: int


class FeatureShards:
    """Writes files of features, one at a call: `write` of `run_shards`.

    The network is loaded when the first file is written, once in a process.
    A file that exists is not written again.

    Args:
        load: Function without arguments that `pickle` takes, and that returns
            the network, see `FeatureExtractor`.
        layer, batch_size: As of `FeatureExtractor`.
        listing: String, path of the text file with a line for each image.

    Call arguments:
        shard: A `Shard`.

    Returns:
        List of strings: the path of each image that cannot be read, a tab,
        and why.
    """

    def __init__(self, load, layer, batch_size, listing):
        self._load = load
        self._layer = layer
        self._batch_size = batch_size
        self._listing = listing
        # Where relative paths begin, also for workers that begin elsewhere.
        self._folder = os.getcwd()
        # What `claim` returns, before the first call.
        self.check = None
        # The same in each process to which this object is sent.
        self._key = uuid.uuid4().hex

    def extractor(self):
        """The `FeatureExtractor` of this process."""
        return once(self._key, self._build)

    def _build(self):
        return FeatureExtractor(self._load(), self._layer, self._batch_size)

    def __call__(self, shard):
        if not tf.io.gfile.exists(shard.file):
            self._write(shard)
        with reading(shard.file) as file:
            return [
                f"{path}\t{' '.join(problem.split())}"
                for path, problem in read_problems(file)
                if problem
            ]

    def _write(self, shard):
        paths = read_lines(self._listing, shard.start, shard.size)
        places = [self._absolute(path) for path in paths]
        extract = self.extractor()
        with (
            writing(shard.file) as temporary,
            FeatureWriter(temporary, extract.width) as writer,
        ):
            start = 0
            for rows, reasons in feature_rows(extract, places):
                end = start + len(rows)
                writer.add(paths[start:end], rows, reasons)
                start = end
            self.check()

    def _absolute(self, path):
        return path if is_remote(path) else os.path.join(self._folder, path)


def extract_features(
    paths,
    output,
    load,
    layer="fc7",
    batch_size=32,
    shards=None,
    version="",
    options=(),
):
    """Features of image files, computed by the workers of a Beam runner.

    The rows are those of `feature_rows`, bit for bit, on machines of the same
    kind: the list is cut between batches, so each image has the neighbors
    that it has in one process. They are written to
    `features-00000-of-00008.parquet` and so on, in the order of `paths`. What
    an interrupted run has finished is not computed again.

    Beside these files are `features-images.txt`, the paths;
    `features-problems.txt`, which images cannot be read, and why; and
    `features.json`, what was asked for.

    Args:
        paths: List of strings, of files that all workers can read;
            TensorFlow's remote paths (`gs://...`) are among them.
        output: String, such as `"features.parquet"` or
            `"gs://bucket/features.tfrecord"`, from which the names are made.
            See `FeatureWriter` for the columns.
        load: Function without arguments that `pickle` takes, and that returns
            the network: `functools.partial(load_network, "imagenet")`. It is
            called once in each worker process, and once in this one.
        layer: As of `FeatureExtractor`. Defaults to `"fc7"`.
        batch_size: Integer, images at a time. Defaults to `32`. The last
            digits of the features may depend on it.
        shards: Integer, files to write, and tasks for the workers. Defaults
            to one for each 8,192 images.
        version: String that changes when the weights do, or the images.
            Defaults to `""`.
        options: As of `run_shards`.

    Returns:
        Dict of `"files"`, the paths; `"images"`, their number; `"width"`,
        numbers per image; and `"problems"`, a list of strings.

    Raises:
        ImportError: If Apache Beam, or pyarrow, is not installed.
        ValueError: As of `FeatureExtractor`; if there are no images, none can
            be read, or the files of another extraction have these names; as
            of `run_shards`.
        RuntimeError: As of `run_shards`.

    Example:

    >>> extract_features([], "features.parquet", load=None)
    Traceback (most recent call last):
    ValueError: `paths` must name one image or more. Received: none
    """
    paths = [path_string(path) for path in paths]
    output = path_string(output)
    _check(paths, output, batch_size, shards)
    import_beam()
    if not is_remote(output):
        output = os.path.abspath(output)
    stem, ending = os.path.splitext(output)
    listing, problems = f"{stem}-images.txt", f"{stem}-problems.txt"
    plan = _plan(paths, stem, ending, batch_size, shards)
    write = FeatureShards(load, layer, batch_size, listing)
    # Finds wrong arguments here, rather than on all workers.
    width = write.extractor().width
    settings = {
        "layer": layer,
        "batch_size": batch_size,
        "shards": len(plan),
        "version": version,
        "images": _digest(paths),
    }
    write.check = claim(stem, settings, [shard.file for shard in plan])
    write_lines(paths, listing)
    run_shards(write, plan, problems, options)
    write.check()
    check_written([shard.file for shard in plan])
    found = read_lines(problems)
    if len(found) == len(paths):
        raise ValueError(
            f"No image can be read. The first: {found[0]}. If it is sound, the "
            f"workers do not see it; remove {plan[0].file} and its like then"
        )
    return {
        "files": [shard.file for shard in plan],
        "images": len(paths),
        "width": width,
        "problems": found,
    }


def _check(paths, output, batch_size, shards):
    if not paths:
        raise ValueError("`paths` must name one image or more. Received: none")
    check_positive("batch_size", batch_size)
    if shards is not None:
        check_positive("shards", shards)
    for path in paths:
        if "\n" in path:
            raise ValueError(
                "Paths must not have line breaks. Rename the file. "
                f"Received: {path!r}"
            )
    check_feature_file(output, paths)


def _plan(paths, stem, ending, batch_size, shards):
    """The `Shard`s; each holds whole batches, but for the last of all."""
    parts = cut(
        len(paths), batch_size, shards or -(-len(paths) // IMAGES_PER_SHARD)
    )
    plan, first = [], 0
    for number, (start, stop) in enumerate(parts):
        size = sum(len(os.fsencode(path)) + 1 for path in paths[start:stop])
        file = shard_name(stem, number, len(parts), ending)
        plan.append(Shard(file, first, size))
        first += size
    return plan


def _digest(paths):
    hashed = hashlib.blake2b(digest_size=16)
    for path in paths:
        hashed.update(os.fsencode(path) + b"\n")
    return hashed.hexdigest()
