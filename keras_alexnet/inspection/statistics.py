"""What goes on in a network: activations, dead units, the effect of LRN."""

import dataclasses
import math

import numpy as np
from keras import ops

from keras_alexnet.inspection.autodiff import as_array
from keras_alexnet.inspection.batches import image_batches
from keras_alexnet.inspection.rules import is_relu
from keras_alexnet.inspection.targets import channel_axis
from keras_alexnet.inspection.targets import check_finite
from keras_alexnet.inspection.targets import find_layer
from keras_alexnet.inspection.targets import prepared_images
from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)
from keras_alexnet.models.layer_graph import walk
from keras_alexnet.models.layer_graph import whole


@dataclasses.dataclass(frozen=True)
class LayerStatistics:
    """The outputs of a layer, over all images and places.

    Attributes:
        mean, std, largest: Floats, of the outputs.
        zeros: Float, share of the outputs that are zero.
        dead_units: Float, share of the ReLUs that never fire: of all places
            of all maps, as the paper counts neurons. `None` where the layer
            has no ReLU.
        dead_channels: Tuple of integers, the maps (or units of a dense layer)
            that never fire anywhere; `None` where the layer has no ReLU.
        channels: Integer, how many maps or units there are.
    """

    mean: float
    std: float
    largest: float
    zeros: float
    dead_units: float | None
    dead_channels: tuple | None
    channels: int


@dataclasses.dataclass(frozen=True)
class LRNEffect:
    """How much a local response normalization does to its inputs.

    `b / a` is `k**-beta` where the neighbors are silent, and less the more
    they fire; the suppression is the part of that which they take away:

    ```
    suppression = 1 - k**beta * b / a
    ```

    Attributes:
        mean: Float, mean suppression of the inputs that are not zero. Near 0
            the layer only scales, and might as well be left out.
        largest: Float, the largest suppression.
        energy: Float, share of the sum of squares that the layer takes away
            beyond the scaling.
    """

    mean: float
    largest: float
    energy: float


def activations(model, images, layers=None):
    """What layers give for images.

    Args:
        model: A `keras.Model` that is a graph of layers, of columns or not.
        images: Array of images as the model takes them.
        layers: List of names. Defaults to all.

    Returns:
        Dict of layer name to array, in the order of computation. A ReLU that
        belongs to a layer is included in what it gives.

    Raises:
        ValueError: If there is no such layer, or images are no batch or not
            finite.

    Example:

    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(architecture="cifar_26")
    >>> found = activations(model, np.ones((2, 32, 32, 3)), ["conv1", "fc6"])
    >>> {name: array.shape for name, array in found.items()}
    {'conv1': (2, 32, 32, 32), 'fc6': (2, 64)}
    """
    model = whole(model)
    for name in layers or ():
        find_layer(model, name)
    x = ops.convert_to_tensor(prepared_images(images))
    return {
        layer.name: as_array(y)
        for layer, y in walk(model, x, lambda layer, x: layer(x))
        if layers is None or layer.name in layers
    }


def layer_statistics(model, images, batch_size=32):
    """Statistics of what each layer gives, and which of its ReLUs are dead.

    A ReLU that is zero for all of these images passes no gradient back, so
    its weights do not learn from them. A unit that is dead on a hundred
    images may fire on the next: use as many as there are.

    Args:
        model: A `keras.Model` that is a graph of layers, of columns or not.
        images: Array of images as the model takes them, or an iterable of
            batches, or of tuples that begin with such a batch.
        batch_size: Integer, images at a time of an array. Defaults to `32`.

    Returns:
        Dict of layer name to `LayerStatistics`, in the order of computation.

    Raises:
        ValueError: As of `activations`, or if there is no image.

    Example:

    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(architecture="cifar_26")
    >>> found = layer_statistics(model, np.zeros((2, 32, 32, 3)))
    >>> found["conv2"].dead_units  # without an input, all are
    1.0
    """
    model = whole(model)
    collected = {}
    for batch in image_batches(images, batch_size):
        x = ops.convert_to_tensor(batch)
        for layer, y in walk(model, x, lambda layer, x: layer(x)):
            one = collected.setdefault(layer.name, _Statistics(layer))
            one.add(as_array(y))
    return {name: one.result() for name, one in collected.items()}


def lrn_effect(model, images, batch_size=32):
    """How much each local response normalization does to its inputs.

    Args:
        model, images, batch_size: As of `layer_statistics`.

    Returns:
        Dict of layer name to `LRNEffect`; empty without such layers.

    Raises:
        ValueError: As of `layer_statistics`.

    Example:

    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(architecture="cifar_11")
    >>> found = lrn_effect(model, np.ones((1, 24, 24, 3)))
    >>> list(found), round(found["norm1"].mean, 3)  # weights of 1e-4
    (['norm1', 'norm2'], 0.0)
    """
    model = whole(model)
    collected = {}

    def call(layer, x):
        y = layer(x)
        if isinstance(layer, LocalResponseNormalization):
            one = collected.setdefault(layer.name, _Effect(layer))
            one.add(as_array(x), as_array(y))
        return y

    for batch in image_batches(images, batch_size):
        for _ in walk(model, ops.convert_to_tensor(batch), call):
            pass
    return {name: one.result() for name, one in collected.items()}


class _Statistics:
    """Sums over batches, in float64."""

    def __init__(self, layer):
        self.layer = layer
        self.has_relu = is_relu(layer)
        self.axis = channel_axis(len(layer.output.shape))
        self.count = self.zeros = 0
        self.sum = self.squares = 0.0
        self.largest = -math.inf
        self.fired = False

    def add(self, y):
        check_finite(y, self.layer)
        self.count += y.size
        self.zeros += int((y == 0).sum())
        self.sum += y.sum(dtype="float64")
        self.squares += np.square(y, dtype="float64").sum()
        self.largest = max(self.largest, float(y.max()))
        self.channels = y.shape[self.axis]
        if self.has_relu:
            self.fired = self.fired | (y > 0).any(axis=0)

    def result(self):
        mean = self.sum / self.count
        dead_units = dead_channels = None
        if self.has_relu:
            dead_units = float(1 - self.fired.mean())
            by_channel = np.moveaxis(self.fired, self.axis - 1, 0)
            alive = by_channel.reshape(self.channels, -1).any(axis=1)
            dead_channels = tuple(np.flatnonzero(~alive).tolist())
        return LayerStatistics(
            float(mean),
            math.sqrt(max(self.squares / self.count - mean**2, 0.0)),
            self.largest,
            self.zeros / self.count,
            dead_units,
            dead_channels,
            self.channels,
        )


class _Effect:
    """Sums of suppression over batches."""

    def __init__(self, layer):
        self.layer = layer
        self.scale = layer.k**layer.beta
        self.count = 0
        self.sum = self.before = self.after = 0.0
        self.largest = 0.0

    def add(self, x, y):
        check_finite(y, self.layer)
        x, y = x.astype("float64"), self.scale * y.astype("float64")
        fires = x != 0
        suppressed = 1 - y[fires] / x[fires]
        self.count += suppressed.size
        self.sum += suppressed.sum()
        self.largest = max(self.largest, suppressed.max(initial=0.0))
        self.before += np.square(x).sum()
        self.after += np.square(y).sum()

    def result(self):
        if not self.count:
            return LRNEffect(0.0, 0.0, 0.0)
        # Rounding may make a layer without effect amplify by a hair.
        return LRNEffect(
            max(float(self.sum / self.count), 0.0),
            float(self.largest),
            max(float(1 - self.after / self.before), 0.0),
        )
