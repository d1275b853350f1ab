"""What `fit` needs at the ends of epochs, with and without autotuning.

    python benchmarks/epoch_ends.py [--quick]

Epochs of 13 seconds, validated, under each strategy: the time from the last
step to the validation, from there to the first step of the next epoch, and
from the last step to the return of `fit`. A step is a sleep, so the figures
hold for any network; devices are GPUs where there are enough, else logical
CPUs. Contestants take turns, two epochs each. "Tuned" is what TensorFlow does
by default. Then the rate of `TrainingData` alone, on JPEG files.
"""

import contextlib
import os
import pathlib
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import app
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_list(
    "strategies",
    ["none", "columns", "mirrored", "mirrored_columns"],
    'Of these and "multiworker_columns", here one worker.',
)
flags.DEFINE_list("tuning", ["untuned", "tuned"], "Which of these.")
flags.DEFINE_integer("epochs", 10, "Epochs of each, an even number.")
flags.DEFINE_float("seconds", 13.0, "Length of an epoch.")
flags.DEFINE_integer("images", 256, "JPEG files; 0 leaves their rate out.")
flags.DEFINE_integer("repeats", 5, "Counted rounds of the JPEG files.")
flags.DEFINE_bool("quick", False, "Two epochs of a second, one round.")

STEPS = 50
GAPS = ("to validation", "to next epoch", "to return")


@contextlib.contextmanager
def tuned_replicas():
    """TensorFlow's iterators of replicas as they are without this package."""
    from tensorflow.python.data.ops import multi_device_iterator_ops as module

    from keras_alexnet.distribution.device_iterators import HOOK

    ours = getattr(module, HOOK)
    setattr(module, HOOK, getattr(ours, "__wrapped__", ours))
    try:
        yield
    finally:
        setattr(module, HOOK, ours)


def with_tuning(dataset):
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = True
    return dataset.with_options(options)


def make_stopwatch(seconds):
    import keras

    class Stopwatch(keras.callbacks.Callback):
        """Sleeps in each step, and notes what passes between epochs."""

        def __init__(self):
            super().__init__()
            self.gaps = {name: [] for name in GAPS}
            self.since = None

        def note(self, name):
            if self.since is not None:
                self.gaps[name].append(time.perf_counter() - self.since)
            self.since = None

        def on_train_batch_begin(self, batch, logs=None):
            self.note("to next epoch")

        def on_train_batch_end(self, batch, logs=None):
            time.sleep(seconds / STEPS)
            if batch == STEPS - 1:
                self.since = time.perf_counter()

        def on_test_begin(self, logs=None):
            self.note("to validation")

        def on_test_end(self, logs=None):
            self.since = time.perf_counter()

    return Stopwatch()


def make_contestant(name, strategy, tuning, seconds):
    """A function that trains two epochs, and its stopwatch."""
    import keras
    import numpy as np

    from keras_alexnet.data import TrainingData
    from keras_alexnet.data import evaluation_data
    from keras_alexnet.data import load_source

    images = np.zeros((16 * STEPS, 8, 8, 3), "uint8")
    labels = np.arange(len(images)) % 10
    source = load_source(
        {"train": (images, labels), "test": (images[:64], labels[:64])}
    )
    data = TrainingData(source, input_size=8, resize=9, batch_size=16)
    validation = evaluation_data(
        source, input_size=8, resize=9, batch_size=16, view="center"
    )
    training, context = data.dataset, contextlib.nullcontext
    if tuning == "tuned":
        length = training.cardinality
        training, validation = with_tuning(training), with_tuning(validation)
        training.cardinality = length
        context = tuned_replicas
    with strategy.scope():
        image = keras.Input((8, 8, 3))
        outputs = keras.layers.Dense(10)(keras.layers.Flatten()(image))
        model = keras.Model(image, outputs)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss)
    # What is traced at the first step and at the first validation is no wait.
    model.fit(training, validation_data=validation, verbose=0)
    stopwatch = make_stopwatch(seconds)

    def train():
        with context():
            model.fit(
                training,
                epochs=2,
                validation_data=validation,
                callbacks=[stopwatch],
                verbose=0,
            )
            stopwatch.note("to return")

    return train, stopwatch


def divide_cpu():
    import tensorflow as tf

    if len(tf.config.list_physical_devices("GPU")) < 4:
        tf.config.set_visible_devices([], "GPU")
        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * 4,
        )


def time_ends(epochs, seconds):
    from keras_alexnet.distribution import strategy_from_name

    contestants = {}
    for name in FLAGS.strategies:
        strategy = strategy_from_name(name)
        for tuning in FLAGS.tuning:
            contestants[name, tuning] = make_contestant(
                name, strategy, tuning, seconds
            )
    for _ in range(epochs // 2):
        for train, _ in contestants.values():
            train()
    print(
        f"Seconds, median / maximum, over {epochs} epochs of {seconds:g} s "
        f"in fits of two"
    )
    print(f"{'':30}" + "".join(f"{name:>20}" for name in GAPS))
    for (name, tuning), (_, stopwatch) in contestants.items():
        columns = [
            f"{statistics.median(gaps):.2f} / {max(gaps):.2f}"
            for gaps in stopwatch.gaps.values()
        ]
        label = f"{name}, {tuning}"
        print(f"{label:30}" + "".join(f"{text:>20}" for text in columns))


def time_pipeline(repeats):
    import numpy as np
    import tensorflow as tf

    from keras_alexnet.data import TrainingData
    from keras_alexnet.data import load_source

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(FLAGS.images):
            place = pathlib.Path(folder) / "train" / f"class{number % 2}"
            place.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 255, (30, 40, 3)).astype("uint8")
            large = tf.cast(tf.image.resize(pixels, (375, 500)), tf.uint8)
            tf.io.write_file(
                str(place / f"{number}.jpg"), tf.io.encode_jpeg(large)
            )
        data = TrainingData(load_source(folder), batch_size=32)
        datasets = {
            "untuned": data.dataset,
            "tuned": with_tuning(data.dataset),
        }
        rates = {name: [] for name in datasets}
        for number in range(repeats + 1):
            for name, dataset in datasets.items():
                start = time.perf_counter()
                count = sum(len(labels) for _, labels in dataset)
                if number:
                    rates[name].append(count / (time.perf_counter() - start))
    print(f"`TrainingData` on JPEG files of 500x375, n = {repeats}")
    for name, values in rates.items():
        print(f"  {name:8} {statistics.median(values):7.0f} images/s")


def main(_):
    from timing import machine

    epochs, seconds, repeats = FLAGS.epochs, FLAGS.seconds, FLAGS.repeats
    if FLAGS.quick:
        epochs, seconds, repeats = 2, 1.0, 1
    print(machine())
    divide_cpu()
    time_ends(epochs, seconds)
    if FLAGS.images:
        time_pipeline(repeats)


if __name__ == "__main__":
    app.run(main)
