import csv
import math

import numpy as np
import pytest

from keras_alexnet.csv_table import write_csv


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_numbers_and_texts_come_back_as_they_were(tmp_path):
    path = tmp_path / "table.csv"
    write_csv(path, [{"name": 'a, "b"', "error": 0.1}, {"name": "c"}])
    assert read(path) == [
        {"name": 'a, "b"', "error": "0.1"},
        {"name": "c", "error": ""},
    ]
    assert b"\r" not in path.read_bytes()


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, np.float32("nan"), None]
)
def test_what_is_not_finite_is_empty(tmp_path, value):
    write_csv(tmp_path / "table.csv", [{"n": 1, "error": value}])
    assert read(tmp_path / "table.csv") == [{"n": "1", "error": ""}]


def test_columns_may_be_given(tmp_path):
    path = tmp_path / "table.csv"
    write_csv(path, [], columns=("n", "error"))
    assert path.read_text() == "n,error\n"


def test_no_columns(tmp_path):
    with pytest.raises(ValueError, match="Give `columns` with no `records`"):
        write_csv(tmp_path / "table.csv", [])
    assert not (tmp_path / "table.csv").exists()
