"""Ten steps of everything: what they find, foresee and leave behind."""

import dataclasses
import errno
import json
import os
import pathlib
import shutil
import subprocess
import sys
import types

import keras
import pytest
import tensorflow as tf
from small_networks import small_inception

from keras_alexnet.data import load_source
from keras_alexnet.data.means import mean_path
from keras_alexnet.distribution import ColumnParallelStrategy
from keras_alexnet.distribution import Mirrored
from keras_alexnet.models import PAPER
from keras_alexnet.models import training_bytes
from keras_alexnet.models import with_width
from keras_alexnet.training import RECIPES
from keras_alexnet.training import DryRun
from keras_alexnet.training import DryRunError
from keras_alexnet.training import dry_run
from keras_alexnet.training import dry_run_watch
from keras_alexnet.training import make_schedule
from keras_alexnet.training.snapshots import Snapshots

if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)

ROOT = pathlib.Path(__file__).parents[2]
NARROW = with_width(PAPER, 0.05)


def run(directory, architecture=NARROW, **changes):
    options = {
        "steps": 3,
        "input_size": 40,
        "batch_size": 32,
        "flip": False,
        "verbose": False,
        "preflight": False,
    }
    return dry_run(
        "digits", architecture, directory=directory, **{**options, **changes}
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Of a folder that is not there yet, and a cache that is kept in files."""
    place = tmp_path_factory.mktemp("dry")
    home = os.environ.get("KERAS_HOME")
    os.environ["KERAS_HOME"] = str(place / "home")
    try:
        result = run(
            place / "runs" / "one",
            cache=place / "cache",
            keep="average",
            every=5,
            epochs=3,
        )
    finally:
        os.environ.pop("KERAS_HOME")
        if home:
            os.environ["KERAS_HOME"] = home
    left = [p for p in place.rglob("*") if not p.is_dir()]
    return result, left, [p.name for p in place.iterdir()]


def test_nothing_is_left_behind(found):
    _, files, folders = found
    assert files == []
    assert folders == ["home"]


def test_everything_is_timed(found):
    found = found[0]
    assert set(found.rates) == {"input", "training", "validation", "ten_views"}
    assert all(rate > 0 for rate in found.rates.values())
    assert found.rates["input"] > found.rates["training"]
    assert found.steps == 3
    # A backup holds weights and velocities, and little else.
    kept = found.memory["parameters"] + found.memory["velocities"]
    assert kept < found.backup_bytes < 1.3 * kept + 100_000
    assert 0 < found.backup_seconds < found.resume_seconds
    assert found.peak["process"] > sum(found.memory.values())
    assert found.devices in (("CPU:0",), ("GPU:0",))


def test_what_is_said_can_be_read_and_kept(found):
    text = str(found[0])
    assert "digits: 10 classes; train 1438, test 359" in text
    assert "1 replica of 32 images; here" in text
    assert "for 3 epochs" in text
    assert max(map(len, text.splitlines())) <= 80
    kept = json.loads(json.dumps(found[0].record()))
    assert kept["predicted"] == found[0].predicted


def test_prediction_by_hand():
    source = load_source("digits")
    assert source.counts == {"train": 1438, "test": 359}
    rates = {"input": 100, "training": 10, "validation": 50, "ten_views": 5}
    result = DryRun(
        source=source,
        recipe=dataclasses.replace(RECIPES["paper"], epochs=3, batch_size=100),
        replicas=1,
        devices=("CPU:0",),
        steps=10,
        memory={"parameters": 8},
        available=None,
        peak={"process": 16},
        backup_bytes=4,
        free=100,
        backup_seconds=2.0,
        resume_seconds=9.0,
        rates=rates,
        every=5,
        validated=359,
        mean_is_known=False,
        seconds=30.0,
    )
    assert result.predicted == {
        "mean image": 14.38,
        # Fourteen whole batches.
        "training": 3 * 1400 / 10,
        "validation": 3 * 359 / 50,
        # After the steps 5 and 10, and the epoch.
        "backups": 3 * 3 * 2,
        "center and ten views": 359 / 50 + 359 / 5,
    }
    # 14 + 420 + 22 + 18 + 79 seconds.
    text = " ".join(str(result).split())
    assert "predicted 9.2 min for 3 epochs (mean image 14 s, tra" in text


def test_16_bits_halve_the_activations_alone():
    options = {"input_shape": (63, 63, 3), "classes": 2, "architecture": NARROW}
    whole = training_bytes(keras.models.clone_model(_model(**options)), 8)
    half = training_bytes(_model(dtype="mixed_bfloat16", **options), 8)
    assert half.pop("activations") * 2 == whole.pop("activations")
    assert half == whole


def _model(dtype="float32", **options):
    from keras_alexnet import AlexNet

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        return AlexNet(**options)
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("name", RECIPES)
def test_one_epoch_of_every_recipe_has_a_schedule(name):
    data = types.SimpleNamespace(color_sigma=tf.Variable(0.1))
    schedule = make_schedule(name, data, epochs=1)
    if isinstance(schedule, keras.callbacks.LearningRateScheduler):
        assert schedule.schedule(0, 0.01) > 0


def fails(part, message, directory, **changes):
    with pytest.raises(DryRunError, match=message) as caught:
        run(directory, **changes)
    assert caught.value.part == part
    assert f'failed in its part "{part}"' in str(caught.value)
    if directory.is_dir():
        assert list(directory.iterdir()) == []


def test_data_that_are_not_there(tmp_path):
    with pytest.raises(DryRunError, match="no/such") as caught:
        dry_run("no/such", NARROW, directory=tmp_path, verbose=False)
    assert caught.value.part == "data"


def test_a_batch_as_large_as_the_set(tmp_path):
    fails("data", "three steps.*=500 for 1438", tmp_path, batch_size=500)


def test_a_batch_that_replicas_cannot_share(tmp_path):
    message = "divisible by the 4 replicas, such as 28 or 32.*=30"
    devices = [f"/CPU:{i}" for i in range(4)]
    changes = {"strategy": Mirrored(devices), "batch_size": 30}
    fails("recipe", message, tmp_path, **changes)


def test_an_unknown_strategy(tmp_path):
    fails("devices", "one of none, columns.*'rows'", tmp_path, strategy="rows")


def test_a_folder_that_is_a_file(tmp_path):
    file = tmp_path / "file"
    file.touch()
    fails("directory", "NotADirectoryError", file / "run")


def test_a_full_disk_is_foreseen(tmp_path, monkeypatch):
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    message = "room for 3 backups of .* MB, and 0.0 MB are free"
    fails("backup", message, tmp_path)


def test_too_little_memory_is_foreseen(tmp_path, monkeypatch):
    monkeypatch.setattr(dry_run_watch, "_available_memory", lambda: 10**5)
    message = "0.0 GB are free. Choose a smaller `batch_size`"
    fails("memory", message, tmp_path)


@pytest.mark.filterwarnings("ignore:The loss is")
def test_a_loss_that_is_not_finite(tmp_path):
    recipe = dataclasses.replace(RECIPES["small_data"], learning_rate=1e30)
    fails("training", "The loss is nan", tmp_path, recipe=recipe)


@pytest.mark.filterwarnings("ignore:.*Training goes on")
def test_a_backup_that_cannot_be_written(tmp_path, monkeypatch):
    def write(*_):
        raise OSError(errno.EIO, "No backup.")

    monkeypatch.setattr(Snapshots, "write", write)
    fails("backup", "The backup was not written", tmp_path)


def test_an_architecture_that_there_is_not(tmp_path):
    message = "must be .*'alexnet_2030'"
    fails("architecture", message, tmp_path, architecture="alexnet_2030")


def test_a_callback_that_ends_the_training(tmp_path):
    class End(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    message = "The training ended before step 3, where"
    fails("backup", message, tmp_path, callbacks=[End()])


def test_a_training_that_begins_again(tmp_path, monkeypatch):
    monkeypatch.setattr(Snapshots, "read", lambda _: None)
    message = "must go on at step 3, with the weights .* It began again"
    fails("resume", message, tmp_path)


def test_arguments_are_checked(tmp_path):
    with pytest.raises(ValueError, match="`steps` must be an integer.*=1"):
        run(tmp_path, steps=1)
    with pytest.raises(ValueError, match="`directory` must be the folder"):
        run(None)


def test_the_mean_of_the_part_is_removed_after_a_failure(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(dry_run_watch, "_available_memory", lambda: 10**5)
    (tmp_path / "run").mkdir()
    fails("memory", "GB are free", tmp_path / "run")
    folder = mean_path(load_source("digits"), 40).parent
    assert folder.is_dir()
    assert list(folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy, devices",
    [
        (lambda: ColumnParallelStrategy(["/CPU:0", "/CPU:1"]), 2),
        (lambda: Mirrored(["/CPU:0", "/CPU:1"]), 2),
    ],
    ids=["columns", "mirrored"],
)
def test_strategies(strategy, devices, tmp_path):
    strategy = strategy()
    found = run(tmp_path, strategy=strategy)
    assert found.devices == ("CPU:0", "CPU:1")
    assert found.replicas == strategy.num_replicas_in_sync
    if found.replicas == 1:
        found = run(tmp_path, strategy=strategy, validation=None)
        assert "validation" not in found.rates
        assert found.predicted["validation"] == 0
        assert "for 40 epochs" in str(found)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_googlenet_with_auxiliary_classifiers(tmp_path):
    found = run(tmp_path, architecture=small_inception())
    assert found.rates["training"] > 0
    assert list(tmp_path.iterdir()) == []


def example(*flags, launcher=()):
    return subprocess.run(
        [
            sys.executable,
            *launcher,
            ROOT / "examples" / "train.py",
            "--dry_run",
            *flags,
        ],
        capture_output=True,
        text=True,
        timeout=400,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.slow
def test_the_example_on_digits(tmp_path):
    done = example(f"--output={tmp_path / 'run'}", "--input_size=40")
    assert done.returncode == 0, done.stderr
    assert "Dry run: nothing failed" in done.stdout
    assert "for 4 epochs" in done.stdout
    assert list(tmp_path.iterdir()) == []
    done = example(f"--output={tmp_path / 'run'}", "--dataset=no/such/folder")
    assert done.returncode == 1
    assert 'failed in its part "data".' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_example_on_two_workers(tmp_path):
    done = example(
        "--strategy=multiworker",
        "--input_size=40",
        f"--output={tmp_path / 'run'}",
        launcher=(
            ROOT / "examples" / "launch_local.py",
            "--restarts=0",
            "--timeout=300",
            f"--logs={tmp_path / 'logs'}",
            "--",
        ),
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "2 replicas of 16 images; here" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
