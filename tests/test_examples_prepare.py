"""The example that prepares ImageNet runs, as a user would start it."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest
from data.imagenet_like import write_small

ROOT = pathlib.Path(__file__).parents[1]

if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)


def run(*flags):
    return subprocess.run(
        [sys.executable, ROOT / "examples" / "prepare_imagenet.py", *flags],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_prepare_a_small_set(tmp_path):
    archives = write_small(tmp_path / "archives")
    flags = [
        f"--source={archives}",
        f"--output={tmp_path / 'set'}",
        "--side=24",
        "--quality=80",
        "--workers=2",
    ]
    done = run(*flags, "--expected=train=24,validation=7")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-3:-1] == ["train: 24 images", "validation: 7 images"]
    assert lines[-1] == f"Saved 0.00 GB in {tmp_path / 'set'}"
    report = json.loads((tmp_path / "set" / "preparation.json").read_text())
    assert report["settings"]["quality"] == 80


@pytest.mark.slow
def test_errors_are_one_line(tmp_path):
    archives = write_small(tmp_path / "archives")
    done = run(f"--source={archives}", f"--output={tmp_path / 'set'}")
    assert done.returncode == 1
    (line,) = [x for x in done.stderr.splitlines() if "synsets" in x]
    assert line.startswith("Nothing more is prepared. ")
    assert "must hold images of 1,000 synsets. It holds 3" in line
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "set").exists()
    done = run("--source=a", "--output=b", "--expected=train:2")
    assert done.returncode != 0
    assert "Received: 'train:2'" in done.stdout + done.stderr


@pytest.mark.slow
def test_prepared_set_is_trained_on(tmp_path):
    """From archives to a network, with commands alone."""
    archives = write_small(tmp_path / "archives")
    done = run(
        f"--source={archives}",
        f"--output={tmp_path / 'set'}",
        "--expected=any",
        "--side=46",
    )
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "examples" / "train.py",
            f"--dataset={tmp_path / 'set'}",
            "--input_size=40",
            "--epochs=1",
            "--batch_size=8",
            f"--output={tmp_path / 'run'}",
        ],
        capture_output=True,
        text=True,
        timeout=600,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "KERAS_HOME": str(tmp_path / "home"),
        },
    )
    assert done.returncode == 0, done.stderr
    assert "ten views, n = 7" in done.stdout
    # The mean is the one beside the records: none was computed.
    assert not list((tmp_path / "home").rglob("mean-*.npy"))
