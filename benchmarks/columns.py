"""Two columns on two devices against one device and data parallelism.

    python benchmarks/columns.py [--input_size=128 --batch_size=16]

The same network, batch and optimizer in a training step each: grouped on one
device; one branch per column, on one device and on two; mirrored on two, with
half of the batch each. Devices are GPUs where there are two, else logical
CPUs, which share the cores: there the figures show what the columns cost, not
what a second device gains.
"""

import logging
import os
import subprocess
import sys

from absl import app
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("input_size", 128, "Pixels.")
flags.DEFINE_integer("batch_size", 16, "Images per step, of all devices.")
flags.DEFINE_integer("repeats", 5, "Counted rounds.")
flags.DEFINE_string("memory_of", None, "Only prints bytes; for a subprocess.")


def devices():
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if len(gpus) > 1:
        return ["/GPU:0", "/GPU:1"]
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * 2,
    )
    return ["/CPU:0", "/CPU:1"]


def build(strategy):
    from keras_alexnet import AlexNet
    from keras_alexnet.training import AlexNetSGD

    size = FLAGS.input_size
    with strategy.scope():
        model = AlexNet(input_shape=(size, size, 3))
        model.compile(
            AlexNetSGD(1e-4),
            "sparse_categorical_crossentropy",
            jit_compile=False,
        )
    return model


def make_step(model, x, y):
    """A step on a replica's share of the batch; returns when it is done."""
    replicas = model.distribute_strategy.num_replicas_in_sync
    share = len(x) // replicas
    # Each replica is given the same.
    x, y = x[:share], y[:share]

    def run():
        model.train_on_batch(x, y)

    return run


def crossing_bytes(model, x, y):
    """Bytes between devices in a step; reductions as a ring's."""
    from keras_alexnet.distribution import placed_step

    replicas = model.distribute_strategy.num_replicas_in_sync
    share = len(x) // replicas
    _, transfers = placed_step(model, (x[:share], y[:share]))
    copied = sum(transfer.bytes or 0 for transfer in transfers)
    reduced = 2 * (replicas - 1) * 4 * model.count_params()
    return copied + reduced


def memory(name, run, names):
    """Peak bytes per GPU, or what a step adds to a process where is none."""
    import tensorflow as tf

    if names[0].startswith("/CPU"):
        return f"a step adds {process_memory(name) / 1e6:6.0f} MB"
    found = []
    for name in names:
        tf.config.experimental.reset_memory_stats(name[1:])
        run()
        peak = tf.config.experimental.get_memory_info(name[1:])["peak"]
        found.append(f"{name[1:]} {peak / 1e6:.0f} MB")
    return "peak " + ", ".join(found)


def process_memory(name):
    """In a process of its own, where nothing is pooled."""
    command = [sys.executable, __file__, f"--memory_of={name}"]
    command += [f"--input_size={FLAGS.input_size}"]
    command += [f"--batch_size={FLAGS.batch_size}"]
    environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    # With oneDNN, TensorFlow's allocator pools whatever the other says.
    environment["TF_ENABLE_ONEDNN_OPTS"] = "0"
    environment["TF_CPU_ALLOCATOR_USE_BFC"] = "false"
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment
    )
    return float(done.stdout.split()[-1])


def main(_):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import numpy as np
    import tensorflow as tf
    from timing import interleave
    from timing import machine
    from timing import peak_memory
    from timing import report

    from keras_alexnet.distribution import ColumnParallelStrategy
    from keras_alexnet.distribution import Mirrored

    # It tells of every reduction.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    names = devices()
    strategies = {
        "grouped, one device": tf.distribute.OneDeviceStrategy(names[0]),
        "columns, one device": ColumnParallelStrategy(names[:1] * 2),
        "columns, two devices": ColumnParallelStrategy(names),
        "mirrored, two devices": Mirrored(names),
    }
    size, count = FLAGS.input_size, FLAGS.batch_size
    x = np.random.default_rng(0).normal(size=(count, size, size, 3))
    x, y = x.astype("float32"), np.arange(count) % 1000
    if FLAGS.memory_of:
        model = build(strategies[FLAGS.memory_of])
        print(peak_memory(make_step(model, x, y)))
        return
    steps, rows = {}, []
    for name, strategy in strategies.items():
        keras.utils.set_random_seed(0)
        model = build(strategy)
        steps[name] = make_step(model, x, y)
        steps[name]()
        crossing = crossing_bytes(model, x, y) / 1e6
        found = memory(name, steps[name], names)
        rows.append(f"  {name:24} {crossing:9.2f} MB cross  {found}")
    seconds = interleave(steps, FLAGS.repeats)
    print(machine(), "; load", os.getloadavg()[0])
    title = f"A training step, {count} images of {size} pixels, {names}"
    report(title, seconds, "grouped, one device")
    print(*rows, sep="\n")


if __name__ == "__main__":
    app.run(main)
