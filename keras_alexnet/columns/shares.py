"""Matches variables of whole layers with the columns' shares of them."""

import collections
import re

import numpy as np
from keras import ops

# The prefix that Keras's `LossScaleOptimizer` gives to the variables of the
# optimizer inside it, if that is built by a training step.
LOSS_SCALE = re.compile(r"^loss_scale_optimizer(_\d+)?/(?=[^/]+/)")
# `conv2_column0/conv2`, and `conv2_column0_conv2` in optimizers' names.
SHARE = re.compile(r"([A-Za-z0-9_]+?)_column(\d+)[/_]\1(?=[/_]|$)")


def copy_state(old, new):
    """Gives a model the weights, compilation and optimizer state of another.

    Args:
        old: A `keras.Model`, of columns or not.
        new: A `keras.Model` of the same network, in either form.

    Returns:
        `new`.

    Raises:
        ValueError: If something cannot be divided by columns, or the loss or
            a metric is a function that Keras cannot find by name.
    """
    transfer(old.weights, new.weights)
    if not old.compiled:
        return new
    try:
        new.compile_from_config(_renamed(old.get_compile_config()))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The loss, a metric or the optimizer of {old.name!r} cannot be "
            "copied. Give functions of your own a name that Keras finds, by "
            "`@keras.saving.register_keras_serializable()`, or take the "
            "weights alone: `on_one_device(model, optimizer=False)`."
        ) from error
    if old.optimizer.built:
        transfer(old.optimizer.variables, new.optimizer.variables)
    return new


def _whole_name(name):
    """The name in a network of whole layers, such as `conv2/kernel`."""
    return SHARE.sub(r"\1", LOSS_SCALE.sub("", name))


def _renamed(config):
    """A configuration with the names of whole layers, at any depth."""
    if isinstance(config, dict):
        return {_whole_name(k): _renamed(v) for k, v in config.items()}
    if isinstance(config, (list, tuple)):
        return type(config)(_renamed(value) for value in config)
    return config


def by_whole_name(variables):
    """Variables by the name that they have in a network of whole layers.

    Args:
        variables: List of `keras.Variable`, of columns or not.

    Returns:
        Dict of a name, such as `"conv2/kernel"`, to the list of variables
        that are its parts, the first column's first.

    Raises:
        ValueError: If two variables have one name.
    """
    parts = collections.defaultdict(dict)
    for variable in variables:
        found = SHARE.search(variable.path)
        column = int(found[2]) if found else 0
        name = _whole_name(variable.path)
        if column in parts[name]:
            raise ValueError(
                f"Two variables are called {variable.path}, so they cannot be "
                "divided by columns. Use an optimizer that names its "
                "variables after the weights, as SGD and Adam do."
            )
        parts[name][column] = variable
    return {
        name: [by_column[column] for column in sorted(by_column)]
        for name, by_column in parts.items()
    }


def transfer(sources, targets):
    """Assigns variables of one form of a network to those of the other.

    Args:
        sources: List of `keras.Variable`.
        targets: List of `keras.Variable`.

    Raises:
        ValueError: If one is missing, or cannot be divided by columns.
    """
    sources = by_whole_name(sources)
    for name, parts in by_whole_name(targets).items():
        if name not in sources:
            raise ValueError(
                f"{name} is not in the model to convert from, which has "
                f"{sorted(sources)}."
            )
        arrays = [ops.convert_to_numpy(v) for v in sources[name]]
        arrays = divided(arrays, [tuple(part.shape) for part in parts], name)
        for part, array in zip(parts, arrays, strict=True):
            part.assign(array)


def divided(arrays, shapes, name):
    """Arrays of given shapes, cut from others along the last axis.

    Args:
        arrays: List of arrays, one per column or one in all.
        shapes: List of tuples, those of the variables to assign to.
        name: String, what an error message calls them.

    Returns:
        List of arrays.

    Raises:
        ValueError: If the shapes do not fit.
    """
    if len(arrays) == len(shapes):
        found = arrays
    elif all(array.ndim == 0 for array in arrays):
        found = [arrays[0]] * len(shapes)
    else:
        joined = np.concatenate(arrays, axis=-1)
        found = np.array_split(joined, len(shapes), axis=-1)
    if [array.shape for array in found] != shapes:
        raise ValueError(
            f"{name} cannot be divided by columns: it has shapes "
            f"{[array.shape for array in arrays]}, wanted are {shapes}. "
            "Optimizers that keep one number per weight can be converted."
        )
    return found
