"""The launcher leaves out workers that die again and again."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from train_worker import EPOCHS
from train_worker import STEPS
from train_worker import Data
from train_worker import grouped_model

from keras_alexnet.training import EpochSeek

ROOT = pathlib.Path(__file__).parents[2]
HERE = pathlib.Path(__file__).parent

# `slot` is a worker's place, `count` how many there are. A worker lives until
# all are stopped, unless the test has it die or end.
PROGRAM = """
import json, os, pathlib, sys, time
slot = int(os.environ["CUDA_VISIBLE_DEVICES"])
config = json.loads(os.environ["TF_CONFIG"])
count, rank = len(config["cluster"]["worker"]), config["task"]["index"]
starts = pathlib.Path(sys.argv[1]) / str(slot)
with open(starts, "a") as file:
    file.write("x")
start = starts.stat().st_size
{body}
time.sleep(60)
"""
DIE = "time.sleep(0.3); sys.exit(3)"


def launch(folder, body, *flags, batch_size=32, timeout=50):
    return subprocess.run(
        [
            sys.executable,
            ROOT / "examples" / "launch_local.py",
            "--gpus=1",
            "--timeout=40",
            f"--logs={folder / 'logs'}",
            *flags,
            "--",
            "-c",
            PROGRAM.format(body=body),
            folder,
            f"--batch_size={batch_size}",
        ],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment(),
    )


def environment():
    unwanted = ("TF_CONFIG", "CUDA_VISIBLE_DEVICES")
    return {k: v for k, v in os.environ.items() if k not in unwanted}


def starts(folder):
    """How often each slot's worker was started."""
    return {p.name: p.stat().st_size for p in folder.iterdir() if p.is_file()}


def test_of_four_workers_two_go_on(tmp_path):
    body = f"if slot == 3: {DIE}\nif count == 2: sys.exit(0)"
    done = launch(tmp_path, body, "--workers=4", "--min_workers=2")
    assert done.returncode == 0, done.stdout + done.stderr
    # Three do not divide 32.
    text = "Worker 3 has died 2 times in a row. Going on with 2: 0, 1."
    assert text in done.stdout
    assert starts(tmp_path) == {"0": 3, "1": 3, "2": 2, "3": 2}


def test_another_is_the_chief_and_all_keep_their_gpus(tmp_path):
    body = f"if slot == 0: {DIE}\nif count == 3: print('rank', rank, slot); "
    done = launch(
        tmp_path,
        body + "sys.exit(0)",
        "--workers=4",
        "--min_workers=2",
        batch_size=12,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Going on with 3: 1, 2, 3." in done.stdout
    assert "rank 0 1" in done.stdout
    for rank, slot in ((1, 2), (2, 3)):
        log = (tmp_path / "logs" / f"worker{slot}.log").read_text()
        assert f"rank {rank} {slot}" in log


@pytest.mark.parametrize(
    "body, flags",
    [
        # Each time another one.
        (f"if slot == start % 2: {DIE}", ()),
        # All at once, as by an error in the program.
        ("time.sleep(1); sys.exit(3)", ()),
        # Long after the start.
        (f"if slot == 1: {DIE}", ("--soon=0",)),
        (f"if slot == 1: {DIE}", ("--deaths=9",)),
    ],
    ids=["another", "all", "late", "few"],
)
def test_who_is_not_left_out(body, flags, tmp_path):
    done = launch(
        tmp_path, body, "--workers=2", "--min_workers=1", *flags, "--restarts=2"
    )
    assert done.returncode == 1
    assert "The workers did not finish." in done.stderr
    assert "Going on" not in done.stdout
    assert starts(tmp_path) == {"0": 3, "1": 3}


def test_no_fewer_than_asked_for_go_on(tmp_path):
    done = launch(
        tmp_path, f"if slot == 1: {DIE}", "--workers=2", "--restarts=2"
    )
    assert "Going on" not in done.stdout
    assert starts(tmp_path) == {"0": 3, "1": 3}


def test_a_batch_that_the_others_cannot_share(tmp_path):
    done = launch(
        tmp_path,
        f"if slot == 1: {DIE}",
        "--workers=3",
        "--min_workers=2",
        batch_size=33,
    )
    assert done.returncode == 1
    message = "Of the other 2, no number from 2 on divides the batch of 33."
    assert message in done.stderr


def test_a_spare_worker_takes_the_place_of_one_that_dies(tmp_path):
    """Of four, three cannot share the batch, and the fourth dies first."""
    done = launch(
        tmp_path,
        f"if (slot, count) in ((3, 4), (1, 2)): {DIE}\n"
        "if (rank, slot) == (1, 2) and count == 2: sys.exit()\n"
        "if start == 3: sys.exit()",
        "--workers=4",
        "--min_workers=2",
        "--deaths=1",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Going on with 2: 0, 2." in done.stdout


@pytest.mark.parametrize(
    "visible, flags, seen",
    [
        (None, ["--gpus=2"], ["0,1", "2,3"]),
        ("4, 5", ["--gpus=1"], ["4", "5"]),
        ("GPU-a,GPU-b,GPU-c", ["--gpus=1"], ["GPU-a", "GPU-b"]),
        ("4,5", [], ["4,5", "4,5"]),
        ("4,5", ["--gpus=0"], ["", ""]),
        ("4,5", ["--gpus=2"], "2 workers with 2 GPUs each need 4. Received: "),
    ],
)
def test_gpus_are_those_that_the_launcher_sees(visible, flags, seen, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import json, os, pathlib\n"
        'rank = json.loads(os.environ["TF_CONFIG"])["task"]["index"]\n'
        'gpus = os.environ["CUDA_VISIBLE_DEVICES"]\n'
        'pathlib.Path(__file__).with_name(f"{rank}").write_text(gpus)\n'
    )
    given = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "examples" / "launch_local.py",
            *flags,
            f"--logs={tmp_path / 'logs'}",
            "--",
            program,
        ],
        capture_output=True,
        text=True,
        timeout=50,
        env={**environment(), **given},
    )
    if isinstance(seen, str):
        assert done.returncode == 1 and seen in done.stdout + done.stderr
    else:
        assert done.returncode == 0, done.stdout + done.stderr
        assert [(tmp_path / n).read_text() for n in "01"] == seen


@pytest.mark.parametrize(
    "flags, message",
    [
        (("--min_workers=3", "--workers=2"), "must not exceed `--workers`"),
        (("--min_workers=1", "--workers=3"), "must divide the batch of 32"),
        (("--workers=0",), "positive integer"),
    ],
)
def test_wrong_flags(flags, message, tmp_path):
    done = launch(tmp_path, "", *flags)
    assert done.returncode == 1
    assert message in done.stdout + done.stderr
    assert starts(tmp_path) == {}


def test_the_batch_size_must_be_known(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "examples" / "launch_local.py",
            "--min_workers=1",
            "--",
            "program.py",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=tmp_path,
    )
    assert done.returncode == 1
    assert "Give the program `--batch_size`, after `--`." in done.stderr


@pytest.mark.slow
def test_four_workers_become_two_and_end_as_one(tmp_path):
    model = grouped_model()
    data = Data()
    model.fit(
        data.dataset,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
        callbacks=[EpochSeek(data)],
    )
    kill_at = STEPS + 2
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "examples" / "launch_local.py",
            "--workers=4",
            "--min_workers=2",
            "--gpus=1",
            "--timeout=500",
            f"--logs={tmp_path / 'logs'}",
            "--",
            HERE / "elastic_worker.py",
            tmp_path,
            str(kill_at),
            "--batch_size=8",
        ],
        capture_output=True,
        text=True,
        timeout=520,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "Going on with 2: 0, 1." in done.stdout
    assert "resumed from 1" in done.stdout
    for slot in (0, 1):
        with np.load(tmp_path / f"result{slot}.npz") as arrays:
            workers, *weights = (arrays[name] for name in arrays.files)
        assert workers == 2
        for a, b in zip(model.weights, weights, strict=True):
            a = a.numpy()
            assert np.abs(a - b).max() <= 1e-5 * np.abs(a).max()
    assert not (tmp_path / "result2.npz").exists()
