"""One worker that trains and validates on its share; says what it fetched.

TF_CONFIG=... python share_worker.py FOLDER EPOCHS
"""

import dataclasses
import json
import os
import pathlib
import sys

import keras
import numpy as np
import tensorflow as tf

from keras_alexnet.data import TrainingData
from keras_alexnet.data import evaluation_data
from keras_alexnet.data import load_source
from keras_alexnet.distribution import MultiWorkerMirrored
from keras_alexnet.training import ResumableBackup

STEPS = 12
BATCH = 32
# A last batch of 10, which four workers do not share equally.
TESTS = 5 * BATCH + 10


class Counter:
    """A source that counts what is fetched."""

    def __init__(self):
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, (STEPS * BATCH, 12, 12, 3), "uint8")
        labels = np.arange(len(images)) % 4
        source = load_source(
            {
                "train": (images, labels),
                "test": (images[:TESTS], labels[:TESTS]),
            }
        )
        self.counts = dict.fromkeys(source.splits, 0)
        splits = {
            key: dataclasses.replace(split, fetch=self._fetch(key, split))
            for key, split in source.splits.items()
        }
        self.source = dataclasses.replace(source, splits=splits)

    def _fetch(self, key, split):
        def count(index):
            self.counts[key] += 1
            return index

        def fetch(index):
            index = tf.numpy_function(count, [index], tf.int64)
            return split.fetch(tf.ensure_shape(index, ()))

        return fetch


def make_model():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(4, "softmax"),
        ]
    )
    model.compile(
        keras.optimizers.SGD(0.1, 0.9), "sparse_categorical_crossentropy"
    )
    return model


def run(folder, epochs, strategy):
    """Trains, or resumes; returns what was fetched, losses and arrays."""
    counter = Counter()
    options = dict(input_size=8, resize=12, batch_size=BATCH)
    data = TrainingData(counter.source, seed=3, **options)
    tests = evaluation_data(counter.source, view="center", **options)
    with strategy.scope():
        model = make_model()
    history = model.fit(
        data.dataset,
        epochs=epochs,
        validation_data=tests,
        shuffle=False,
        verbose=0,
        callbacks=[ResumableBackup(folder / "backup", data, every=5)],
    )
    counts = dict(counter.counts)
    predicted = model.predict(tests, verbose=0)
    weights = [weight.numpy() for weight in model.weights]
    return counts, history.history, [predicted, *weights]


def main(folder, epochs):
    folder = pathlib.Path(folder)
    rank = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    counts, history, arrays = run(folder, int(epochs), MultiWorkerMirrored())
    result = {"counts": counts, "history": history}
    (folder / f"result{rank}.json").write_text(json.dumps(result))
    np.savez(folder / f"result{rank}.npz", *arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
