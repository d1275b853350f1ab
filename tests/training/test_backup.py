import errno
import json
import os
import pathlib
import random
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_alexnet.training import AlexNetSGD
from keras_alexnet.training import DivideOnPlateau
from keras_alexnet.training import ResumableBackup
from keras_alexnet.training.backup import cut_rows
from keras_alexnet.training.snapshots import Snapshots

pytest.importorskip("tensorflow", reason="the data are a tf.data.Dataset")

from training.run_to_kill import EPOCHS  # noqa: E402
from training.run_to_kill import STEPS  # noqa: E402
from training.run_to_kill import At  # noqa: E402
from training.run_to_kill import Data  # noqa: E402
from training.run_to_kill import make_model  # noqa: E402
from training.run_to_kill import run  # noqa: E402
from training.run_to_kill import state  # noqa: E402

SCRIPT = pathlib.Path(__file__).with_name("run_to_kill.py")


class Interruption(Exception):
    pass


def interrupt():
    raise Interruption


def interrupted(directory, step, **arguments):
    with pytest.raises(Interruption):
        run(directory, callbacks=[At(step, interrupt)], **arguments)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Final state and history of a run that nothing happened to."""
    model = run(tmp_path_factory.mktemp("unbroken"))
    return state(model), model.history


def check(model, unbroken):
    numbers, history = unbroken
    np.testing.assert_array_equal(state(model), numbers)
    assert model.history.epoch == history.epoch
    for name, values in history.history.items():
        assert model.history.history[name] == pytest.approx(values, rel=1e-6)


def kill(directory, every, step):
    """Runs in another process that SIGKILL ends."""
    root = pathlib.Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, SCRIPT, directory, str(every), str(step)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert result.returncode == -signal.SIGKILL, result.stderr


def test_a_killed_process_resumes_within_its_epoch(tmp_path):
    kill(tmp_path / "killed", 3, STEPS + 3)
    data = Data()
    model = run(tmp_path / "killed", data=data, eager=False)
    # On PyTorch `fit` draws each batch itself, so they are dropped.
    step = 0 if keras.backend.backend() == "torch" else 3
    assert data.seeks == [(1, step), (2, 0)]
    want = run(tmp_path / "unbroken", eager=False)
    check(model, (state(want), want.history))


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 3, "epoch"])
def test_a_process_killed_again_and_again(tmp_path, every):
    for step in (3, 2, STEPS + 1, STEPS, 1):
        kill(tmp_path / "killed", every, step)
    model = run(tmp_path / "killed", every, eager=False)
    want = run(tmp_path / "unbroken", eager=False)
    check(model, (state(want), want.history))


@pytest.mark.parametrize(
    "every, steps",
    [
        ("epoch", [STEPS + 2]),
        (1, [1]),
        # Twice in one epoch, then just at the end of one.
        (1, [2, 2, STEPS]),
        # More seldom than the epochs end.
        (STEPS + 3, [2 * STEPS + 2]),
    ],
)
def test_an_interrupted_run_ends_like_an_unbroken_one(
    tmp_path, unbroken, every, steps
):
    for step in steps:
        interrupted(tmp_path, step, every=every)
    check(run(tmp_path, every), unbroken)


def test_the_log_has_each_epoch_once(tmp_path, unbroken):
    for step in (STEPS + 3, 3):
        interrupted(tmp_path / "backup", step, csv=tmp_path / "log.csv")
    run(tmp_path / "backup", csv=tmp_path / "log.csv")
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "0", "1", "2"]
    losses = [float(line.split(",")[2]) for line in lines[1:]]
    assert losses == pytest.approx(unbroken[1].history["loss"])


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="Keras on PyTorch has none"
)
def test_steps_per_execution(tmp_path):
    arguments = {"every": 2, "steps_per_execution": 2, "eager": False}
    want = state(run(tmp_path / "a", **arguments))
    interrupted(tmp_path / "b", STEPS // 2 + 1, **arguments)
    data = Data()
    model = run(tmp_path / "b", data=data, **arguments)
    assert data.seeks == [(1, 2), (2, 0)]
    np.testing.assert_array_equal(state(model), want)


def test_without_data_batches_are_drawn_and_dropped(tmp_path, unbroken):
    def fit(callbacks=()):
        model = make_model()
        model.compile(
            AlexNetSGD(0.05),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            run_eagerly=True,
        )
        backup = ResumableBackup(tmp_path, every=3)
        model.fit(
            *arrays,
            batch_size=16,
            epochs=2,
            callbacks=[backup, *callbacks],
            shuffle=False,
            verbose=0,
        )
        return model

    batches = list(Data().dataset)
    arrays = [np.concatenate([b[i] for b in batches]) for i in (0, 1)]
    with pytest.raises(Interruption):
        fit([At(STEPS + 3, interrupt)])
    resumed = fit()
    for file in tmp_path.iterdir():
        file.unlink()
    want = fit()
    np.testing.assert_array_equal(state(resumed), state(want))
    assert resumed.history.history == want.history.history


def test_the_learning_rate_goes_on_falling(tmp_path):
    # Divided at the end of epochs 1 and 2, interrupted in epoch 2.
    interrupted(tmp_path, 2 * STEPS + 3)
    model = run(tmp_path)
    rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    assert rate == pytest.approx(0.05 / 100, rel=1e-5)


def test_a_second_fit_is_not_held_back(tmp_path):
    run(tmp_path, epochs=2)
    model = run(tmp_path)
    assert model.history.epoch == list(range(EPOCHS))
    model.fit(Data().dataset, epochs=1, shuffle=False, verbose=0)
    assert model.history.epoch == [0]


def test_a_finished_run_does_nothing_more(tmp_path, unbroken):
    want = run(tmp_path)
    before = (tmp_path / "backup.npz").read_bytes()
    again = run(tmp_path)
    np.testing.assert_array_equal(state(again), state(want))
    assert again.history.history == want.history.history
    assert (tmp_path / "backup.npz").read_bytes() == before


def test_a_run_stopped_at_the_end_of_an_epoch_is_finished(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    run(tmp_path, callbacks=[Stop()])
    assert run(tmp_path).history.epoch == [0, 1]


def test_a_finished_run_has_the_states_of_its_callbacks(tmp_path):
    """What has stopped a run is asked about it when it is started again."""

    class Stop(keras.callbacks.Callback):
        state_names = ("hopeless",)

        def on_train_begin(self, logs=None):
            self.hopeless = False

        def on_epoch_end(self, epoch, logs=None):
            self.hopeless = self.model.stop_training = epoch == 1

    for _ in range(2):
        stop = Stop()
        backup = ResumableBackup(tmp_path, callbacks=[stop])
        plain_fit(stop, backup, epochs=4)
        assert stop.hopeless
        assert stop.model.history.epoch == [0, 1]


def test_a_run_stopped_within_an_epoch_goes_on(tmp_path, unbroken):
    def stop():
        at.model.stop_training = True

    at = At(STEPS + 2, stop)
    run(tmp_path, callbacks=[at], order=-1)
    _, position = Snapshots(tmp_path).read()
    assert (position["epoch"], position["step"]) == (1, 2)
    assert position["history"][0] == [0]
    assert not position["finished"]
    check(run(tmp_path), unbroken)


def test_states_of_keras_callbacks(tmp_path):
    def fit(epochs, x):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        stopping = keras.callbacks.EarlyStopping("loss", patience=4)
        backup = ResumableBackup(tmp_path, callbacks=[stopping])
        model.fit(
            x,
            np.zeros((4, 1)),
            epochs=epochs,
            callbacks=[stopping, backup],
            verbose=0,
        )
        return model, stopping

    # The loss is 0 from the beginning, so nothing improves after epoch 0.
    _, stopping = fit(3, np.zeros((4, 2)))
    assert stopping.wait == 2
    model, stopping = fit(9, np.zeros((4, 2)))
    assert model.history.epoch == [0, 1, 2, 3, 4]


def test_the_best_weights_of_early_stopping_come_back(tmp_path):
    """The best epoch is before the interruption."""

    def fit(directory, *callbacks):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        # It diverges, so the first epoch is the best.
        model.compile(keras.optimizers.SGD(3.0), "mse")
        stopping = keras.callbacks.EarlyStopping(
            "loss", patience=4, restore_best_weights=True
        )
        backup = ResumableBackup(directory, callbacks=[stopping])
        model.fit(
            np.ones((4, 2)),
            np.ones((4, 1)),
            epochs=9,
            callbacks=[stopping, *callbacks, backup],
            verbose=0,
        )
        return model, stopping

    unbroken, _ = fit(tmp_path / "a")
    with pytest.raises(Interruption):
        fit(tmp_path / "b", At(4, interrupt))
    resumed, stopping = fit(tmp_path / "b")
    assert stopping.best_epoch == 0 and len(resumed.history.epoch) == 5
    for found, want in zip(
        resumed.get_weights(), unbroken.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(found, want)


def test_a_full_disk_does_not_stop_training(tmp_path, monkeypatch, unbroken):
    save, full = np.savez, []

    def savez(file, **arrays):
        full.append(len(full) == 1)
        if full[-1]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(file, **arrays)

    monkeypatch.setattr(np, "savez", savez)
    with pytest.warns(
        UserWarning,
        match="(?s)backup.npz could not be written .No space.*needs .* are "
        "free.*Training goes on",
    ):
        check(run(tmp_path), unbroken)
    assert full.count(True) == 1 and len(full) > 2
    assert {path.name for path in tmp_path.iterdir()} == {
        "backup.npz",
        "backup.previous.npz",
    }


def test_a_folder_that_cannot_be_written_to_is_refused_first(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="`directory` must be a folder that"):
        run(tmp_path / "file" / "run")


def test_random_states(tmp_path):
    class Draw(At):
        def __init__(self):
            super().__init__(0, interrupt)
            self.drawn = []

        def on_train_batch_begin(self, batch, logs=None):
            self.drawn.append((random.random(), np.random.rand()))

    unbroken, resumed = Draw(), Draw()
    run(tmp_path / "a", callbacks=[unbroken])
    with pytest.raises(Interruption):
        run(tmp_path / "b", callbacks=[Draw(), At(STEPS + 1, interrupt)])
    run(tmp_path / "b", callbacks=[resumed])
    assert resumed.drawn == unbroken.drawn[STEPS:]


def test_bfloat16_weights(tmp_path):
    def fit(epochs):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.Input((2,)), keras.layers.Dense(1, dtype="bfloat16")]
        )
        model.compile("sgd", "mse")
        backup = ResumableBackup(tmp_path)
        x, y = np.ones((4, 2)), np.ones((4, 1))
        model.fit(x, y, epochs=epochs, callbacks=[backup], verbose=0)
        return model.get_weights()[0]

    first = fit(1)
    np.testing.assert_array_equal(fit(1), first)


def test_a_truncated_backup_gives_way_to_the_one_before(tmp_path, unbroken):
    interrupted(tmp_path, STEPS + 3)
    path = tmp_path / "backup.npz"
    os.truncate(path, path.stat().st_size // 2)
    with pytest.warns(UserWarning, match="backup.npz is damaged"):
        model = run(tmp_path)
    check(model, unbroken)


def test_a_loss_that_is_not_finite_is_not_saved(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((8, 2)), np.ones((8, 1))
    x[5] = np.nan
    backup = ResumableBackup(tmp_path, every=1)
    model.fit(x, y, batch_size=2, shuffle=False, callbacks=[backup], verbose=0)
    arrays, position = Snapshots(tmp_path).read()
    assert position["step"] == 2
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_initial_epoch(tmp_path):
    assert ResumableBackup(tmp_path).initial_epoch == 0
    run(tmp_path, epochs=2)
    assert ResumableBackup(tmp_path).initial_epoch == 2


def test_a_backup_of_another_model_is_refused(tmp_path):
    run(tmp_path, epochs=1)
    x, y = np.ones((4, 5)), np.ones((4, 3))
    for units, match in (
        ([3], "holds 5 variables of the model, which has 2"),
        ([4, 3], "holds model/0/fc7/kernel of shape .* has .5, 4"),
    ):
        layers = [keras.layers.Dense(n) for n in units]
        if len(units) > 1:
            layers.append(keras.layers.Dropout(0.1))
        model = keras.Sequential([keras.Input((5,)), *layers])
        model.compile("sgd", "mse")
        backup = ResumableBackup(tmp_path)
        with pytest.raises(ValueError, match=match):
            model.fit(x, y, callbacks=[backup], verbose=0)


def test_a_model_that_is_not_built_is_refused(tmp_path):
    run(tmp_path, epochs=1)
    model = keras.Sequential([keras.layers.Dense(3)])
    model.compile("sgd", "mse")
    backup = ResumableBackup(tmp_path)
    backup.set_model(model)
    with pytest.raises(ValueError, match="needs a model that is built"):
        backup.on_train_begin()


@pytest.mark.parametrize("every", [0, -1, 2.5, "step"])
def test_every_is_checked(tmp_path, every):
    with pytest.raises(ValueError, match=f"`every` must be.*{every!r}"):
        ResumableBackup(tmp_path, every=every)


def test_cut_rows(tmp_path):
    path = tmp_path / "log.csv"
    cut_rows(path, 3)
    assert not path.exists()
    whole = "epoch,loss\n0,1.5\n1,1.25\n2,1.0\n"
    for epoch, lines in ((0, 1), (2, 3), (9, 4)):
        path.write_text(whole)
        cut_rows(path, epoch)
        kept = whole.splitlines(keepends=True)[:lines]
        assert path.read_text() == "".join(kept)
    path.write_text(whole + "x")
    cut_rows(path, 9)
    assert path.read_text() == whole


def test_what_is_saved_is_json_and_arrays(tmp_path):
    run(tmp_path, epochs=1)
    with np.load(tmp_path / "backup.npz", allow_pickle=False) as file:
        names = file.files
        position = json.loads(str(file[""]))
    assert "model/0/fc7/kernel" in names
    assert any("momentum" in name for name in names)
    assert any("seed" in name for name in names)
    assert position["callbacks"][0][0] == DivideOnPlateau.__name__


def plain_fit(*callbacks, epochs):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 2)), np.ones((4, 1))
    return model.fit(
        x, y, batch_size=2, epochs=epochs, callbacks=[*callbacks], verbose=0
    )


def test_keras_reads_the_epoch_to_begin_at():
    class Begin(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.model._initial_epoch = 2

    assert plain_fit(Begin(), epochs=3).epoch == [2], (
        "Keras changed `Model._initial_epoch`, by which `ResumableBackup` "
        "tells `fit` where to begin"
    )


def test_keras_calls_the_train_function_of_the_model():
    class Replace(keras.callbacks.Callback):
        calls = 0

        def on_epoch_begin(self, epoch, logs=None):
            train = self.model.train_function

            def count(*arguments):
                self.calls += 1
                return train(*arguments)

            self.model.train_function = count

    replace = Replace()
    plain_fit(replace, epochs=1)
    assert replace.calls == 2, (
        "Keras changed `Model.train_function`, which `ResumableBackup` "
        "replaces to count through the steps of a backup"
    )
