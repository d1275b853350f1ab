"""A tiny run for the tests of backups; as a script it kills itself.

    python run_to_kill.py DIRECTORY EVERY KILL_AT

`KILL_AT` is the step, over all epochs, after which the process receives
SIGKILL.
"""

import os
import signal
import sys

import keras
import numpy as np
import tensorflow as tf

from keras_alexnet.training import AlexNetSGD
from keras_alexnet.training import DivideOnPlateau
from keras_alexnet.training import ResumableBackup
from keras_alexnet.training import TopKError

STEPS = 4
EPOCHS = 3


class Data:
    """The contract of `TrainingData`, without images."""

    steps_per_epoch = STEPS

    def __init__(self):
        self.seeks = []
        self._epoch = tf.Variable(0, dtype=tf.int64)
        self._step = tf.Variable(0, dtype=tf.int64)
        steps = tf.data.Dataset.range(1).flat_map(
            lambda _: tf.data.Dataset.range(self._step.read_value(), STEPS)
        )
        batches = steps.map(self._batch).prefetch(2)
        known = tf.data.experimental.assert_cardinality(STEPS)
        self.dataset = batches.apply(known)

    def _batch(self, step):
        seed = tf.stack([self._epoch.read_value(), step])
        x = tf.random.stateless_normal((16, 5), seed)
        return x, tf.argmax(x[:, :3], axis=1)

    def seek(self, epoch, step=0):
        self.seeks.append((epoch, step))
        self._epoch.assign(epoch)
        self._step.assign(step)


class At(keras.callbacks.Callback):
    """Does something after a number of steps."""

    def __init__(self, step, action):
        super().__init__()
        self.step = step
        self.action = action
        self.seen = 0

    def on_train_batch_end(self, batch, logs=None):
        self.seen += 1
        if self.seen == self.step:
            self.action()


def make_model():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5,))
    x = keras.layers.Dense(16, activation="relu", name="fc7")(inputs)
    x = keras.layers.Dropout(0.5, name="drop7")(x)
    x = keras.layers.Dense(3, activation="softmax", name="fc8")(x)
    return keras.Model(inputs, x)


def run(
    directory,
    every=3,
    callbacks=(),
    epochs=EPOCHS,
    data=None,
    csv=None,
    eager=True,
    steps_per_execution=1,
    order=1,
):
    """Trains, from the beginning or from the backup; gives the model."""
    model = make_model()
    model.compile(
        AlexNetSGD(0.05),
        "sparse_categorical_crossentropy",
        metrics=[TopKError(1)],
        run_eagerly=eager,
        steps_per_execution=steps_per_execution,
    )
    # Finds that nothing improves after the first epoch.
    kept = [DivideOnPlateau("loss", min_delta=9.0, patience=1, stop=False)]
    if csv is not None:
        kept.append(keras.callbacks.CSVLogger(csv, append=True))
    data = data or Data()
    backup = ResumableBackup(directory, data, every, kept)
    model.fit(
        data.dataset,
        epochs=epochs,
        callbacks=[backup, *kept, *callbacks][::order],
        shuffle=False,
        verbose=0,
    )
    return model


def state(model):
    """All numbers that a run ends with."""
    variables = model.variables + model.optimizer.variables
    arrays = [keras.ops.convert_to_numpy(v).ravel() for v in variables]
    return np.concatenate([array.astype("float64") for array in arrays])


if __name__ == "__main__":
    folder, every, kill_at = sys.argv[1:]
    kill = At(int(kill_at), lambda: os.kill(os.getpid(), signal.SIGKILL))
    every = every if every == "epoch" else int(every)
    run(folder, every, [kill], eager=False)
