"""A whole training step of AlexNet, and prediction of one image and many.

    python benchmarks/step.py [--backend=jax] [--dtype=bfloat16] [--notcmalloc]

Against AlexNet written with stock Keras (`Conv2D(groups=2)` and
`tf.nn.local_response_normalization`) and with PyTorch, eager and compiled, in
both of its memory formats; predictions against onnxruntime, too. All are
bvlc_alexnet at 227 pixels, trained by SGD with momentum and weight decay.
Each contestant has an allocator that keeps large buffers: TensorFlow its own,
the others tcmalloc, where that is installed.
"""

import os
import statistics
import tempfile
import warnings

from absl import app
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_enum("backend", "tensorflow", ["tensorflow", "jax", "torch"], "")
flags.DEFINE_enum("dtype", "float32", ["float32", "bfloat16"], "Of compute.")
flags.DEFINE_integer("repeats", 5, "Counted rounds.")
flags.DEFINE_integer("batch_size", 128, "Images per training step.")
flags.DEFINE_bool("bfc", True, "TensorFlow's pooling CPU allocator.")
flags.DEFINE_bool("tcmalloc", True, "A pooling malloc for the others.")
flags.DEFINE_multi_enum(
    "peers",
    ["naive", "eager", "compile"],
    ["naive", "eager", "compile", "none"],
    "Whom to run against.",
)

SIZE, CLASSES = 227, 1000


def ours():
    from keras_alexnet import AlexNet
    from keras_alexnet.training import AlexNetSGD

    model = AlexNet(architecture="caffe")
    model.compile(AlexNetSGD(0.001), "sparse_categorical_crossentropy")
    return model


def naive():
    """What a reader of the paper writes with stock Keras."""
    import keras
    import tensorflow as tf
    from keras import layers

    def norm(x):
        return layers.Lambda(
            lambda x: tf.nn.local_response_normalization(x, 2, 1.0, 2e-5, 0.75)
        )(x)

    def conv(x, filters, size, **options):
        options = {"padding": "same", **options}
        return layers.Conv2D(filters, size, activation="relu", **options)(x)

    inputs = x = keras.Input((SIZE, SIZE, 3))
    x = norm(conv(x, 96, 11, strides=4, padding="valid"))
    x = norm(conv(layers.MaxPooling2D(3, 2)(x), 256, 5, groups=2))
    x = conv(layers.MaxPooling2D(3, 2)(x), 384, 3)
    x = conv(conv(x, 384, 3, groups=2), 256, 3, groups=2)
    x = layers.Flatten()(layers.MaxPooling2D(3, 2)(x))
    for _ in range(2):
        x = layers.Dropout(0.5)(layers.Dense(4096, activation="relu")(x))
    model = keras.Model(inputs, layers.Dense(CLASSES, activation="softmax")(x))
    model.compile(
        keras.optimizers.SGD(0.001, momentum=0.9, weight_decay=5e-4),
        "sparse_categorical_crossentropy",
    )
    return model


def keras_step(model, x, y):
    import keras

    x, y = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(y)
    return lambda: float(model.train_on_batch(x, y))


def torch_model(channels_last):
    import torch
    from torch import nn

    def norm():
        return nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)

    layers = [nn.Conv2d(3, 96, 11, 4), nn.ReLU(), norm(), nn.MaxPool2d(3, 2)]
    layers += [nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(), norm()]
    layers += [nn.MaxPool2d(3, 2), nn.Conv2d(256, 384, 3, padding=1)]
    layers += [nn.ReLU(), nn.Conv2d(384, 384, 3, padding=1, groups=2)]
    layers += [nn.ReLU(), nn.Conv2d(384, 256, 3, padding=1, groups=2)]
    layers += [nn.ReLU(), nn.MaxPool2d(3, 2), nn.Flatten()]
    layers += [nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout()]
    layers += [nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout()]
    layers += [nn.Linear(4096, CLASSES)]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = nn.Sequential(*layers).to(device)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    return model, device


def torch_step(x, y, compiled, channels_last):
    import torch

    model, device = torch_model(channels_last)
    x = torch.tensor(x.transpose(0, 3, 1, 2).copy(), device=device)
    y = torch.tensor(y, device=device)
    if channels_last:
        x = x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        model.parameters(), 0.001, momentum=0.9, weight_decay=5e-4
    )
    forward = torch.compile(model) if compiled else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(
            device, torch.bfloat16, enabled=FLAGS.dtype == "bfloat16"
        ):
            loss = torch.nn.functional.cross_entropy(forward(x), y)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def predictions(batch_size):
    """A batch through the trained network: ours and the peers'."""
    import numpy as np

    images = np.zeros((batch_size, SIZE, SIZE, 3), "float32")
    model = ours()
    found = {"ours": lambda: model.predict_on_batch(images)}
    if "none" in FLAGS.peers:
        return found
    import torch

    first = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    for channels_last in (False, True):
        peer, device = torch_model(channels_last)
        peer.eval()
        x = torch.tensor(first, device=device)
        if channels_last:
            x = x.to(memory_format=torch.channels_last)
        layout = "channels last" if channels_last else "channels first"
        for kind in {"eager", "compile"} & set(FLAGS.peers):
            forward = torch.compile(peer) if kind == "compile" else peer

            def run(forward=forward, x=x):
                with torch.inference_mode():
                    return forward(x).cpu()

            found[f"PyTorch {kind}, {layout}"] = run
    session = onnx_session(torch_model(False)[0].eval().cpu(), first)
    if session is not None:
        found["onnxruntime"] = lambda: session.run(None, {"x": first})
    return found


def onnx_session(peer, x):
    """PyTorch's network in onnxruntime, or `None` where that is absent."""
    try:
        import onnx  # noqa: F401
        import onnxruntime
    except ImportError:
        return None
    import torch

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # The newer exporter needs a package of its own.
        warnings.simplefilter("ignore")
        path = os.path.join(folder, "net.onnx")
        torch.onnx.export(
            peer, torch.tensor(x), path, input_names=["x"], dynamo=False
        )
        return onnxruntime.InferenceSession(path)


def matrix_rate(dtype):
    """FLOP/s of a large square matrix product on this backend."""
    import keras
    from timing import interleave

    n = 4096
    a = keras.random.normal((n, n), dtype=dtype)
    run = {"": lambda: float((a @ a)[0, 0])}
    return 2 * n**3 / statistics.median(interleave(run, 5)[""])


def main(_):
    from timing import BFLOAT16_UNITS
    from timing import cpu_flags
    from timing import restart_with_tcmalloc

    if FLAGS.tcmalloc:
        restart_with_tcmalloc()
    emulated = cpu_flags() and not cpu_flags() & set(BFLOAT16_UNITS)
    if FLAGS.dtype == "bfloat16" and FLAGS.backend != "jax" and emulated:
        print(
            "Not run: this CPU has no units for bfloat16 "
            f"({', '.join(BFLOAT16_UNITS)}), and emulates it."
        )
        return
    os.environ["KERAS_BACKEND"] = FLAGS.backend
    os.environ["TF_CPU_ALLOCATOR_USE_BFC"] = str(FLAGS.bfc).lower()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras
    import numpy as np
    from timing import interleave
    from timing import machine
    from timing import report

    print(machine(), f"Keras on {FLAGS.backend}, {FLAGS.dtype}")
    rng = np.random.default_rng(0)
    shape = (FLAGS.batch_size, SIZE, SIZE, 3)
    x = 60 * rng.normal(size=shape).astype("float32")
    y = rng.integers(CLASSES, size=FLAGS.batch_size)
    rate = matrix_rate(FLAGS.dtype)
    contestants = {}
    if "naive" in FLAGS.peers and FLAGS.backend == "tensorflow":
        # In float32 always: tf.nn's LRN has no bfloat16 kernel on CPUs.
        contestants["naive Keras, float32"] = keras_step(naive(), x, y)
    if FLAGS.dtype == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    contestants = {"ours": keras_step(ours(), x, y), **contestants}
    for kind in ("eager", "compile"):
        if kind in FLAGS.peers:
            for channels_last in (False, True):
                layout = "channels last" if channels_last else "channels first"
                contestants[f"PyTorch {kind}, {layout}"] = torch_step(
                    x, y, kind == "compile", channels_last
                )
    seconds = interleave(contestants, FLAGS.repeats)
    report(f"training step, batch {FLAGS.batch_size}", seconds, "ours", 1, "s")
    from keras_alexnet.models import multiply_adds

    # Two operations per multiply-add; forward, and backward to weights and
    # to inputs, of which conv1 needs none.
    costs = multiply_adds(ours())
    flops = 2 * (3 * sum(costs.values()) - costs["conv1"]) * FLAGS.batch_size
    median = statistics.median(seconds["ours"])
    print(
        f"  ours: {FLAGS.batch_size / median:.1f} images/s, "
        f"{flops / median / 1e9:.0f} GFLOP/s, "
        f"{flops / median / rate:.0%} of the matrix product's "
        f"{rate / 1e9:.0f}"
    )
    del contestants
    if FLAGS.dtype == "float32":
        for count, repeats, in_a_row in (
            (1, 10, 10),
            (FLAGS.batch_size, FLAGS.repeats, 1),
        ):
            seconds = interleave(predictions(count), repeats, in_a_row=in_a_row)
            report(f"prediction, batch {count}", seconds, "ours")
            keras.backend.clear_session()


if __name__ == "__main__":
    app.run(main)
