"""The examples of retrieval and ensembles run, as a user would start them."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest
from retrieval.colored_pictures import write_pictures
from small_networks import build
from small_networks import small
from test_examples import run

ROOT = pathlib.Path(__file__).parents[1]

if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)

pytest.importorskip("sklearn", reason="searches")


def network(path):
    """A small network with random weights, in a file."""
    build(small("paper"), include_preprocessing=True).save(path)
    return path


@pytest.fixture
def photos(tmp_path):
    pytest.importorskip("PIL.Image", reason="writes pictures")
    return write_pictures(tmp_path / "photos", count=2)


@pytest.mark.slow
def test_neighbors_from_an_index(tmp_path, photos):
    pytest.importorskip("matplotlib", reason="draws the picture")
    (photos / "red" / "broken.png").write_bytes(b"no image")
    command = [
        sys.executable,
        ROOT / "examples" / "retrieve.py",
        photos,
        photos / "red" / "0.png",
        photos / "blue" / "1.png",
        f"--weights={network(tmp_path / 'net.keras')}",
        f"--index={tmp_path / 'index'}",
        f"--figure={tmp_path / 'neighbors.png'}",
        "--k=3",
    ]
    for added in (6, 0):
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 1, done.stderr
        assert f"6 images: {added} added, 0 read again" in done.stdout
        assert "broken.png: Unknown image file format" in done.stderr
        lines = done.stdout.splitlines()
        start = lines.index(str(photos / "red" / "0.png"))
        assert lines[start + 1].endswith(str(photos / "red" / "1.png"))
        assert lines[start + 4] == str(photos / "blue" / "1.png")
    assert (tmp_path / "neighbors.png").stat().st_size > 10_000


@pytest.mark.slow
def test_short_codes_of_digits(tmp_path):
    pytest.importorskip("matplotlib", reason="draws the picture")
    printed = run(
        "short_codes.py",
        f"--model={network(tmp_path / 'net.keras')}",
        "--bits=8",
        "--bits=12",
        "--k=5",
        "--epochs=2",
        f"--output={tmp_path / 'out'}",
    )
    assert "n = 359 queries in 1438 images" in printed
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    rows = {
        (row["method"], row.get("bits")): row
        for found in result["rows"].values()
        for row in found
    }
    assert len(rows) == 1 + 2 * 4
    # Random weights know something of digits, and 8 numbers less.
    exact = rows["exact, 24 floats", None]["precision"]["5"]
    assert 100 > exact > rows["PCA + sign", 8]["precision"]["5"] > 10
    low, high = rows["auto-encoder", 12]["from_baseline"]["5"][1:]
    assert low < high
    assert (tmp_path / "out" / "neighbors.png").stat().st_size > 10_000


@pytest.mark.slow
def test_an_ensemble_of_digits(tmp_path):
    flags = [
        "--networks=2",
        "--epochs=2",
        "--learning_rate=0.01",
        "--schedule=constant",
        "--views=center",
        f"--output={tmp_path}",
    ]
    printed = run("ensemble.py", *flags)
    assert "n = 359 images, center view(s)" in printed
    result = json.loads((tmp_path / "result.json").read_text())
    assert len(result["single"]) == 2
    assert result["mean"] == pytest.approx(sum(result["single"]) / 2)
    assert result["difference"] == pytest.approx(
        result["ensemble"] - result["mean"]
    )
    assert result["low"] < result["difference"] < result["high"]
    assert result["recipe"]["learning_rate"] == 0.01
    # Started again it is done, and finds the same.
    run("ensemble.py", *flags)
    again = json.loads((tmp_path / "result.json").read_text())
    assert again["single"] == result["single"]
    assert again["ensemble"] == result["ensemble"]
    printed = run(
        "evaluate.py",
        f"--model={tmp_path / 'ensemble.keras'}",
        "--views=center",
        "--noper_class",
    )
    assert f"top-1 error {result['ensemble']:5.1f} %" in printed
