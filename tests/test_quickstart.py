"""`examples/quickstart.ipynb` runs from its first cell to its last."""

import os
import pathlib
import re
import sys

import keras
import pytest

nbclient = pytest.importorskip(
    "nbclient", reason='executes notebooks: pip install ".[test]"'
)
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel", reason="the kernel that executes them")
pytest.importorskip("sklearn", reason="has the digits")
pytest.importorskip("matplotlib", reason="draws the pictures")

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOK = ROOT / "examples" / "quickstart.ipynb"

if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)


def printed(notebook):
    """What each code cell prints, without the times of steps."""
    return [
        "".join(
            output.text
            for output in cell.outputs
            if output.output_type == "stream" and output.name == "stdout"
        )
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def pictures(notebook):
    return [
        output.data["image/png"]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]


def test_notebook_runs_and_prints_what_it_shows(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path]))
    shown = nbformat.read(NOTEBOOK, as_version=4)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=500).execute()
    now, then = printed(notebook), printed(shown)
    assert len(pictures(notebook)) == len(pictures(shown)) == 2
    assert now[0] == then[0] == "0 1 2 3 4 5 6 7 8 9\n"
    assert "ten views, n = 359" in now[2]
    # Sums in another order on another CPU give another figure.
    errors = [
        float(re.search(r"top-1 error +([\d.]+) %", text)[1])
        for text in (now[2], then[2])
    ]
    assert max(errors) < 15
    assert now[-1] == then[-1]
    assert "same probabilities: True" in now[-1]


def test_notebook_is_small():
    assert NOTEBOOK.stat().st_size < 200_000
