import time

import keras
import pytest
import tensorflow as tf

from keras_alexnet.distribution import ColumnParallelStrategy
from keras_alexnet.distribution import Mirrored
from keras_alexnet.distribution import device_iterators


def test_tensorflow_still_makes_datasets_of_replicas_there():
    from tensorflow.python.data.ops import multi_device_iterator_ops as module

    changed = (
        f"TensorFlow changed `multi_device_iterator_ops."
        f"{device_iterators.HOOK}`: see how `fit` is kept from waiting for "
        "the iterators of replicas, in distribution/device_iterators.py"
    )
    assert hasattr(module, device_iterators.HOOK), changed
    device_iterators.stop_device_autotuning()
    made = []
    wrapped = getattr(module, device_iterators.HOOK)
    try:
        setattr(
            module,
            device_iterators.HOOK,
            lambda *args, **kwargs: (
                made.append(wrapped(*args, **kwargs)) or made[-1]
            ),
        )
        strategy = tf.distribute.MirroredStrategy(["/CPU:0", "/CPU:1"])
        dataset = tf.data.Dataset.range(4).batch(2)
        assert len(list(strategy.experimental_distribute_dataset(dataset))) == 2
    finally:
        setattr(module, device_iterators.HOOK, wrapped)
    assert len(made) == 2, changed
    assert {each.options().autotune.enabled for each in made} == {False}


def test_a_second_call_changes_nothing():
    from tensorflow.python.data.ops import multi_device_iterator_ops as module

    device_iterators.stop_device_autotuning()
    once = getattr(module, device_iterators.HOOK)
    device_iterators.stop_device_autotuning()
    assert getattr(module, device_iterators.HOOK) is once


def test_another_tensorflow_is_told_of(monkeypatch):
    monkeypatch.setattr(device_iterators, "HOOK", "_renamed")
    with pytest.warns(UserWarning, match="TensorFlow changed `multi.*_renamed"):
        device_iterators.stop_device_autotuning()


class Ends(keras.callbacks.Callback):
    """Sleeps in steps, and measures what `fit` needs besides."""

    def __init__(self, steps, seconds):
        super().__init__()
        self.steps, self.seconds = steps, seconds
        self.last = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        time.sleep(self.seconds / self.steps)
        self.last = time.perf_counter()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Mirrored, ColumnParallelStrategy])
def test_fit_returns_after_its_last_step(kind):
    """With autotuning it returns about 4.6 seconds later."""
    strategy = kind(["/CPU:0", "/CPU:1"])
    with strategy.scope():
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
    x = tf.ones((40, 1))
    # Naps of the tuner double from 10 ms: one begins after 5.11 s.
    ends = Ends(steps=10, seconds=5.6)
    model.fit(x, x, batch_size=4, verbose=0, callbacks=[ends])
    assert time.perf_counter() - ends.last < 3
