"""One worker of a tiny multi-worker run, for the tests; kills itself if asked.

    TF_CONFIG=... python train_worker.py FOLDER RANK STEP TEAR

`STEP` is the step, over all epochs, after which the worker of that rank
receives SIGKILL, in the first run only. With `TEAR` 1 it truncates the backup
before.
"""

import dataclasses
import json
import os
import pathlib
import signal
import sys

import keras
import numpy as np
import tensorflow as tf

from keras_alexnet import AlexNet
from keras_alexnet.distribution import MultiWorkerColumns
from keras_alexnet.distribution import WorkersAgree
from keras_alexnet.distribution import to_columns
from keras_alexnet.distribution import to_grouped
from keras_alexnet.models import PAPER
from keras_alexnet.training import AlexNetSGD
from keras_alexnet.training import ResumableBackup

STEPS = 4
EPOCHS = 2
BATCH = 8
SIZE = 15
NETWORK = dataclasses.replace(
    PAPER,
    filters=(4, 4, 8),
    kernel_sizes=(3, 3, 3),
    strides=(2, 1, 1),
    paddings=("ceil", "same", "same"),
    stages=(("activation", "pool"), ("activation",), ("activation", "pool")),
    fc_units=(16,),
    dropout=0.0,
    initial_stds=("he",) * 5,
    initial_biases=(0.1,) * 5,
)


class Data:
    """The contract of `TrainingData`, without images."""

    steps_per_epoch = STEPS

    def __init__(self):
        self._epoch = tf.Variable(0, dtype=tf.int64)
        self._step = tf.Variable(0, dtype=tf.int64)
        steps = tf.data.Dataset.range(1).flat_map(
            lambda _: tf.data.Dataset.range(self._step.read_value(), STEPS)
        )
        known = tf.data.experimental.assert_cardinality(STEPS)
        self.dataset = steps.map(self._batch).apply(known)

    def _batch(self, step):
        seed = tf.stack([self._epoch.read_value(), step])
        images = tf.random.stateless_normal((BATCH, SIZE, SIZE, 3), seed)
        return images, tf.range(BATCH) % 4

    def seek(self, epoch, step=0):
        self._epoch.assign(epoch)
        self._step.assign(step)


def grouped_model():
    keras.utils.set_random_seed(1)
    model = AlexNet(
        input_shape=(SIZE, SIZE, 3), classes=4, architecture=NETWORK
    )
    model.compile(
        AlexNetSGD(0.01),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


class KillAt(keras.callbacks.Callback):
    def __init__(self, iteration, torn=None):
        super().__init__()
        self.iteration = iteration
        self.torn = torn

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations.numpy()) == self.iteration:
            if self.torn is not None:
                os.truncate(self.torn, self.torn.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder, kill_rank=-1, kill_at=-1, tear=0):
    rank = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    folder = pathlib.Path(folder)
    callbacks = []
    killed = folder / "killed"
    if rank == int(kill_rank) and not killed.exists():
        killed.touch()
        torn = folder / "backup" / "backup.npz" if int(tear) else None
        callbacks.append(KillAt(int(kill_at), torn))
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    strategy = MultiWorkerColumns()
    model = grouped_model()
    with strategy.scope():
        model = to_columns(model)
    data = Data()
    backup = ResumableBackup(folder / "backup", data, every=3)
    validation = Data().dataset
    history = model.fit(
        data.dataset,
        epochs=EPOCHS,
        validation_data=validation,
        shuffle=False,
        verbose=0,
        callbacks=[backup, WorkersAgree(), *callbacks],
    )
    images = np.concatenate([x for x, _ in validation])
    predicted = model.predict(images, batch_size=BATCH, verbose=0)
    devices = {
        variable.path: str(variable.value.values[0].device)
        for variable in model.weights + model.optimizer.variables
    }
    (folder / f"devices{rank}.json").write_text(json.dumps(devices))
    (folder / f"history{rank}.json").write_text(json.dumps(history.history))
    weights = [w.numpy() for w in to_grouped(model).weights]
    np.savez(folder / f"result{rank}.npz", predicted, *weights)


if __name__ == "__main__":
    main(*sys.argv[1:])
