"""Layers against their peers: forward and backward pass, time and memory.

    python benchmarks/layers.py [--backend=jax] [--repeats=9]
    python benchmarks/layers.py --layers=local --batch_size=128

On TensorFlow the peers are `tf.nn.local_response_normalization` and
`keras.layers.Conv2D(groups=2)`; on other backends LRN's peer is PyTorch's,
compiled. On PyTorch ours is eager, as Keras's layers are there. Unshared
convolutions are compared in a training step of the 11 % net, with the same net
whose convolutions share their weights.
"""

import os
import subprocess
import sys

from absl import app
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_enum("backend", "tensorflow", ["tensorflow", "jax", "torch"], "")
flags.DEFINE_integer("repeats", 9, "Counted rounds.")
flags.DEFINE_integer("batch_size", 32, "Images.")
flags.DEFINE_bool("bfc", True, "TensorFlow's pooling CPU allocator.")
flags.DEFINE_multi_enum(
    "layers", ["lrn", "conv", "local"], ["lrn", "conv", "local"], "Which."
)
flags.DEFINE_enum("memory_of", None, ["ours", "peer"], "Used by itself.")

LRN = {"k": 2.0, "n": 5, "alpha": 1e-4, "beta": 0.75}


def lrn_contestants(x, upstream):
    import keras
    from timing import gradient_step
    from timing import torch_step

    from keras_alexnet.layers import LocalResponseNormalization

    contestants = {
        "ours": gradient_step(LocalResponseNormalization(**LRN), x, upstream)
    }
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        contestants["peer"] = gradient_step(
            keras.layers.Lambda(
                lambda x: tf.nn.local_response_normalization(
                    x, 2, 2.0, 1e-4, 0.75
                )
            ),
            x,
            upstream,
        )
        return "tf.nn.local_response_normalization", contestants
    import torch

    peer = torch.compile(torch.nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0))
    contestants["peer"] = torch_step(
        peer, x.transpose(0, 3, 1, 2), upstream.transpose(0, 3, 1, 2)
    )
    return "torch.compile(LocalResponseNorm)", contestants


def conv_contestants(x, upstream):
    import keras
    from timing import gradient_step

    from keras_alexnet.layers import GroupedConv2D

    options = {"padding": "same", "groups": 2}
    return {
        "ours": gradient_step(GroupedConv2D(256, 5, **options), x, upstream),
        "peer": gradient_step(
            keras.layers.Conv2D(256, 5, **options), x, upstream
        ),
    }


def local_contestants():
    """Training steps of the 11 % net, as it is and with shared weights."""
    import dataclasses

    import numpy as np

    from keras_alexnet.models import CIFAR_11
    from keras_alexnet.models import CIFARNet
    from keras_alexnet.training import RECIPES

    rng = np.random.default_rng(0)
    x = rng.normal(0, 60, (FLAGS.batch_size, 24, 24, 3)).astype("float32")
    y = rng.integers(10, size=FLAGS.batch_size)

    def step(architecture):
        model = CIFARNet(architecture=architecture)
        model.compile(
            RECIPES["cifar_11"].optimizer(),
            "sparse_categorical_crossentropy",
        )
        return lambda: float(model.train_on_batch(x, y))

    return {
        "ours": step(CIFAR_11),
        "peer": step(dataclasses.replace(CIFAR_11, unshared=())),
    }


def lrn_arrays():
    import numpy as np

    rng = np.random.default_rng(0)
    shape = (FLAGS.batch_size, 55, 55, 96)
    return [10 * rng.normal(size=shape).astype("float32") for _ in range(2)]


def memory(which):
    """In a process of its own, where nothing is pooled."""
    command = [sys.executable, __file__, f"--memory_of={which}", "--nobfc"]
    command += [f"--batch_size={FLAGS.batch_size}"]
    # A pooling `malloc` keeps what the first run has used: nothing would grow.
    environment = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    # With oneDNN, TensorFlow's allocator pools whatever `--bfc` says.
    environment["TF_ENABLE_ONEDNN_OPTS"] = "0"
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment
    )
    return float(done.stdout.split()[-1])


def main(_):
    os.environ["KERAS_BACKEND"] = FLAGS.backend
    os.environ["TF_CPU_ALLOCATOR_USE_BFC"] = str(FLAGS.bfc).lower()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import numpy as np
    from timing import interleave
    from timing import machine
    from timing import peak_memory
    from timing import report

    if FLAGS.memory_of:
        _, contestants = lrn_contestants(*lrn_arrays())
        print(peak_memory(contestants[FLAGS.memory_of]))
        return
    print(machine(), f"Keras on {FLAGS.backend}, pooling={FLAGS.bfc}")
    if "lrn" in FLAGS.layers:
        x, upstream = lrn_arrays()
        peer, contestants = lrn_contestants(x, upstream)
        seconds = interleave(contestants, FLAGS.repeats)
        seconds[peer] = seconds.pop("peer")
        how = ", ours eager" if FLAGS.backend == "torch" else ""
        report(f"LRN forward + backward{how}, {x.shape}", seconds, "ours")
        if FLAGS.backend == "tensorflow" and sys.platform == "linux":
            for name, which in (("ours", "ours"), (peer, "peer")):
                print(f"  {name:34} {memory(which) / 2**20:9.1f} MiB peak")
    if "conv" in FLAGS.layers:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(FLAGS.batch_size, 27, 27, 96)).astype("float32")
        upstream = rng.normal(size=(*x.shape[:3], 256)).astype("float32")
        seconds = interleave(conv_contestants(x, upstream), FLAGS.repeats)
        seconds["keras.layers.Conv2D(groups=2)"] = seconds.pop("peer")
        report(f"conv2 in two groups, {x.shape}", seconds, "ours")
    if "local" in FLAGS.layers:
        seconds = interleave(local_contestants(), FLAGS.repeats)
        seconds["the same net, weights shared"] = seconds.pop("peer")
        report(
            f"training step of the 11 % net, {FLAGS.batch_size} images",
            seconds,
            "ours",
        )


if __name__ == "__main__":
    app.run(main)
