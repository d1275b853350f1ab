"""The examples run, as a user would start them."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[1]

if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)


def run(name, *flags):
    """What an example prints."""
    done = _end_of(name, *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(name, *flags):
    """What an example says where it ends with an error."""
    done = _end_of(name, *flags)
    assert done.returncode
    return done.stdout + done.stderr


def _end_of(name, *flags):
    return subprocess.run(
        [sys.executable, ROOT / "examples" / name, *flags],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture
def folder(tmp_path):
    """Forty pictures of two kinds, which differ in color."""
    image = pytest.importorskip("PIL.Image", reason="writes pictures")
    rng = np.random.default_rng(0)
    for split, count in (("train", 16), ("test", 4)):
        for name, color in (("blue", (40, 40, 200)), ("red", (200, 40, 40))):
            place = tmp_path / "pictures" / split / name
            place.mkdir(parents=True)
            for index in range(count):
                pixels = rng.normal(color, 20, (50, 60, 3)).clip(0, 255)
                image.fromarray(pixels.astype("uint8")).save(
                    place / f"{index}.png"
                )
    return tmp_path / "pictures"


def test_train_then_evaluate(folder, tmp_path):
    output = tmp_path / "run"
    training = (
        "train.py",
        f"--dataset={folder}",
        "--input_size=40",
        "--epochs=2",
        "--batch_size=8",
        f"--output={output}",
    )
    assert "ten views, n = 8" in run(*training)
    results = json.loads((output / "errors.json").read_text())
    assert results["center"]["n"] == results["ten"]["n"] == 8
    assert (output / "curve.png").stat().st_size > 10_000
    assert len((output / "history.csv").read_text().splitlines()) == 3
    assert "Nothing is left to do" in run(*training)
    again = json.loads((output / "errors.json").read_text())
    assert again["minutes"] == results["minutes"] > 0

    (folder / "test" / "red" / "4.png").write_bytes(b"no picture")
    printed = run(
        "evaluate.py",
        f"--model={output / 'alexnet.keras'}",
        f"--dataset={folder}",
        "--views=ten",
        "--on_error=skip",
    )
    assert f"Left out of {folder}: 1. The first:" in printed
    assert "red/4.png" in printed and "top-5" not in printed
    top1 = f"top-1 error {100 * results['ten']['top1_error']:5.1f} %"
    assert top1 in printed
    assert "red" in printed
    printed = run(
        "evaluate.py",
        f"--model={output / 'alexnet.keras'}",
        f"--dataset={folder}",
        "--views=dense",
        "--scales=40",
        "--scales=46",
        "--on_error=skip",
        "--noper_class",
    )
    assert "dense views, n = 8" in printed
