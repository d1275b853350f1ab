import pytest

from keras_alexnet.text_table import text_table

ROWS = [("layer", "bytes", "to"), ("conv1", "1,024", "CPU:1"), ("fc8", "8", "")]


def test_columns_are_as_wide_as_their_widest_cell():
    assert text_table(ROWS).splitlines() == [
        "layer  bytes  to",
        "conv1  1,024  CPU:1",
        "fc8    8",
    ]


def test_each_column_has_its_alignment():
    assert text_table(ROWS, "<>>").splitlines() == [
        "layer  bytes     to",
        "conv1  1,024  CPU:1",
        "fc8        8",
    ]


def test_the_last_alignment_holds_for_the_rest():
    assert text_table(ROWS, "<>") == text_table(ROWS, "<>>")


def test_rows_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="shorter|longer"):
        text_table([("a", "b"), ("c",)])
