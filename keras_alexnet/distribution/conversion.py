"""Converts models for one device to models of columns, and back."""

import keras
import tensorflow as tf

from keras_alexnet.columns.conversion import copy_of
from keras_alexnet.columns.conversion import divided
from keras_alexnet.columns.conversion import grouped
from keras_alexnet.columns.conversion import has_columns
from keras_alexnet.columns.placement import column_strategy
from keras_alexnet.columns.shares import copy_state
from keras_alexnet.columns.shares import transfer


def to_columns(model, columns=None):
    """Converts a model to one branch per column, on the columns' devices.

    Call it under the `scope()` of a column strategy. The weights are copied
    and, if the model is compiled, the state of the optimizer, so training can
    continue. Dropout draws other masks.

    Args:
        model: A model for one device, from `AlexNet` outside of any column
            strategy. It is not changed.
        columns: Integer. Defaults to the number of groups of its layers.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: If no column strategy is in force, or the model is not a
            chain of layers, the optimizer's state cannot be divided, or the
            loss or a metric is a function that Keras cannot find by name.

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
    return copy_state(model, divided(model, columns))


def to_grouped(model):
    """Converts a model of columns to one graph for one device.

    Args:
        model: A model of columns. It is not changed.

    Returns:
        A `keras.Model`, with weights and optimizer state as in `to_columns`.

    Raises:
        ValueError: If the model has no columns, something takes the channels
            of one column alone, the optimizer's state cannot be joined, or
            the loss or a metric is a function that Keras cannot find by name.

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
    return copy_state(model, grouped(model))


def on_one_device(model, optimizer=True):
    """Makes an ordinary model of a trained one, to save and to evaluate it.

    Args:
        model: A `keras.Model` of any strategy.
        optimizer: Boolean. Whether the copy can go on training: compiled as
            the model is, with the state of its optimizer. Defaults to `True`.

    Returns:
        A grouped model on the first device; `model` itself if it was built
        without a strategy.

    Raises:
        ValueError: As of `to_grouped`, but for models without columns.

    Example:

    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> on_one_device(model) is model
    True
    """
    if has_columns(model):
        copy = grouped(model)
    elif has_strategy(model):
        copy = keras.models.clone_model(model, clone_function=copy_of)
    else:
        return model
    if optimizer:
        return copy_state(model, copy)
    transfer(model.weights, copy.weights)
    return copy


def has_strategy(model):
    """Whether a model was built under a strategy other than the current one.

    Args:
        model: A `keras.Model`.

    Returns:
        Boolean.

    Example:

    >>> has_strategy(keras.Sequential([keras.layers.Dense(1)]))
    False
    """
    return model.distribute_strategy is not tf.distribute.get_strategy()
