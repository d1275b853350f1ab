"""What the layers of a network answer to a batch, before training."""

import dataclasses
import math

import keras
import numpy as np

from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)

# Values of all layers together that are kept at once, 400 MB of float32.
MOST_VALUES = 100_000_000
MOST_IMAGES = 32


@dataclasses.dataclass(frozen=True)
class Responses:
    """Answers of a network to some images.

    Attributes:
        seen: Array, what the first layer with a kernel gets.
        kernels: Dict from the name of a layer with a kernel to its output.
        rectifiers: Dict from the name of a layer that ends in a ReLU to its
            output.
        norm: Pair of the first response normalization and its input, or
            `None`.
        logits: Array of shape `(n, classes)`, or `None` where the model has
            no such output.
    """

    seen: np.ndarray
    kernels: dict
    rectifiers: dict
    norm: tuple | None
    logits: np.ndarray | None

    def loss(self, labels):
        """The mean cross-entropy of integer labels, in nats."""
        own = self.logits[np.arange(len(labels)), labels]
        return float(-own.mean())


def responses(model, images):
    """Runs a network on images and keeps what its layers return.

    Args:
        model: A functional `keras.Model`; of several outputs the first is
            kept.
        images: Array. As many of them are used as memory allows, 32 at most.

    Returns:
        A `Responses`.

    Example:

    >>> image = keras.Input((4, 4, 3))
    >>> x = keras.layers.Conv2D(2, 3, activation="relu", name="conv")(image)
    >>> x = keras.layers.Flatten()(x)
    >>> model = keras.Model(image, keras.layers.Dense(5, "softmax")(x))
    >>> found = responses(model, np.ones((8, 4, 4, 3), "float32"))
    >>> list(found.rectifiers), found.logits.shape
    (['conv'], (8, 5))
    """
    known = [layer for layer in model.layers if _output(layer) is not None]
    kernels = [x for x in known if getattr(x, "kernel", None) is not None]
    rectifiers = [layer for layer in known if _rectifies(layer)]
    norms = [x for x in known if isinstance(x, LocalResponseNormalization)]
    tensors = {f"kernel/{x.name}": x.output for x in kernels}
    tensors |= {f"relu/{x.name}": x.output for x in rectifiers}
    if kernels:
        tensors["seen"] = kernels[0].input
    if norms:
        tensors["norm"] = norms[0].input
    images = images[: _how_many(tensors.values())]
    tensors["outputs"] = model.outputs[0]
    probe = keras.Model(model.inputs, tensors)
    answers = probe(keras.ops.cast(images, "float32"), training=False)
    found = {name: _array(tensor) for name, tensor in answers.items()}

    def named(prefix):
        return {
            name.removeprefix(prefix): array
            for name, array in found.items()
            if name.startswith(prefix)
        }

    return Responses(
        found.get("seen", images),
        named("kernel/"),
        named("relu/"),
        (norms[0], found["norm"]) if norms else None,
        _logits(found["outputs"]) if found["outputs"].ndim == 2 else None,
    )


def _output(layer):
    """The layer's one output, or `None`."""
    try:
        output = layer.output
    # It was not called, or several times.
    except (AttributeError, ValueError):
        return None
    return output if isinstance(output, keras.KerasTensor) else None


def _rectifies(layer):
    activation = getattr(layer, "activation", None)
    return activation is keras.activations.relu or isinstance(
        layer, keras.layers.ReLU
    )


def _how_many(tensors):
    each = sum(math.prod(filter(None, x.shape[1:])) for x in tensors)
    return min(MOST_IMAGES, max(2, MOST_VALUES // max(each, 1)))


def _array(tensor):
    return np.asarray(keras.ops.convert_to_numpy(tensor), "float32")


def _logits(outputs):
    """Logarithms of the probabilities, whatever the model ends in."""
    outputs = outputs.astype("float64")
    if not np.isfinite(outputs).all():
        return outputs
    sums = outputs.sum(axis=1)
    if outputs.min() < 0 or np.abs(sums - 1).max() > 1e-2:
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    # What the smallest number of float32 stands for.
    return np.log(np.maximum(outputs, 1e-38))
