"""The studies run, alone and in several processes."""

import csv
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

import keras
import pytest

ROOT = pathlib.Path(__file__).parents[1]

if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)
pytest.importorskip("keras_tuner")
pytest.importorskip("matplotlib", reason="draws the pictures")
pytest.importorskip("sklearn", reason="has the digits")

# Seconds after which a process is killed.
PATIENCE = 300

TINY = ("--width=0.02", "--input_size=40", "--epochs=1", "--batch_size=128")


def start(name, *flags, **variables):
    return subprocess.Popen(
        [sys.executable, ROOT / "examples" / name, *TINY, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
    )


def finish(process):
    try:
        printed, errors = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return printed


def ended_runs(folder):
    """When each was written."""
    paths = (folder / "runs").glob("*/run.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in paths}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


@pytest.mark.slow
def test_chief_and_two_workers_share_a_search(tmp_path):
    """By KerasTuner's own variables; the chief alone trains nothing."""
    cluster = {
        "KERASTUNER_ORACLE_IP": "127.0.0.1",
        "KERASTUNER_ORACLE_PORT": free_port(),
    }
    flags = ("--trials=4", "--seeds=1", f"--output={tmp_path}")
    chief, *workers = (
        start("tune_lrn.py", *flags, KERASTUNER_TUNER_ID=name, **cluster)
        for name in ("chief", "tuner0", "tuner1")
    )
    try:
        for worker in workers:
            assert "Best:" not in finish(worker)
        printed = finish(chief)
    finally:
        for process in (chief, *workers):
            process.kill()
    assert "Best:" in printed
    with open(tmp_path / "trials.csv", newline="") as file:
        trials = list(csv.DictReader(file))
    assert len(trials) == 4
    assert {trial["status"] for trial in trials} == {"COMPLETED"}
    assert {trial["split"] for trial in trials} == {"holdout"}
    assert json.loads((tmp_path / "search.json").read_text())["seeds"] == [0]
    assert len(list((tmp_path / "runs").glob("*/run.json"))) == 4
    assert (tmp_path / "search.png").stat().st_size > 10_000


@pytest.mark.slow
def test_a_killed_search_repeats_nothing(tmp_path):
    flags = ("--trials=3", "--seeds=1", f"--output={tmp_path}")
    process = start("tune_lrn.py", *flags)
    end = time.monotonic() + PATIENCE
    while not (before := ended_runs(tmp_path)) and time.monotonic() < end:
        time.sleep(0.1)
    process.kill()
    process.communicate()
    assert 0 < len(before) < 3
    finish(start("tune_lrn.py", *flags))
    after = ended_runs(tmp_path)
    assert len(after) == 3
    assert before.items() <= after.items()
    with open(tmp_path / "trials.csv", newline="") as file:
        trials = list(csv.DictReader(file))
    assert [trial["status"] for trial in trials] == ["COMPLETED"] * 3


@pytest.mark.slow
def test_variants_are_rows_beside_the_baseline(tmp_path):
    better = "dropout=0.2 label_smoothing=0.1"
    printed = finish(
        start(
            "ablate.py",
            "--change=dropout=0.3",
            "--variant=dropout=0.3",
            # The recipe scales it, with the pixels.
            "--variant=lrn_alpha=0.0001",
            f"--variant={better}",
            "--holdout=0.2",
            "--split=holdout",
            "--seeds=1",
            f"--output={tmp_path}",
        )
    )
    assert 'split "holdout", n = 287' in printed
    with open(tmp_path / "ablation.csv", newline="") as file:
        rows = {row["change"]: row for row in csv.DictReader(file)}
    same = ["dropout=0.3", "lrn_alpha=0.0001"]
    assert list(rows) == ["baseline", *same, better]
    for name in same:
        assert "the baseline is like this" in rows[name]["reason"]
    assert rows[better]["n"] == "1"
    settings = [
        json.loads(path.read_text())
        for path in tmp_path.glob("runs/*/run.json")
    ]
    assert sorted(s["architecture"]["dropout"] for s in settings) == [0.2, 0.3]
    smoothing = [s["recipe"].get("label_smoothing", 0) for s in settings]
    assert sorted(smoothing) == [0, 0.1]


@pytest.mark.slow
def test_a_variant_that_cannot_be_ends_before_the_baseline(tmp_path):
    process = start("ablate.py", "--variant=dropout=2", f"--output={tmp_path}")
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode
    assert "`dropout` must be in [0, 1). Received: dropout=2" in errors
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("flag", ["--variant=dropout=0", "--changes=no LRN"])
def test_a_scaling_study_has_no_changes(flag, tmp_path):
    process = start(
        "ablate.py", "--study=scaling", flag, f"--output={tmp_path}"
    )
    printed = "".join(process.communicate(timeout=PATIENCE))
    assert process.returncode
    assert "--study=scaling has no --changes or --variant." in printed


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ("--study=scaling", "--shares=1", "--widths=1"),
        # The baseline is like this.
        ("--variant=dropout=0.5",),
    ],
)
def test_nothing_to_compare_is_no_picture(flags, tmp_path):
    printed = finish(
        start("ablate.py", "--seeds=1", f"--output={tmp_path}", *flags)
    )
    assert "There is no picture: nothing could be compared." in printed
    assert len(list((tmp_path / "runs").iterdir())) == 1
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.slow
def test_ablation_and_scaling_share_their_baseline(tmp_path):
    flags = ("--changes=no LRN", "--changes=no dropout", "--seeds=2")
    output = f"--output={tmp_path}"
    printed = finish(start("ablate.py", *flags, output))
    rows = [line for line in printed.splitlines() if line.startswith("no ")]
    assert any(row.startswith("no LRN") and "+1.4" in row for row in rows)
    runs = set((tmp_path / "runs").iterdir())
    assert len(runs) == 3 * 2
    printed = finish(
        start(
            "ablate.py",
            "--study=scaling",
            "--shares=0.5",
            "--shares=1",
            "--widths=1",
            "--seeds=2",
            output,
        )
    )
    assert "0.5" in printed
    assert len(set((tmp_path / "runs").iterdir()) - runs) == 2
    for name in ("ablation.png", "scaling.png"):
        assert (tmp_path / name).stat().st_size > 10_000
