"""Converts the graph of whole layers to the graph of columns, and back."""

import keras

from keras_alexnet.columns.branches import Columns
from keras_alexnet.columns.branches import apply
from keras_alexnet.columns.branches import has_filters
from keras_alexnet.columns.branches import join
from keras_alexnet.columns.branches import spread
from keras_alexnet.columns.exchange import ColumnExchange
from keras_alexnet.columns.placement import OnColumn
from keras_alexnet.columns.placement import column_strategy
from keras_alexnet.columns.placement import has_replicas
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
        x = apply(copy_of(layer), x)
    return _rebuilt(model, image, join(x))


def grouped(model):
    """Builds the same network as one graph of whole layers, new weights.

    What follows the columns, or stands beside them, is copied as it is.

    Args:
        model: A functional model of columns. It is not changed.

    Returns:
        A model of the class of `model`, not compiled.

    Raises:
        ValueError: If something takes the channels of one column alone.
    """
    # Keras would compile the copy of a compiled model, and allocate slots.
    graph = keras.Model(model.input, model.output, name=model.name)
    copy = keras.models.clone_model(
        graph,
        clone_function=_copy_unless_of_columns,
        call_function=_Joiner(),
        recursive=True,
    )
    return _rebuilt(model, copy.input, copy.output)


def has_columns(model):
    """Whether a model, or one within it, has one branch per column."""
    return any(
        has_columns(layer)
        if isinstance(layer, keras.Model)
        else isinstance(layer, OnColumn)
        for layer in model.layers
    )


class _Part:
    """A column's channels of a tensor, in the graph of whole layers."""

    def __init__(self, whole, column):
        self.whole = whole
        self.column = column


class _Joiner:
    """Calls whole layers where a graph calls the columns' shares of them."""

    def __init__(self):
        self._layers = {}
        self._outputs = {}

    def __call__(self, operation, *args, **kwargs):
        if isinstance(operation, OnColumn):
            return self._call_whole(operation, args[0])
        if isinstance(operation, ColumnExchange):
            (parts,) = args
            # Without a halo each column receives all channels.
            return parts if operation.halo else [x.whole for x in parts]
        if _joins(operation, args):
            return args[0][0].whole
        for x in keras.tree.flatten((args, kwargs)):
            if isinstance(x, _Part):
                raise ValueError(
                    f"{operation.name!r} takes the channels of column "
                    f"{x.column} alone, which one graph of whole layers does "
                    "not have. Take the output of a layer that all columns "
                    "have gone through."
                )
        return operation(*args, **kwargs)

    def _call_whole(self, share, x):
        name = share.layer.name
        if name not in self._layers:
            self._layers[name] = _synchronized(share.whole_layer())
            self._layers[name].trainable = (
                share.trainable and share.layer.trainable
            )
        divided = isinstance(x, _Part)
        x = x.whole if divided else x
        # All columns come here, with the same tensor.
        if (name, id(x)) not in self._outputs:
            self._outputs[name, id(x)] = self._layers[name](x)
        output = self._outputs[name, id(x)]
        if divided or has_filters(share.layer):
            return _Part(output, share.column)
        return output


def _joins(operation, args):
    """Whether it concatenates all columns' channels of one tensor."""
    return (
        isinstance(operation, keras.layers.Concatenate)
        and all(isinstance(x, _Part) for x in args[0])
        and len({id(x.whole) for x in args[0]}) == 1
        and [x.column for x in args[0]] == list(range(len(args[0])))
    )


def _copy_unless_of_columns(operation):
    if isinstance(operation, (OnColumn, ColumnExchange)):
        return operation
    # Those of `keras.ops` have no state.
    if not isinstance(operation, keras.layers.Layer):
        return operation
    return copy_of(operation)


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


def copy_of(layer):
    """A new layer for the current strategy, with weights of its own.

    Args:
        layer: A layer.

    Returns:
        A layer of the same configuration, not built. The statistics of a
        batch are of all replicas, if there are several.

    Example:

    >>> copy_of(keras.layers.BatchNormalization(synchronized=True)).synchronized
    False
    """
    return _synchronized(layer.from_config(layer.get_config()))


def _synchronized(layer):
    if isinstance(layer, keras.layers.BatchNormalization):
        layer.synchronized = has_replicas()
    return layer
