"""From the graph for one device to the graph of columns, and back."""

import pathlib

import keras
import tensorflow as tf

from keras_alexnet.columns.branches import Columns
from keras_alexnet.columns.branches import apply
from keras_alexnet.columns.branches import join
from keras_alexnet.columns.branches import spread
from keras_alexnet.columns.exchange import ColumnExchange
from keras_alexnet.columns.placement import OnColumn
from keras_alexnet.columns.placement import column_strategy
from keras_alexnet.distribution.column_parallel import ColumnParallelStrategy
from keras_alexnet.distribution.state_transfer import copy_state
from keras_alexnet.distribution.state_transfer import transfer
from keras_alexnet.layers.grouped_conv2d import GroupedConv2D
from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)


def to_columns(model, columns=None):
    """The same network with one branch per column, on the columns' devices.

    Call it under the `scope()` of a column strategy. Weights and, if the
    model is compiled, the state of the optimizer go with it, so training goes
    on where it was. Dropout draws other masks.

    Args:
        model: A model for one device, from `AlexNet` outside of any column
            strategy. It is left as it is.
        columns: Integer. Defaults to the number of groups of its layers.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: If no column strategy is in force, or the model is not a
            chain of layers, or the optimizer's state cannot be divided.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> from keras_alexnet.distribution import ColumnParallelStrategy
    >>> model = AlexNet(input_shape=(67, 67, 3), classes=10)
    >>> with ColumnParallelStrategy(["/CPU:0", "/CPU:0"]).scope():
    ...     two = to_columns(model)
    >>> two.count_params() == model.count_params()
    True
    """
    if column_strategy() is None:
        raise ValueError(
            "Call `to_columns` under the `scope()` of a strategy that has "
            "columns, such as `ColumnParallelStrategy`."
        )
    x = image = _input_like(model)
    chain = _chain(model)
    columns = columns or _columns(model)
    weighted = [layer for layer in chain if layer.weights]
    for layer in chain:
        if isinstance(layer, GroupedConv2D) and not isinstance(x, Columns):
            x = spread(x, columns)
        # The last layer sees everything, on the head device.
        if layer is weighted[-1] and isinstance(layer, keras.layers.Dense):
            x = join(x)
        x = apply(_copy(layer), x)
    return copy_state(model, keras.Model(image, join(x), name=model.name))


def to_grouped(model):
    """The same network as one graph for one device; undoes `to_columns`.

    Args:
        model: A model of columns. It is left as it is.

    Returns:
        A `keras.Model`, with weights and optimizer state as in `to_columns`.

    Raises:
        ValueError: If the model has no columns, or the optimizer's state
            cannot be put together.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> from keras_alexnet.distribution import ColumnParallelStrategy
    >>> with ColumnParallelStrategy(["/CPU:0", "/CPU:0"]).scope():
    ...     model = AlexNet(input_shape=(67, 67, 3), classes=10)
    >>> to_grouped(model).get_layer("conv2").groups
    2
    """
    if not has_columns(model):
        raise ValueError(
            "`to_grouped` takes a model of columns, built under the `scope()` "
            f"of a column strategy. Received: {model.name!r} without columns"
        )
    x = image = _input_like(model)
    for layer in model.layers[1:]:
        if isinstance(layer, OnColumn):
            x = layer.whole_layer()(x) if layer.column == 0 else x
        elif not isinstance(layer, (ColumnExchange, keras.layers.Concatenate)):
            x = _copy(layer)(x)
    return copy_state(model, keras.Model(image, x, name=model.name))


def on_one_device(model):
    """The trained network as an ordinary model, for saving and evaluation.

    Args:
        model: A `keras.Model` of any strategy.

    Returns:
        A grouped model on the first device, with the state of the optimizer;
        `model` itself if it was built without a strategy.

    Example:

    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> on_one_device(model) is model
    True
    """
    if has_columns(model):
        return to_grouped(model)
    if not _has_strategy(model):
        return model
    copy = keras.models.clone_model(model)
    transfer(model.weights, copy.weights)
    if model.compiled:
        copy.compile_from_config(model.get_compile_config())
    if model.compiled and model.optimizer.built:
        # Built twice, a `LossScaleOptimizer` has its variables twice.
        if not copy.optimizer.built:
            copy.optimizer.build(copy.trainable_variables)
        transfer(model.optimizer.variables, copy.optimizer.variables)
    return copy


def load_weights(model, path):
    """Loads a `.weights.h5` file of the same network in either form.

    Args:
        model: A model for one device; or a model of columns, then under the
            `scope()` of its strategy.
        path: Path of a file that `save_weights` of either wrote.

    Raises:
        ValueError: If the file is of another network.

    Example:

    >>> import tempfile
    >>> from keras_alexnet import AlexNet
    >>> from keras_alexnet.distribution import ColumnParallelStrategy
    >>> path = tempfile.mkdtemp() + "/alexnet.weights.h5"
    >>> AlexNet(input_shape=(67, 67, 3), classes=10).save_weights(path)
    >>> with ColumnParallelStrategy(["/CPU:0", "/CPU:0"]).scope():
    ...     model = AlexNet(input_shape=(67, 67, 3), classes=10)
    ...     load_weights(model, path)
    """
    # Imported here: a dependency of Keras, not ours.
    import h5py

    with h5py.File(pathlib.Path(path)) as file:
        file_has_columns = any("on_column" in name for name in file["layers"])
    if file_has_columns == has_columns(model):
        model.load_weights(path)
        return
    other = _columns_anywhere(model) if file_has_columns else to_grouped(model)
    other.load_weights(path)
    transfer(other.weights, model.weights)
    if model.compiled and model.optimizer.built:
        transfer(other.optimizer.variables, model.optimizer.variables)


def _columns_anywhere(model):
    """The columns of a model, which need not be where they would train."""
    if tf.distribute.has_strategy():
        return to_columns(model)
    with ColumnParallelStrategy(["/CPU:0"] * _columns(model)).scope():
        return to_columns(model)


def has_columns(model):
    """Whether a model has one branch per column."""
    return any(isinstance(layer, OnColumn) for layer in model.layers)


def _columns(model):
    groups = {
        layer.groups
        for layer in model.layers
        if isinstance(layer, (GroupedConv2D, LocalResponseNormalization))
    } - {1}
    if len(groups) != 1:
        raise ValueError(
            "`columns` must be given where the layers' groups do not tell. "
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


def _has_strategy(model):
    return model.distribute_strategy is not tf.distribute.get_strategy()
