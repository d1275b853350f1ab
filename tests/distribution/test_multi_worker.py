"""Two processes of two columns each, started as a user would start them."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import types

import numpy as np
import pytest
import tensorflow as tf
from train_worker import BATCH
from train_worker import EPOCHS
from train_worker import STEPS
from train_worker import Data
from train_worker import grouped_model

from keras_alexnet.distribution import MultiWorkerColumns
from keras_alexnet.distribution import WorkersAgree
from keras_alexnet.training import EpochSeek

ROOT = pathlib.Path(__file__).parents[2]
HERE = pathlib.Path(__file__).parent


def launch(folder, *kill, restarts=1):
    environment = {
        name: value
        for name, value in os.environ.items()
        # Of no concern to the workers, or meant for this process.
        if name not in ("TF_CONFIG", "KERAS_BACKEND")
    }
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "examples" / "launch_local.py",
            f"--restarts={restarts}",
            f"--logs={folder / 'logs'}",
            "--timeout=240",
            "--",
            HERE / "train_worker.py",
            folder,
            *map(str, kill),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )
    log = (folder / "logs" / "worker1.log").read_text()[-3000:]
    assert done.returncode == 0, done.stdout + done.stderr[-3000:] + log
    return done.stdout


def results(folder):
    """Predictions and weights of each worker."""
    for rank in range(2):
        with np.load(folder / f"result{rank}.npz") as arrays:
            yield [arrays[name] for name in arrays.files]


@pytest.fixture(scope="module")
def single():
    """The same training in one process on one device."""
    model = grouped_model()
    data = Data()
    validation = Data().dataset
    history = model.fit(
        data.dataset,
        epochs=EPOCHS,
        validation_data=validation,
        shuffle=False,
        verbose=0,
        callbacks=[EpochSeek(data)],
    )
    images = np.concatenate([x for x, _ in validation])
    predicted = model.predict(images, batch_size=BATCH, verbose=0)
    return history.history, [predicted, *[w.numpy() for w in model.weights]]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    launch(folder, restarts=0)
    return folder


def assert_equal_to_single(folder, single):
    for found in results(folder):
        for a, b in zip(single[1], found, strict=True):
            assert np.abs(a - b).max() <= 1e-5 * np.abs(a).max()


@pytest.mark.slow
def test_workers_are_equal_to_each_other_and_to_one_process(unbroken, single):
    first, second = results(unbroken)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert_equal_to_single(unbroken, single)
    for rank in range(2):
        path = unbroken / f"history{rank}.json"
        history = json.loads(path.read_text())
        for name, values in single[0].items():
            assert history[name] == pytest.approx(values, rel=1e-4), name


@pytest.mark.slow
def test_columns_and_their_slots_are_on_each_workers_devices(unbroken):
    for rank in range(2):
        path = unbroken / f"devices{rank}.json"
        devices = json.loads(path.read_text())
        assert any("momentum" in name for name in devices)
        for name, device in devices.items():
            column = 1 if "column1" in name and "multiplier" not in name else 0
            assert device.endswith(f"task:{rank}/device:CPU:{column}"), name


@pytest.mark.slow
@pytest.mark.parametrize(
    "rank, tear", [(1, 0), (0, 1)], ids=["worker", "chief and its last backup"]
)
def test_a_killed_process_changes_nothing(rank, tear, single, tmp_path):
    step = STEPS + 3
    printed = launch(tmp_path, rank, step, tear)
    assert "Restart 1 of 1" in printed
    assert (tmp_path / "killed").exists()
    assert_equal_to_single(tmp_path, single)


def test_a_worker_that_dies_too_often_is_given_up(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "examples" / "launch_local.py",
            "--restarts=1",
            f"--logs={tmp_path}",
            "--",
            "-c",
            "import sys; sys.exit(3)",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stdout.count("Workers ended with") == 2
    assert "The workers did not finish." in done.stderr


def test_workers_do_not_outlive_their_time(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "examples" / "launch_local.py",
            "--timeout=1",
            f"--logs={tmp_path}",
            "--",
            "-c",
            "import time; time.sleep(50)",
        ],
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert done.returncode == 1
    assert "The time is up." in done.stdout


@pytest.mark.parametrize(
    "devices, message",
    [
        (["/CPU:1", "/CPU:0"], "must begin with the first of its kind"),
        ("/CPU:0", "`devices` must be a list of device names"),
        ([], "`devices` must be a list of device names"),
    ],
)
def test_devices_are_checked(devices, message):
    with pytest.raises(ValueError, match=message):
        MultiWorkerColumns(devices)


def test_workers_of_different_steps_are_stopped():
    class Strategy:
        def gather(self, value, axis):
            return tf.concat([value, value + ahead], axis)

    optimizer = types.SimpleNamespace(iterations=tf.Variable(2))
    callback = WorkersAgree()
    callback.set_model(
        types.SimpleNamespace(
            optimizer=optimizer, distribute_strategy=Strategy()
        )
    )
    ahead = 0
    callback.on_train_begin()
    ahead = 3
    with pytest.raises(ValueError, match=r"iterations=\[2, 5\]"):
        callback.on_train_begin()


SLURM = """
import os
import tensorflow as tf
from keras_alexnet.distribution import MultiWorkerColumns
resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
    jobs={"worker": 1}, port_base=int(os.environ["PORT"]), gpus_per_node=1,
    gpus_per_task=1, tasks_per_node=1, auto_set_gpu=False)
strategy = MultiWorkerColumns(["/CPU:0", "/CPU:0"], resolver)
print("replicas", strategy.num_replicas_in_sync, resolver.task_id, flush=True)
os._exit(0)
"""


def test_slurm_is_asked_for_the_cluster():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    slurm = {
        "PROCID": "0",
        "STEP_NODELIST": "localhost",
        "STEP_NUM_TASKS": "1",
        "STEP_TASKS_PER_NODE": "1",
    }
    environment = {f"SLURM_{name}": value for name, value in slurm.items()}
    done = subprocess.run(
        [sys.executable, "-c", SLURM],
        env={**os.environ, **environment, "PORT": str(port)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert "replicas 1 0" in done.stdout, done.stderr


@pytest.mark.parametrize(
    "number, code",
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)],
)
def test_a_launcher_that_is_ended_ends_its_workers(number, code, tmp_path):
    program = (
        "import os, pathlib, time;"
        f"p = pathlib.Path({str(tmp_path)!r}) / str(os.getpid());"
        "p.touch(); time.sleep(300)"
    )
    launcher = subprocess.Popen(
        [
            sys.executable,
            ROOT / "examples" / "launch_local.py",
            f"--logs={tmp_path / 'logs'}",
            "--",
            "-c",
            program,
        ],
        # Tests that were started by `nohup` have left it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    workers = []
    while len(workers) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
        workers = [p.name for p in tmp_path.iterdir() if p.name.isdigit()]
    launcher.send_signal(number)
    assert launcher.wait(timeout=60) == code
    assert len(workers) == 2
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and any(map(is_running, workers)):
        time.sleep(0.1)
    assert not any(map(is_running, workers))


def is_running(pid):
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    # A process that nobody has waited for is still listed.
    status = pathlib.Path(f"/proc/{pid}/stat")
    return not status.exists() or ") Z " not in status.read_text()
