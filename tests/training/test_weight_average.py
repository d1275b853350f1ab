import keras
import numpy as np
import pytest

from keras_alexnet.training import WeightAverage


class Steps(keras.callbacks.Callback):
    """Weights 1, 2, 4, 8, … after each epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.layers[-1].kernel.assign([[2.0**epoch]])


class StopAfter(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == self.epoch


def trained(average, epochs, first=0, last=None):
    inputs = keras.Input((1,))
    outputs = keras.layers.Dense(1, use_bias=False)(inputs)
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x = np.zeros((1, 1))
    model.fit(
        x,
        x,
        epochs=epochs,
        initial_epoch=first,
        verbose=0,
        callbacks=[Steps(), average, StopAfter(last)],
    )
    return model


def kernel(model):
    return float(model.get_weights()[0][0, 0])


@pytest.mark.parametrize(
    "start, want", [(0.5, (4 + 8) / 2), (0.0, 15 / 4), (0.75, 8)]
)
def test_the_mean_of_the_last_epochs(start, want):
    average = WeightAverage(start)
    model = trained(average, 4)
    # Training itself goes on from the weights.
    assert kernel(model) == 8
    average.restore()
    assert kernel(model) == pytest.approx(want)


def test_an_interruption_changes_nothing(tmp_path):
    path = tmp_path / "average.npz"
    trained(WeightAverage(0.0, path), 4, last=2)
    # Begun again from a backup after the first epoch.
    average = WeightAverage(0.0, path)
    model = trained(average, 4, first=1)
    average.restore()
    assert kernel(model) == pytest.approx(15 / 4)


def test_without_an_epoch_nothing_is_restored():
    average = WeightAverage()
    average.restore()
    model = trained(average, 0)
    before = kernel(model)
    average.restore()
    assert kernel(model) == before


@pytest.mark.parametrize("start", [-0.1, 1, float("nan")])
def test_impossible_starts(start):
    with pytest.raises(ValueError, match=r"`start` must be in \[0, 1\)"):
        WeightAverage(start)


def test_a_file_of_another_training_or_length_does_not_count(tmp_path):
    path = tmp_path / "average.npz"
    trained(WeightAverage(path=path), epochs=4)
    # Its second half begins later.
    average = WeightAverage(path=path)
    model = trained(average, epochs=8, first=4)
    average.restore()
    assert kernel(model) == pytest.approx((16 + 32 + 64 + 128) / 4)
    average = WeightAverage(0.75, path)
    model = trained(average, epochs=8)
    average.restore()
    assert kernel(model) == pytest.approx((64 + 128) / 2)
