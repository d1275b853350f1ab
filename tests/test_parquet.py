import sys

import pytest

from keras_alexnet.parquet import import_pyarrow


def test_what_writes_and_reads(tmp_path):
    pytest.importorskip("pyarrow.parquet")
    pyarrow, parquet = import_pyarrow()
    path = str(tmp_path / "a.parquet")
    parquet.write_table(pyarrow.table({"a": [1, 2]}), path)
    assert parquet.read_table(path).to_pydict() == {"a": [1, 2]}


def test_pyarrow_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="`pip install pyarrow`$"):
        import_pyarrow()
