"""Tables of features in Parquet and TFRecord files."""

import os

import numpy as np
import tensorflow as tf

from keras_alexnet.parquet import GROUP
from keras_alexnet.parquet import import_pyarrow

ENDINGS = (".parquet", ".tfrecord")


class FeatureWriter:
    """Writes a file of features: the path, the numbers, what is wrong.

    The columns are `path`, a string; `features`, `width` floats; and
    `problem`, a string that is empty unless the image cannot be read. A
    TFRecord file holds a `tf.train.Example` with these features for each
    image. The bytes depend on the rows, not on how many come at a time.

    Args:
        path: Path of the file to write, which ends in `.parquet` or
            `.tfrecord`.
        width: Integer, numbers per image.

    Raises:
        ValueError: If the path has another ending; if rows, names and
            problems are not equally many.
        ImportError: If a Parquet file is asked for, and pyarrow is not
            installed.

    Example:

    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "features.tfrecord")
    >>> with FeatureWriter(path, width=2) as writer:
    ...     writer.add(["a.png"], np.array([[0.5, 2]]), [""])
    >>> read_problems(path)
    [('a.png', '')]
    """

    def __init__(self, path, width):
        writers = {".parquet": _ParquetFile, ".tfrecord": _RecordFile}
        ending = check_ending(path)
        self.width = width
        self._file = writers[ending](os.fspath(path), width)
        self._clear()

    def _clear(self):
        self._paths, self._rows, self._problems = [], [], []

    def add(self, paths, rows, problems):
        """Appends rows.

        Args:
            paths: Sequence of strings.
            rows: Array of shape `(len(paths), width)`.
            problems: Sequence of strings.
        """
        shape = len(paths), self.width
        if np.shape(rows) != shape or len(problems) != len(paths):
            raise ValueError(
                f"`rows` must have the shape {shape}, and `problems` the "
                f"length {len(paths)}. Received: shape={np.shape(rows)}, "
                f"{len(problems)} problems"
            )
        self._paths += list(paths)
        self._rows += list(np.asarray(rows, "float32"))
        self._problems += list(problems)
        while len(self._paths) >= GROUP:
            self._write(GROUP)

    def _write(self, count):
        self._file.write(
            self._paths[:count],
            np.stack(self._rows[:count]),
            self._problems[:count],
        )
        for column in (self._paths, self._rows, self._problems):
            del column[:count]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        try:
            if kind is None and self._paths:
                self._write(len(self._paths))
        finally:
            self._file.close()


def check_ending(path):
    """The ending of the path of a table.

    Args:
        path: Path.

    Returns:
        String, `".parquet"` or `".tfrecord"`.

    Raises:
        ValueError: If it has another ending.

    Example:

    >>> check_ending("features.csv")
    Traceback (most recent call last):
    ValueError: A file of features must end in .parquet or .tfrecord. ...
    """
    ending = os.path.splitext(os.fspath(path))[1]
    if ending not in ENDINGS:
        raise ValueError(
            f"A file of features must end in {' or '.join(ENDINGS)}. "
            f"Received: {os.fspath(path)!r}"
        )
    return ending


def check_feature_file(path, names):
    """Finds what would keep `FeatureWriter` from writing, before the work.

    Args:
        path: Path of the file to write.
        names: Sequence of strings, of the images.

    Raises:
        ValueError: If the path has another ending than `FeatureWriter` knows,
            or a Parquet file is asked for, and a name is not UTF-8.
        ImportError: If a Parquet file is asked for, and pyarrow is not
            installed.

    Example:

    >>> check_feature_file("features.npz", ["a.png"])
    Traceback (most recent call last):
    ValueError: A file of features must end in .parquet or .tfrecord. ...
    """
    if check_ending(path) != ".parquet":
        return
    for name in names:
        # What is not UTF-8 in a name of the system is a lone surrogate here.
        if not name.isascii() and not _is_text(name):
            raise ValueError(
                "Parquet files hold names that are UTF-8. Rename the file, or "
                f"write a .tfrecord. Received: {name!r}"
            )
    import_pyarrow()


def _is_text(name):
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_problems(path):
    """The paths of a file of features, and what is wrong with each image.

    Args:
        path: Path of a file that `FeatureWriter` has written.

    Returns:
        List of tuples of two strings.
    """
    if check_ending(path) == ".parquet":
        _, parquet = import_pyarrow()
        table = parquet.read_table(path, columns=["path", "problem"])
        columns = (table[name].to_pylist() for name in table.column_names)
        return list(zip(*columns, strict=True))
    records = tf.data.TFRecordDataset(os.fspath(path)).as_numpy_iterator()
    examples = map(tf.train.Example.FromString, records)
    return [(_text(e, "path"), _text(e, "problem")) for e in examples]


class _ParquetFile:
    def __init__(self, path, width):
        pyarrow, parquet = import_pyarrow()
        self._pyarrow = pyarrow
        numbers = pyarrow.list_(pyarrow.float32(), width)
        self._schema = pyarrow.schema(
            [
                ("path", pyarrow.string()),
                ("features", numbers),
                ("problem", pyarrow.string()),
            ]
        )
        self._writer = parquet.ParquetWriter(path, self._schema)

    def write(self, paths, rows, problems):
        features = self._pyarrow.FixedSizeListArray.from_arrays(
            self._pyarrow.array(np.ravel(rows)), rows.shape[1]
        )
        self._writer.write_table(
            self._pyarrow.table(
                [paths, features, problems], schema=self._schema
            )
        )

    def close(self):
        self._writer.close()


class _RecordFile:
    def __init__(self, path, width):
        self._writer = tf.io.TFRecordWriter(path)

    def write(self, paths, rows, problems):
        for path, row, problem in zip(paths, rows, problems, strict=True):
            values = {
                "path": {"bytes_list": {"value": [os.fsencode(path)]}},
                "features": {"float_list": {"value": row}},
                "problem": {"bytes_list": {"value": [problem.encode()]}},
            }
            record = tf.train.Example(features={"feature": values})
            # The same bytes in every process.
            self._writer.write(record.SerializeToString(deterministic=True))

    def close(self):
        self._writer.close()


def _text(example, name):
    return os.fsdecode(example.features.feature[name].bytes_list.value[0])
