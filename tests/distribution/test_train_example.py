"""`examples/train.py` under strategies, as the README says."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_alexnet import layers  # noqa: F401  (for loading)

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Pictures of two kinds, which differ in color."""
    image = pytest.importorskip("PIL.Image", reason="writes pictures")
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    # Five to test: an odd number, which two replicas cannot share.
    for split, counts in (("train", (8, 8)), ("test", (3, 2))):
        for name, count in zip(("blue", "red"), counts, strict=True):
            place = folder / split / name
            place.mkdir(parents=True)
            color = (40, 40, 200) if name == "blue" else (200, 40, 40)
            for index in range(count):
                pixels = rng.normal(color, 20, (70, 70, 3)).clip(0, 255)
                image.fromarray(pixels.astype("uint8")).save(
                    place / f"{index}.png"
                )
    return folder


def train(strategy, pictures, output, *launcher, more=()):
    command = [
        *launcher,
        ROOT / "examples" / "train.py",
        f"--strategy={strategy}",
        f"--dataset={pictures}",
        f"--output={output}",
        "--input_size=64",
        "--epochs=2",
        "--batch_size=8",
        *more,
    ]
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=400,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy", ["columns", "mirrored", "mirrored_columns"]
)
def test_on_one_machine(strategy, pictures, tmp_path):
    train(strategy, pictures, tmp_path)
    check_results(tmp_path)


@pytest.mark.slow
def test_on_two_machines(pictures, tmp_path):
    train(
        "multiworker_columns",
        pictures,
        tmp_path,
        ROOT / "examples" / "launch_local.py",
        f"--logs={tmp_path / 'logs'}",
        "--restarts=0",
        "--timeout=380",
        "--",
    )
    check_results(tmp_path)
    # Each has evaluated a part, and has the errors of all.
    found = [
        json.loads((folder / "errors.json").read_text())
        for folder in (tmp_path, tmp_path / "worker1")
    ]
    assert found[0]["center"] == found[1]["center"]
    assert found[0]["ten"] == found[1]["ten"]
    # A row per epoch, though two have trained.
    rows = (tmp_path / "history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "0", "1"]


def check_results(output):
    errors = json.loads((output / "errors.json").read_text())
    assert errors["center"]["n"] == 5
    model = keras.saving.load_model(output / "alexnet.keras", compile=False)
    assert model.get_layer("conv2").groups == 2
    assert model.predict(np.zeros((1, 64, 64, 3)), verbose=0).shape == (1, 2)
