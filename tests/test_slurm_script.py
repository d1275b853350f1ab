"""The batch script of examples/slurm, with a stand-in for Slurm's commands."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parents[1]
SCRIPT = ROOT / "examples" / "slurm" / "train.sbatch"
BASH = shutil.which("bash")

if BASH is None:
    pytest.skip("the script is of bash", allow_module_level=True)

# Stands for the training: says what it is given, and fails if it is told to.
PROGRAM = """
import os, pathlib, sys, time
# In one piece: all tasks write to one file.
os.write(1, " ".join(
    ["task", os.environ["SLURM_PROCID"], *sys.argv[1:], "\\n"]).encode())
if "--wait" in sys.argv:
    pathlib.Path("waits").touch()
    time.sleep(30)
sys.exit(3 if "--fail" in sys.argv else 0)
"""


@pytest.fixture
def job(tmp_path):
    """Starts the script as a job of Slurm; gives the process."""
    for name in ("srun", "scontrol"):
        stub = tmp_path / name
        source = (ROOT / "tests" / "slurm_stub.py").read_text()
        stub.write_text(f"#!{sys.executable}\n{source}")
        stub.chmod(0o755)
    (tmp_path / "program.py").write_text(PROGRAM)
    started = []

    def start(*arguments, **variables):
        environment = {
            "TRAIN": str(tmp_path / "program.py"),
            "BATCH": "64",
            "REPLICAS": "1",
            "SLURM_JOB_ID": "7",
            "SLURM_JOB_NUM_NODES": "2",
            **{k: str(v) for k, v in variables.items()},
        }
        others = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"}
        started.append(
            subprocess.Popen(
                [BASH, SCRIPT, *arguments],
                cwd=tmp_path,
                env={
                    **others,
                    "PYTHONPATH": str(ROOT),
                    # With the interpreter of the tests.
                    "PATH": f"{tmp_path}:{pathlib.Path(sys.executable).parent}"
                    f":{os.environ['PATH']}",
                    **environment,
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()


def calls(folder):
    """What was asked of Slurm, call by call."""
    file = folder / "calls"
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    "nodes, batch, replicas, used",
    [(4, 512, 8, 4), (3, 512, 8, 2), (3, 96, 8, 3), (2, 8, 8, 1)],
)
def test_as_many_machines_as_divide_the_batch(
    nodes, batch, replicas, used, job, tmp_path
):
    done = job(
        "--epochs=2",
        SLURM_JOB_NUM_NODES=nodes,
        BATCH=batch,
        REPLICAS=replicas,
    )
    printed = done.communicate(timeout=30)[0]
    assert done.returncode == 0, printed
    (srun,) = calls(tmp_path)
    assert srun[:3] == ["srun", f"--nodes={used}", f"--ntasks={used}"]
    assert not (tmp_path / "alexnet-7.failures").exists()
    for rank in range(used):
        assert (
            f"task {rank} --cluster=slurm --strategy=multiworker "
            f"--batch_size={batch} --epochs=2" in printed
        )


def test_a_job_that_fails_is_queued_again_a_few_times(job, tmp_path):
    # Slurm counts jobs whose time was up, too, which is no failure.
    for count, queued in ((0, 1), (7, 2), (8, 3), (9, 3)):
        done = job("--fail", SLURM_RESTART_COUNT=count)
        printed = done.communicate(timeout=30)[0]
        assert done.returncode == 3, printed
        asked = [call for call in calls(tmp_path) if call[0] == "scontrol"]
        assert asked == [["scontrol", "requeue", "7"]] * queued
    done = job("--fail", "--dry_run")
    done.communicate(timeout=30)
    assert calls(tmp_path)[-1][0] == "srun"


def test_a_job_whose_time_is_up_is_queued_again(job, tmp_path):
    done = job("--wait")
    deadline = time.monotonic() + 30
    while not (tmp_path / "waits").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    done.send_signal(signal.SIGUSR1)
    # The tasks hold the pipe for as long as they live.
    assert done.wait(timeout=20) == 0
    assert calls(tmp_path)[-1] == ["scontrol", "requeue", "7"]


def test_tasks_have_the_cores_of_the_job(job, tmp_path):
    job(SLURM_CPUS_PER_TASK=64).communicate(timeout=30)
    assert calls(tmp_path)[0][:2] == ["srun", "--cpus-per-task=64"]


@pytest.mark.parametrize(
    "variables, message",
    [
        ({"BATCH": ""}, "Set BATCH to the batch size"),
        (
            {"BATCH": 7, "REPLICAS": 2},
            "BATCH must be divisible by the 2 copies of the network on a "
            "machine. Received: BATCH=7",
        ),
    ],
)
def test_what_cannot_be_is_refused(variables, message, job, tmp_path):
    done = job(**variables)
    printed = done.communicate(timeout=30)[0]
    assert done.returncode
    assert message in printed
    assert calls(tmp_path) == []


@pytest.mark.slow
def test_a_training_of_two_machines_goes_on_with_one(job, tmp_path):
    output = tmp_path / "run"
    flags = ["--input_size=40", "--epochs=2", f"--output={output}"]
    flags += ["--backup_every=5", "--nopreflight"]
    train = {"TRAIN": ROOT / "examples" / "train.py", "BATCH": 128}
    done = job(*flags, BREAK_WHEN=output / "backup" / "backup.npz", **train)
    printed = done.communicate(timeout=300)[0]
    assert done.returncode == 1, printed
    assert calls(tmp_path)[-1] == ["scontrol", "requeue", "7"]
    done = job(*flags, SLURM_JOB_NUM_NODES=1, SLURM_RESTART_COUNT=1, **train)
    printed = done.communicate(timeout=300)[0]
    assert done.returncode == 0, printed
    assert "Attempt 2: 1 of 1 machines" in printed
    assert "Resuming at epoch 1 of 2, step 5" in printed
    assert json.loads((output / "errors.json").read_text())["ten"]["n"] == 359
