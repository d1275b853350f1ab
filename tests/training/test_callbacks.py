import itertools
import os
import types
import warnings

import keras
import numpy as np
import pytest

from keras_alexnet.training import AlexNetSGD
from keras_alexnet.training import DivergenceGuard
from keras_alexnet.training import EpochSeek
from keras_alexnet.training import KeepBest
from keras_alexnet.training import ResumableBackup
from keras_alexnet.training import StopBelow
from keras_alexnet.training import Stopwatch
from keras_alexnet.training import callbacks
from keras_alexnet.training.callbacks import HistoryFile


def make_model(classes=3, loss="sparse_categorical_crossentropy", rate=0.1):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(classes, activation="softmax")]
    )
    model.compile(AlexNetSGD(rate), loss, run_eagerly=True)
    return model


def make_batches(steps=4):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8 * steps, 4)).astype("float32")
    return x, rng.integers(3, size=8 * steps)


def fit(model, x, y, **arguments):
    return model.fit(
        x, y, batch_size=8, shuffle=False, verbose=0, **arguments
    ).history


def test_nan_stops_and_is_explained():
    model, guard = make_model(rate=0.25), DivergenceGuard()
    x, y = make_batches()
    x[17] = np.nan
    with pytest.warns(UserWarning, match="at step 2 of epoch 0") as caught:
        history = fit(model, x, y, epochs=3, callbacks=[guard])
    assert len(history["loss"]) == 1
    assert "it is 0.25; try a tenth" in guard.message
    assert "58" in guard.message
    found = [w for w in caught if str(w.message) == guard.message]
    assert len(found) == 1


def test_nan_may_only_warn():
    model, guard = make_model(), DivergenceGuard("warn")
    x, y = make_batches()
    with pytest.warns(UserWarning, match="The loss is nan"):
        history = fit(model, x * np.nan, y, epochs=3, callbacks=[guard])
    assert len(history["loss"]) == 3


def test_a_loss_at_chance_is_explained():
    model, guard = make_model(), DivergenceGuard(patience=2)
    # Without a signal the best that can be said is 1/3 for each class.
    x, y = np.zeros((24, 4), "float32"), np.arange(24) % 3
    with pytest.warns(
        UserWarning, match=r"For 2 epochs.*ln\(classes\) = 1.099"
    ):
        history = fit(model, x, y, epochs=4, callbacks=[guard])
    assert len(history["loss"]) == 4
    assert "0-255" in guard.message


def test_training_that_works_is_left_alone():
    model, guard = make_model(), DivergenceGuard(patience=1)
    x, _ = make_batches()
    y = x[:, :3].argmax(axis=1)
    fit(model, x, y, epochs=5)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*loss.*")
        fit(model, x, y, epochs=3, callbacks=[guard])
    assert guard.message is None


def test_action_is_checked():
    with pytest.raises(ValueError, match="`action` must be.*action='raise'"):
        DivergenceGuard("raise")


class FakeData:
    def __init__(self):
        self.epochs = []

    def seek(self, epoch):
        self.epochs.append(epoch)


def test_epoch_seek():
    data = FakeData()
    fit(
        make_model(),
        *make_batches(),
        initial_epoch=2,
        epochs=5,
        callbacks=[EpochSeek(data)],
    )
    assert data.epochs == [2, 3, 4]


@pytest.mark.parametrize("value, epochs", [(9.0, 1), (-1.0, 3)])
def test_training_ends_below_a_value(value, epochs):
    stop = StopBelow("loss", value)
    history = fit(make_model(), *make_batches(), epochs=3, callbacks=[stop])
    assert len(history["loss"]) == epochs


def test_stopping_needs_a_logged_value():
    stop = StopBelow("top1_error", 0.25)
    with pytest.raises(ValueError, match=r"\['loss'\].*'top1_error'"):
        fit(make_model(), *make_batches(), callbacks=[stop])


def test_the_best_weights_are_kept(tmp_path):
    model = make_model()
    path = tmp_path / "best.weights.h5"
    keeper = KeepBest(path, monitor="error")
    keeper.set_model(model)
    keeper.on_train_begin()
    for epoch, error in enumerate((0.5, 0.2, 0.3)):
        model.set_weights([np.full(w.shape, epoch) for w in model.weights])
        keeper.on_epoch_end(epoch, {"error": error})
    keeper.restore()
    assert all(np.all(w == 1) for w in model.get_weights())
    # Another process has the file alone.
    other = KeepBest(path)
    other.set_model(model)
    other.on_train_begin()
    model.set_weights([np.full(w.shape, 7) for w in model.weights])
    other.restore()
    assert all(np.all(w == 1) for w in model.get_weights())


def test_a_full_disk_costs_lines_and_no_training(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    path = tmp_path / "history.csv"
    log = HistoryFile(path)
    log.on_train_begin()
    log.on_epoch_end(0, {"loss": 2.0})
    log.csv_file.close()
    # Every write to it fails as on a full disk.
    log.csv_file, log.writer = open("/dev/full", "w"), None
    with pytest.warns(UserWarning, match="history.csv lacks .*No space left"):
        log.on_epoch_end(1, {"loss": 1.0})
    with pytest.warns(UserWarning, match="Training goes on"):
        log.on_train_end()
    log.on_train_begin()
    log.on_epoch_end(2, {"loss": 0.5})
    log.on_train_end()
    assert path.read_text().split() == [
        "epoch,loss,val_loss",
        "0,2.0,NA",
        "2,0.5,NA",
    ]


def test_a_full_disk_leaves_the_best_weights_from_before(tmp_path, monkeypatch):
    path = tmp_path / "best.weights.h5"
    model = make_model()
    keeper = KeepBest(path, monitor="error")
    keeper.set_model(model)
    keeper.on_train_begin()
    keeper.on_epoch_end(0, {"error": 0.5})
    want = [weight.copy() for weight in model.get_weights()]

    def full(name):
        with open(name, "wb") as file:
            file.write(b"half of it")
        raise OSError(28, "No space left on device")

    model.set_weights([weight + 1 for weight in want])
    with monkeypatch.context() as patch:
        patch.setattr(model, "save_weights", full, raising=False)
        with pytest.warns(UserWarning, match="No space left .* goes on"):
            keeper.on_epoch_end(1, {"error": 0.4})
    # Another process, which has seen neither.
    other = KeepBest(path)
    other.set_model(model)
    other.on_train_begin()
    other.restore()
    for got, kept in zip(model.get_weights(), want, strict=True):
        np.testing.assert_array_equal(got, kept)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_best_weights_that_cannot_be_saved_do_not_end_training(tmp_path):
    model = make_model()
    (tmp_path / "file").write_text("")
    keeper = KeepBest(tmp_path / "file" / "best.weights.h5", monitor="error")
    keeper.set_model(model)
    keeper.on_train_begin()
    with pytest.warns(UserWarning, match="could not be saved .* goes on"):
        keeper.on_epoch_end(0, {"error": 0.5})
    wanted = model.get_weights()
    model.set_weights([np.zeros(w.shape) for w in model.weights])
    keeper.restore()
    assert all(map(np.array_equal, model.get_weights(), wanted))


def test_the_best_of_what_is_not_measured():
    x, y = make_batches()
    with pytest.raises(ValueError, match="monitor='val_top1_error', measured"):
        fit(make_model(), x, y, epochs=1, callbacks=[KeepBest()])


def test_a_stopwatch_adds_up_all_processes(tmp_path, monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(
        callbacks, "time", types.SimpleNamespace(monotonic=lambda: next(clock))
    )
    x, y = make_batches()

    def seconds(epochs, on_batch=None):
        watch = Stopwatch()
        backup = ResumableBackup(tmp_path, callbacks=[watch])
        stop = keras.callbacks.LambdaCallback(on_train_batch_begin=on_batch)
        fit(make_model(), x, y, epochs=epochs, callbacks=[watch, stop, backup])
        return watch.seconds

    # Each look takes a second: four steps, and the end of the epoch.
    assert seconds(2) == 2 * 5

    def interrupt(batch, logs=None):
        if batch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seconds(4, interrupt)
    assert seconds(4) == 4 * 5
