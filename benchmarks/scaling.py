"""Images per second of 1, 2, 4 workers here, and a model of many more.

    python benchmarks/scaling.py [--workers=1,2] [--gpus=8,64,1024]

Measured: processes of this machine in data parallelism, a batch of 16 each
(more workers than cores are not started). Predicted: a training step of
data-parallel workers takes

    compute = 6 * multiply-adds * images / (peak * efficiency)
    exchange = 2 (G - 1) / G * gradient bytes / bandwidth + 2 (G - 1) * latency

one after the other (nothing hidden) or at once (all hidden); real runs lie
between. Backward takes twice the forward pass; the exchange is a ring's. Two
columns on two GPUs halve the compute, and exchange activations instead. What
the processors of a machine can decode is a limit of its own (`--decoded`).
Before it predicts, the model is held against two published runs.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import time

from absl import app
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_list("workers", ["1", "2", "4"], "Numbers of processes.")
flags.DEFINE_list(
    "gpus", ["1", "8", "32", "64", "256", "1024"], "To predict for."
)
flags.DEFINE_integer("batch_size", 128, "Images per GPU, predicted.")
flags.DEFINE_float("peak", 989e12, "FLOP/s of a GPU; default H100, bfloat16.")
flags.DEFINE_float("efficiency", 0.3, "Share of the peak that is reached.")
flags.DEFINE_float("bandwidth", 50e9, "Bytes/s of a GPU's link.")
flags.DEFINE_float(
    "decoded", 1e3, "Images/s that a processor core decodes and augments."
)
flags.DEFINE_integer("cores", 16, "Cores for each GPU, predicted.")
flags.DEFINE_float("latency", 5e-6, "Seconds per message.")
flags.DEFINE_integer("repeats", 5, "Counted steps.")
flags.DEFINE_bool("worker", False, "Be one of the measured processes.")

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
SIDE, SHARE = 96, 16
IMAGES, EPOCHS = 1.2e6, 90
# The training images of ILSVRC-2012, for predictions.
IMAGENET = 1_281_167
# Values that cross between two columns for an image: pool2, pool5 and fc6 both
# ways, and their gradients; fc7 one way.
CROSSING = 2 * 2 * (13 * 13 * 128 + 6 * 6 * 128 + 2048) + 2 * 2048


def run_worker():
    """Times steps as one worker; the first prints images per second."""
    import numpy as np
    import tensorflow as tf

    from keras_alexnet import AlexNet
    from keras_alexnet.distribution import MultiWorkerMirrored
    from keras_alexnet.training import AlexNetSGD

    strategy = MultiWorkerMirrored()
    with strategy.scope():
        model = AlexNet(input_shape=(SIDE, SIDE, 3), classes=1000)
        model.compile(AlexNetSGD(1e-4), "sparse_categorical_crossentropy")
    images = np.zeros((SHARE, SIDE, SIDE, 3), "float32")
    labels = np.zeros(SHARE, "int32")
    seconds = []
    for _ in range(FLAGS.repeats + 2):
        start = time.perf_counter()
        model.train_on_batch(images, labels)
        seconds.append(time.perf_counter() - start)
    if strategy.extended.should_checkpoint:
        count = SHARE * strategy.num_replicas_in_sync
        rate = count / statistics.median(seconds[2:])
        tf.print("images/s:", rate, output_stream=sys.stdout)


def measure(workers):
    done = subprocess.run(
        [
            sys.executable,
            EXAMPLES / "launch_local.py",
            f"--workers={workers}",
            "--restarts=0",
            "--timeout=240",
            "--logs=/dev/shm/keras_alexnet_scaling",
            "--",
            __file__,
            "--worker",
            f"--repeats={FLAGS.repeats}",
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr[-2000:])
    return float(done.stdout.split("images/s:")[1].split()[0])


def step_seconds(gpus, images, cost, peak, bandwidth, latency=0.0):
    """Seconds of compute and of exchange in a data-parallel step."""
    operations, parameters = cost
    compute = 6 * operations * images / peak
    exchange = 2 * (gpus - 1) / gpus * 4 * parameters / bandwidth
    return compute, exchange + 2 * (gpus - 1) * latency


def cost_of(preset):
    """Multiply-adds and parameters of a preset."""
    from keras_alexnet import AlexNet
    from keras_alexnet.models import multiply_adds

    model = AlexNet(architecture=preset)
    return sum(multiply_adds(model).values()), model.count_params()


def check_two_gpus():
    """The paper: 5 to 6 days on two GTX 580 of 1.58 TFLOP/s each."""
    operations, _ = cost_of("paper")
    total = 6 * operations * IMAGES * EPOCHS
    reached = total / (5.5 * 86400) / (2 * 1.58e12)
    print("\nTwo columns on two GTX 580 (2012)")
    print(f"  5.5 days for {EPOCHS} epochs: {reached:.0%} of the peak")
    compute = 6 * operations * 128 / (2 * 1.58e12 * reached)
    copy = 128 * 4 * CROSSING / 2 / 6e9
    print(
        f"  a batch of 128: {compute * 1e3:.0f} ms, of which columns exchange "
        f"for {copy * 1e3:.0f} ms at 6 GB/s"
    )


def check_weird_trick():
    """Krizhevsky 2014, table 1: hours for 90 epochs on 1 and 8 K20."""
    published = {1: 98.05, 8: 15.68}
    operations, parameters = cost_of("owt")
    steps = IMAGES * EPOCHS / 128
    peak = 6 * operations * IMAGES * EPOCHS / (published[1] * 3600)
    print(
        "\nOne weird trick (2014), 128 images per K20, 6 GB/s; its dense "
        "layers are not in data parallelism"
    )
    print("  GPUs  hours  all data parallel  convolutions alone, both exposed")
    dense = 9216 * 4096 + 4096 * 4096 + 4096 * 1000
    for gpus, hours in published.items():
        row = []
        for count in (parameters, parameters - dense):
            cost = (operations, count)
            seconds = sum(step_seconds(gpus, 128, cost, peak, 6e9))
            row.append(steps / gpus * seconds / 3600)
        print(f"  {gpus:4} {hours:6.2f} {row[0]:18.2f} {row[1]:20.2f}")


def predict_columns(cost, reached):
    """Seconds of a step of two columns: compute, and exchange."""
    compute, _ = step_seconds(2, FLAGS.batch_size / 2, cost, reached, 1)
    copied = FLAGS.batch_size * 4 * CROSSING / 2 / FLAGS.bandwidth
    # The four places where columns meet, forward and backward.
    return compute, copied + 8 * FLAGS.latency


def predict_row(name, gpus, images, seconds):
    """A line of the prediction; `images` are those of a step."""
    compute, exchange = seconds
    low, high = images / (compute + exchange), images / max(compute, exchange)
    fed = FLAGS.decoded * FLAGS.cores * gpus
    hours = [IMAGENET * EPOCHS / rate / 3600 for rate in (low, high, fed)]
    print(
        f"  {name:10} {low:24,.0f} {high:11,.0f}  {hours[0]:7.2f} to "
        f"{hours[1]:5.2f} {fed:13,.0f} {max(hours[1:]):9.2f}"
    )


def predict():
    from keras_alexnet import AlexNet
    from keras_alexnet.models import training_bytes

    cost = cost_of("paper")
    reached = FLAGS.peak * FLAGS.efficiency
    batch = FLAGS.batch_size
    print(
        f"\n{batch} images per GPU, {reached / 1e12:.0f} TFLOP/s, "
        f"{FLAGS.bandwidth / 1e9:.0f} GB/s, {FLAGS.latency * 1e6:.0f} us; "
        f"{FLAGS.cores} cores per GPU that feed {FLAGS.decoded:,.0f} images/s "
        f"each; {IMAGENET:,} images"
    )
    print(
        "  GPUs       images/s: nothing hidden  all hidden  hours for 90 epochs"
        "  images/s fed  so hours"
    )
    predict_row("2 columns", 2, batch, predict_columns(cost, reached))
    for gpus in map(int, FLAGS.gpus):
        seconds = step_seconds(
            gpus, batch, cost, reached, FLAGS.bandwidth, FLAGS.latency
        )
        predict_row(str(gpus), gpus, gpus * batch, seconds)
    parts = training_bytes(AlexNet(), batch)
    print(
        f"Memory of a GPU, at least: {sum(parts.values()) / 1e9:.2f} GB ("
        + ", ".join(f"{k} {v / 1e9:.2f}" for k, v in parts.items())
        + "); half of it with a column on each"
    )


def main(_):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if FLAGS.worker:
        return run_worker()
    from timing import machine

    print(machine(), "; load", os.getloadavg()[0])
    print(f"Measured, {SHARE} images of {SIDE} pixels per worker")
    for workers in map(int, FLAGS.workers):
        if workers > os.cpu_count():
            print(f"  {workers} workers: fewer cores, not started")
            continue
        print(f"  {workers} workers: {measure(workers):8.1f} images/s")
    check_two_gpus()
    check_weird_trick()
    predict()


if __name__ == "__main__":
    app.run(main)
