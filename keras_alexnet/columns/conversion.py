"""Converts the graph of whole layers to the graph of columns, and back."""

import keras

from keras_alexnet.columns.branches import Columns
from keras_alexnet.columns.branches import apply
from keras_alexnet.columns.branches import join
from keras_alexnet.columns.branches import spread
from keras_alexnet.columns.exchange import ColumnExchange
from keras_alexnet.columns.placement import OnColumn
from keras_alexnet.columns.placement import column_strategy
from keras_alexnet.layers.grouped_conv2d import GroupedConv2D
from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)


def divided(model, columns=None):
    """Builds the same network with one branch per column, and new weights.

    Under the scope of a column strategy each branch is on its column's
    device; elsewhere all branches are on the default device.

    Args:
        model: A model that is a chain of whole layers. It is not changed.
        columns: Integer. Defaults to the number of groups of its layers.

    Returns:
        A model of the class of `model`.

    Raises:
        ValueError: If the model is not a chain of layers, or has no columns.
    """
    x = image = _input_like(model)
    chain = _chain(model)
    columns = columns or _columns(model)
    weighted = [layer for layer in chain if layer.weights]
    for layer in chain:
        if isinstance(layer, GroupedConv2D) and not isinstance(x, Columns):
            x = _spread(x, columns)
        # The last layer sees everything, on the head device.
        if layer is weighted[-1] and isinstance(layer, keras.layers.Dense):
            x = join(x)
        x = apply(_copy(layer), x)
    return _rebuilt(model, image, join(x))


def grouped(model):
    """Builds the same network as one graph of whole layers, new weights.

    Args:
        model: A model of columns. It is not changed.

    Returns:
        A model of the class of `model`.
    """
    x = image = _input_like(model)
    for layer in model.layers[1:]:
        if isinstance(layer, OnColumn):
            x = layer.whole_layer()(x) if layer.column == 0 else x
        elif not isinstance(layer, (ColumnExchange, keras.layers.Concatenate)):
            x = _copy(layer)(x)
    return _rebuilt(model, image, x)


def has_columns(model):
    """Whether a model has one branch per column."""
    return any(isinstance(layer, OnColumn) for layer in model.layers)


def _spread(x, columns):
    if column_strategy() is None:
        return Columns([x] * columns, whole=True)
    return spread(x, columns)


def _rebuilt(model, inputs, outputs):
    """A model of the same name, with the architecture of the old one."""
    kind = type(model) if hasattr(model, "architecture") else keras.Model
    return kind(inputs, outputs, name=model.name)


def _columns(model):
    groups = {
        layer.groups
        for layer in model.layers
        if isinstance(layer, (GroupedConv2D, LocalResponseNormalization))
    } - {1}
    if len(groups) != 1:
        raise ValueError(
            "`columns` must be given, because the layers' groups do not show "
            "how many there are. "
            f"Received: layers in {sorted(groups) or 'no'} groups"
        )
    return groups.pop()


def _input_like(model):
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            "Only models of one input and one output can be converted. "
            f"Received: {len(model.inputs)} inputs, {len(model.outputs)} "
            "outputs"
        )
    (old,) = model.inputs
    return keras.Input(
        batch_shape=old.shape, dtype=old.dtype, name=model.layers[0].name
    )


def _chain(model):
    """The layers after the input, each of which takes the last one's output."""
    layers = model.layers
    for before, layer in zip(layers[:-1], layers[1:], strict=True):
        if isinstance(layer, OnColumn) or layer.input is not before.output:
            raise ValueError(
                "`to_columns` takes a chain of layers, as `AlexNet` builds "
                f"without a column strategy. Received: {layer.name!r} that "
                f"does not follow {before.name!r}"
            )
    return layers[1:]


def _copy(layer):
    return layer.from_config(layer.get_config())
