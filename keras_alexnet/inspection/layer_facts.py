"""The layers of a network that have weights, as facts to read."""

import dataclasses
import math

import keras

from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)
from keras_alexnet.layers.locally_connected2d import LocallyConnected2D
from keras_alexnet.models.build_network import build_network
from keras_alexnet.models.cost import multiply_adds
from keras_alexnet.models.layer_graph import column_count
from keras_alexnet.models.layer_graph import walk
from keras_alexnet.models.layer_graph import whole

WEIGHTED = (keras.layers.Conv2D, keras.layers.Dense, LocallyConnected2D)


@dataclasses.dataclass(frozen=True)
class LayerFacts:
    """A layer with weights, and what follows it.

    Attributes:
        name: String.
        shape: Tuple of integers, of its output: height, width and channels,
            or units.
        kernel: Tuple of integers `(height, width, channels)`, what one kernel
            sees; `None` of dense layers.
        stride: Integer; `None` of dense layers.
        units: Integer, kernels or units, over all columns.
        groups: Integer, in how many groups it is divided.
        sees_all: Boolean, whether its columns see what all columns gave. In
            a network of one column they always do.
        unshared: Boolean, whether its kernels differ from place to place.
        after: Tuple of strings, what follows it before the next such layer.
        norms: Tuple of strings, the constants of the LRNs that follow it.
            `α` multiplies the sum of squares, whatever the convention.
        norm_across: Boolean, whether an LRN behind it reaches from one column
            into the next.
        parameters: Integer.
        multiply_adds: Integer, of one image.
    """

    name: str
    shape: tuple
    kernel: tuple | None
    stride: int | None
    units: int
    groups: int
    sees_all: bool
    unshared: bool
    after: tuple
    norms: tuple
    norm_across: bool
    parameters: int
    multiply_adds: int


def layer_facts(network):
    """What each layer with weights of a network is, and what it costs.

    Args:
        network: A `keras.Model` that is a chain of layers, of columns or not;
            an `Architecture`; or the name of a preset.

    Returns:
        Tuple: the number of columns, the shape of the images, and a list of
        `LayerFacts`.

    Raises:
        ValueError: If the model is no chain of layers of a fixed input size,
            or there is no preset of that name.

    Example:

    >>> columns, image, layers = layer_facts("cifar_26")
    >>> image, layers[0].name, layers[0].shape, layers[0].parameters
    ((32, 32, 3), 'conv1', (32, 32, 32), 2432)
    """
    if not isinstance(network, keras.Model):
        network = build_network(network)
    model = whole(network)
    image = _channels_last(model.inputs[0].shape[1:])
    if len(image) != 3 or None in image:
        raise ValueError(
            "The model must take images of a fixed size. "
            f"Received: input_shape={model.inputs[0].shape}"
        )
    columns = column_count(model)
    costs = multiply_adds(model)
    found = []
    for layer, _ in walk(model, 0, _only_chains):
        if isinstance(layer, WEIGHTED):
            first = not found
            found.append(_facts(layer, columns, first, costs[layer.name]))
        elif found:
            found[-1] = _followed(found[-1], layer, columns)
    if not found:
        raise ValueError(
            "The model must have a convolution or a dense layer. Received: "
            f"{[layer.name for layer in model.layers]}"
        )
    return columns, image, found


def _only_chains(layer, x):
    if isinstance(x, list):
        raise ValueError(
            "The model must be a chain of layers. Received: layer "
            f"{layer.name!r}, which puts {len(x)} outputs together"
        )
    return x


def _facts(layer, columns, first, cost):
    dense = isinstance(layer, keras.layers.Dense)
    groups = getattr(layer, "groups", 1)
    unshared = isinstance(layer, LocallyConnected2D)
    channels = 0 if dense else _channels_last(layer.input.shape[1:])[-1]
    return LayerFacts(
        layer.name,
        _channels_last(layer.output.shape[1:]),
        None if dense else (*layer.kernel_size, channels // groups),
        None if dense else layer.strides[0],
        layer.units if dense else layer.filters,
        groups,
        first or columns == 1 or groups < columns,
        unshared,
        _activation(layer),
        (),
        False,
        layer.count_params(),
        cost,
    )


def _followed(facts, layer, columns):
    """The facts, with a layer that follows."""
    is_lrn = isinstance(layer, LocalResponseNormalization)
    across = (
        is_lrn and layer.region == "across_channels" and layer.groups < columns
    )
    return dataclasses.replace(
        facts,
        after=(*facts.after, *_words(layer)),
        norms=(*facts.norms, _constants(layer)) if is_lrn else facts.norms,
        norm_across=facts.norm_across or across,
    )


def _constants(layer):
    return f"k={layer.k:g} n={layer.n} α={layer.scale:.3g} β={layer.beta:g}"


def _words(layer):
    if isinstance(layer, LocalResponseNormalization):
        within = layer.region == "within_channel"
        return ("LRN" + f" {layer.n}x{layer.n}" * within,)
    for kind, word in (
        (keras.layers.MaxPooling2D, "max"),
        (keras.layers.AveragePooling2D, "mean"),
    ):
        if isinstance(layer, kind):
            return (f"{word} {layer.pool_size[0]}/{layer.strides[0]}",)
    if isinstance(layer, keras.layers.BatchNormalization):
        return ("batch norm",)
    if isinstance(layer, keras.layers.Dropout):
        return (f"dropout {layer.rate:g}",) if layer.rate else ()
    if isinstance(layer, keras.layers.ReLU):
        return ("ReLU",)
    if isinstance(layer, keras.layers.Activation | keras.layers.Softmax):
        return _activation(layer) or ("softmax",)
    return ()


def _activation(layer):
    activation = getattr(layer, "activation", None)
    name = getattr(activation, "__name__", "linear")
    return () if name == "linear" else ({"relu": "ReLU"}.get(name, name),)


def _channels_last(shape):
    first = keras.config.image_data_format() == "channels_first"
    if len(shape) == 3 and first:
        shape = (*shape[1:], shape[0])
    return tuple(shape)


def total(layers, attribute):
    """The sum of an attribute over layers; of `shape` the number of neurons.

    Example:

    >>> total(layer_facts("cifar_26")[2], "parameters")
    209928
    """
    values = [getattr(layer, attribute) for layer in layers]
    if attribute == "shape":
        values = [math.prod(shape) for shape in values]
    return sum(values)
