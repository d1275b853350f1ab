"""Processes that train on their shares, and resume in another number."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from share_worker import BATCH
from share_worker import STEPS
from share_worker import TESTS
from share_worker import run

ROOT = pathlib.Path(__file__).parents[2]
HERE = pathlib.Path(__file__).parent


def launch(folder, workers, epochs):
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "examples" / "launch_local.py",
            f"--workers={workers}",
            "--restarts=0",
            f"--logs={folder / 'logs'}",
            "--timeout=500",
            "--",
            HERE / "share_worker.py",
            folder,
            str(epochs),
        ],
        capture_output=True,
        text=True,
        timeout=560,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    found = []
    for rank in range(workers):
        result = json.loads((folder / f"result{rank}.json").read_text())
        with np.load(folder / f"result{rank}.npz") as arrays:
            found.append((result, [arrays[name] for name in arrays.files]))
    return found


@pytest.mark.slow
def test_workers_fetch_their_shares_and_resume_in_other_number(tmp_path):
    """An epoch by two workers, then one by four, equals two by one process."""
    single = tmp_path / "single"
    counts, history, want = run(single, 2, tf.distribute.get_strategy())
    assert counts["train"] == 2 * STEPS * BATCH
    shared = tmp_path / "shared"
    shared.mkdir()
    for workers, epochs in ((2, 1), (4, 2)):
        launched = launch(shared, workers, epochs)
        for result, _ in launched:
            used = STEPS * BATCH / workers
            assert used <= result["counts"]["train"] <= 1.2 * used
            # Keras takes the first batch of each evaluation twice.
            tests = (TESTS + BATCH) / workers + 3
            assert TESTS // workers <= result["counts"]["test"] <= tests
            losses = result["history"]["loss"], result["history"]["val_loss"]
            for got, name in zip(losses, ("loss", "val_loss"), strict=True):
                np.testing.assert_allclose(
                    got, history[name][:epochs], rtol=1e-5
                )
    # Predictions, in order, and weights.
    for got, all_at_once in zip(launched[0][1], want, strict=True):
        np.testing.assert_allclose(got, all_at_once, rtol=0, atol=1e-5)
