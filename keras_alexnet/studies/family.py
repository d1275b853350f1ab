"""AlexNet and its successors: what they cost, and what was reported of them."""

import dataclasses
import pathlib
import statistics
import tempfile
import time

import keras
import numpy as np

from keras_alexnet.models.build_network import build_network
from keras_alexnet.models.cost import activation_bytes
from keras_alexnet.models.cost import multiply_adds


@dataclasses.dataclass(frozen=True)
class Member:
    """A network of the family, and its error as published.

    Args:
        name: String, that of a preset architecture, or `"resnet50"`.
        top1_error, top5_error: Floats, percent, on ImageNet's validation
            images of 2012; `None` where none was published.
        protocol: String, how they were measured.
        source: String, where they are printed.
    """

    name: str
    top1_error: float | None
    top5_error: float | None
    protocol: str
    source: str

    def build(self, **options):
        """The network, untrained, as a `keras.Model`.

        Args:
            **options: As of `AlexNet`.
        """
        if self.name == "resnet50":
            return keras.applications.ResNet50(weights=None, **options)
        return build_network(self.name, **options)


_VGG = ("dense, Q = S = 256", "Simonyan and Zisserman 2015, Table 3")

FAMILY = (
    Member("paper", 40.7, 18.2, "ten views", "Krizhevsky et al. 2012, Table 2"),
    Member("caffe", 42.9, 19.8, "center", "Caffe, models/bvlc_alexnet"),
    Member("caffenet", 42.6, 19.6, "center", "Caffe, bvlc_reference_caffenet"),
    Member("owt", 43.5, 20.9, "center", "torchvision, AlexNet_Weights"),
    Member("alexnet_ptcv", 38.5, 16.6, "center", "pytorchcv, README"),
    Member("zfnet", 38.4, 16.5, "not stated", "Zeiler, Fergus 2014, Table 3"),
    Member(
        "zfnet_512", 37.5, 16.0, "not stated", "Zeiler, Fergus 2014, Table 3"
    ),
    Member("vgg_a", 29.6, 10.4, *_VGG),
    Member("vgg_a_lrn", 29.7, 10.5, *_VGG),
    Member("vgg_b", 28.7, 9.9, *_VGG),
    Member("vgg_c", 28.1, 9.4, *_VGG),
    Member("vgg_d", 27.0, 8.8, *_VGG),
    Member("vgg_e", 27.3, 9.0, *_VGG),
    Member("googlenet", 31.3, 11.1, "center", "Caffe, models/bvlc_googlenet"),
    # Of the authors' Caffe file; Keras's network differs in pool1.
    Member("resnet50", 24.7, 7.8, "center", "deep-residual-networks, README"),
)


def measure(model, batch_size=16, repeats=5):
    """What a network costs, counted and measured on this machine.

    Args:
        model: A `keras.Model` of one output and a fixed input size.
        batch_size: Integer, images of a batch for the throughput. Defaults to
            `16`.
        repeats: Integer, predictions that are timed, after two others. The
            median counts. Defaults to `5`.

    Returns:
        Dict of `parameters`, `multiply_adds`, `activation_bytes` (each of one
        image), `file_bytes` (of a `.weights.h5` file), `latency` (seconds of
        one image), `images_per_second` (of a batch), `batch_size` and
        `repeats`.

    Raises:
        ValueError: If `batch_size` or `repeats` is not a positive integer.

    Example:

    >>> from keras_alexnet.models import CIFARNet
    >>> found = measure(CIFARNet(architecture="cifar_19"), repeats=1)
    >>> found["parameters"], found["latency"] > 0
    (89578, True)
    """
    for name, value in (("batch_size", batch_size), ("repeats", repeats)):
        if not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{name}` must be a positive integer. "
                f"Received: {name}={value!r}"
            )
    return {
        "parameters": model.count_params(),
        "multiply_adds": sum(multiply_adds(model).values()),
        "activation_bytes": activation_bytes(model),
        "file_bytes": _file_bytes(model),
        "latency": _seconds(model, 1, repeats),
        "images_per_second": batch_size / _seconds(model, batch_size, repeats),
        "batch_size": batch_size,
        "repeats": repeats,
    }


def time_ratios(first, second, batch_size=4, repeats=9):
    """How much longer one network takes than another, measured in turn.

    Whatever else the machine does meets both alike, since their predictions
    alternate.

    Args:
        first, second: `keras.Model`s of one input shape, which is fixed.
        batch_size: Integer, images of a prediction. Defaults to `4`.
        repeats: Integer, pairs that are timed, after two others. Defaults to
            `9`.

    Returns:
        List of floats, the seconds of `second` over those of `first`, one per
        pair.

    Raises:
        ValueError: If the input shapes differ.

    Example:

    >>> from keras_alexnet.models import CIFARNet
    >>> nets = CIFARNet(architecture="cifar_19"), CIFARNet(
    ...     architecture="cifar_18")
    >>> len(time_ratios(*nets, repeats=3))
    3
    """
    if first.input_shape != second.input_shape:
        raise ValueError(
            "`first` and `second` must take images of one shape. Received: "
            f"{first.input_shape} and {second.input_shape}"
        )
    images = _images(first, batch_size)
    pairs = [
        [_time(model, images) for model in (first, second)]
        for _ in range(2 + repeats)
    ]
    return [b / a for a, b in pairs[2:]]


def _file_bytes(model):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "net.weights.h5"
        model.save_weights(path)
        return path.stat().st_size


def _seconds(model, batch_size, repeats):
    """The median time of a prediction."""
    images = _images(model, batch_size)
    seconds = [_time(model, images) for _ in range(2 + repeats)]
    # The first two build the graph and fill caches.
    return statistics.median(seconds[2:])


def _images(model, batch_size):
    shape = (batch_size, *model.input_shape[1:])
    return np.random.default_rng(0).normal(0, 60, shape).astype("float32")


def _time(model, images):
    """The seconds of one prediction."""
    start = time.perf_counter()
    model.predict_on_batch(images)
    return time.perf_counter() - start
