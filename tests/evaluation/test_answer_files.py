"""Files of answers hold what was answered."""

import os
import sys

import numpy as np
import pytest

from keras_alexnet.evaluation import Answers
from keras_alexnet.evaluation import read_answers
from keras_alexnet.evaluation import write_answers

parquet = pytest.importorskip("pyarrow.parquet")


def test_rows_are_read_as_they_were_written(tmp_path):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(7), 2100).astype("float32")
    labels = rng.integers(0, 7, 2100)
    wrote = Answers(labels, probabilities, "center", tuple("abcdefg"))
    names = [f"{number}.png" for number in range(2100)]
    write_answers(tmp_path / "a.parquet", wrote, names, {"7.png": "cut off"})
    read, examples, damage = read_answers(
        tmp_path / "a.parquet", "center", tuple("abcdefg")
    )
    np.testing.assert_array_equal(read.probabilities, probabilities)
    np.testing.assert_array_equal(read.labels, labels)
    assert examples == names and damage == {"7.png": "cut off"}
    with pytest.raises(ValueError, match="2 names for 2100 images"):
        write_answers(tmp_path / "b.parquet", wrote, names[:2], {})


def test_a_name_that_is_no_text(tmp_path):
    wrote = Answers(np.array([0]), np.ones((1, 1), "float32"), "center", ("a",))
    name = os.fsdecode(b"k\xe4fer.jpg")
    write_answers(tmp_path / "a.parquet", wrote, [name], {name: "cut off"})
    _, examples, damage = read_answers(tmp_path / "a.parquet", "center", "a")
    assert examples == [r"k\xe4fer.jpg"]
    assert damage == {r"k\xe4fer.jpg": "cut off"}


def test_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    wrote = Answers(np.array([0]), np.ones((1, 1), "float32"), "center", ("a",))
    with pytest.raises(ImportError, match="pip install pyarrow"):
        write_answers(tmp_path / "a.parquet", wrote, ["a.png"], {})
    assert not list(tmp_path.iterdir())
