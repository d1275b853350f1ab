"""Files of features hold the rows, in the same bytes however they come."""

import sys

import numpy as np
import pytest

from keras_alexnet.retrieval import FeatureWriter
from keras_alexnet.retrieval import check_feature_file
from keras_alexnet.retrieval.feature_files import read_problems

COUNT = 2100


def write(path, at_once):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(COUNT, 3)).astype("float32")
    rows[7] = np.nan
    paths = [f"{number}.png" for number in range(COUNT)]
    problems = ["cut off" if number == 7 else "" for number in range(COUNT)]
    with FeatureWriter(path, 3) as writer:
        for start in range(0, COUNT, at_once):
            part = slice(start, start + at_once)
            writer.add(paths[part], rows[part], problems[part])
    return paths, rows, problems


@pytest.mark.parametrize("ending", [".parquet", ".tfrecord"])
def test_bytes_depend_on_the_rows_alone(ending, tmp_path):
    if ending == ".parquet":
        pytest.importorskip("pyarrow")
    files = []
    for at_once in (1, 700, COUNT):
        path = tmp_path / f"{at_once}{ending}"
        paths, _, problems = write(path, at_once)
        files.append(path.read_bytes())
        assert read_problems(path) == list(zip(paths, problems, strict=True))
    assert files[0] == files[1] == files[2]


def test_parquet_as_others_read_it(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    paths, rows, problems = write(tmp_path / "a.parquet", 64)
    file = parquet.ParquetFile(tmp_path / "a.parquet")
    assert file.num_row_groups == 3
    table = file.read()
    assert table["path"].to_pylist() == paths
    assert table["problem"].to_pylist() == problems
    found = np.array(table["features"].to_pylist(), "float32")
    np.testing.assert_array_equal(found, rows)


def test_records_as_tensorflow_parses_them(tmp_path):
    tf = pytest.importorskip("tensorflow")
    paths, rows, problems = write(tmp_path / "a.tfrecord", 64)
    data = tf.data.TFRecordDataset(tmp_path / "a.tfrecord").batch(COUNT)
    found = tf.io.parse_example(
        next(iter(data)),
        {
            "path": tf.io.FixedLenFeature((), "string"),
            "features": tf.io.FixedLenFeature((3,), "float32"),
            "problem": tf.io.FixedLenFeature((), "string"),
        },
    )
    assert [path.decode() for path in found["path"].numpy()] == paths
    assert [what.decode() for what in found["problem"].numpy()] == problems
    np.testing.assert_array_equal(found["features"], rows)


def test_what_would_fail_behind_the_work(monkeypatch):
    names = ["Käfer.png", "k\udce4fer.png"]
    check_feature_file("a.tfrecord", names)
    with pytest.raises(ValueError, match=r"UTF-8. .*'k\\udce4fer.png'"):
        check_feature_file("a.parquet", names)
    with pytest.raises(ValueError, match="must end in .parquet or .tfrecord"):
        check_feature_file("a.csv", names)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    check_feature_file("a.tfrecord", names[:1])
    with pytest.raises(ImportError, match="pip install pyarrow"):
        check_feature_file("a.parquet", names[:1])


def test_arguments(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="must end in .parquet or .tfrecord"):
        FeatureWriter(tmp_path / "a.csv", 3)
    with FeatureWriter(tmp_path / "a.tfrecord", 3) as writer:
        with pytest.raises(ValueError, match=r"shape \(1, 3\).*\(1, 2\)"):
            writer.add(["a.png"], np.zeros((1, 2)), [""])
        with pytest.raises(ValueError, match="0 problems"):
            writer.add(["a.png"], np.zeros((1, 3)), [])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="pip install pyarrow"):
        FeatureWriter(tmp_path / "a.parquet", 3)
