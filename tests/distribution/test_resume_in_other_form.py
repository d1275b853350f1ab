"""Training that begins on one device goes on in columns, and the reverse."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from column_networks import LOSS
from column_networks import assert_same
from column_networks import batch
from column_networks import reference

from keras_alexnet.distribution import ColumnParallelStrategy
from keras_alexnet.distribution import to_columns
from keras_alexnet.distribution import to_grouped
from keras_alexnet.training import AlexNetSGD
from keras_alexnet.training import ResumableBackup


def train(directory, strategy, epochs):
    keras.utils.set_random_seed(0)
    model = reference()
    if strategy is not None:
        with strategy.scope():
            model = to_columns(model)
            model.compile(AlexNetSGD(), LOSS)
    # An `EarlyStopping` that never stops, but keeps weights.
    keep = keras.callbacks.EarlyStopping(
        "loss", patience=9, restore_best_weights=True
    )
    x, y = batch(8)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
    model.fit(
        data,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[keep, ResumableBackup(directory, callbacks=[keep])],
    )
    return model, keep


@pytest.mark.parametrize("first", ["grouped", "columns"])
def test_a_backup_of_either_form_resumes_in_either(first, tmp_path):
    strategy = ColumnParallelStrategy(["/CPU:0", "/CPU:1"])
    strategies = [None, strategy] if first == "grouped" else [strategy, None]
    unbroken, _ = train(tmp_path / "unbroken", None, epochs=3)
    train(tmp_path / "resumed", strategies[0], epochs=1)
    resumed, keep = train(tmp_path / "resumed", strategies[1], epochs=3)
    assert resumed.history.epoch == [0, 1, 2]
    assert int(resumed.optimizer.iterations) == 6
    shapes = [w.shape for w in resumed.get_weights()]
    assert [w.shape for w in keep.best_weights] == shapes
    whole = to_grouped(resumed) if strategies[1] else resumed
    assert_same(unbroken.weights, whole.weights, 1e-4)
    np.testing.assert_allclose(
        resumed.history.history["loss"],
        unbroken.history.history["loss"],
        rtol=1e-4,
    )
