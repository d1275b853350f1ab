"""Goes through a functional model layer by layer."""

import keras

from keras_alexnet.columns.conversion import grouped
from keras_alexnet.columns.conversion import has_columns
from keras_alexnet.columns.shares import transfer
from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)


def whole(model):
    """A model without columns: the model itself, or its grouped copy.

    Args:
        model: A `keras.Model`. It is not changed.

    Returns:
        A `keras.Model` that computes the same.

    Raises:
        ValueError: If the model is no graph of layers.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> whole(model) is model
    True
    """
    check_graph(model)
    if not has_columns(model):
        return model
    copy = grouped(model)
    transfer(model.weights, copy.weights)
    return copy


def column_count(model):
    """The number of columns of a model.

    Args:
        model: A `keras.Model`. One that carries no `Architecture` has as many
            columns as its layers have groups.

    Returns:
        Integer, 1 where the groups do not agree.

    Example:

    >>> from keras_alexnet.models.cifar import CIFARNet
    >>> column_count(CIFARNet())
    1
    """
    architecture = getattr(model, "architecture", None)
    if architecture is not None:
        return architecture.columns
    kinds = (keras.layers.Conv2D, LocalResponseNormalization)
    groups = {x.groups for x in model.layers if isinstance(x, kinds)} - {1}
    return groups.pop() if len(groups) == 1 else 1


def check_graph(model):
    """Refuses a model that is no graph of layers.

    Args:
        model: A `keras.Model`.

    Raises:
        ValueError: If it is subclassed, or has not been built.
    """
    if not getattr(model, "inputs", None) or not hasattr(model, "outputs"):
        raise ValueError(
            "`model` must be a graph of layers, as `AlexNet`, "
            "`keras.Model(inputs, outputs)` and built `keras.Sequential` "
            f"models are. Received: {type(model).__name__} "
            f"{getattr(model, 'name', '')!r}"
        )


def walk(model, inputs, call):
    """Evaluates a functional model with a function of one's own per layer.

    What flows through the graph is up to `call`: tensors, symbolic tensors,
    or facts about layers. Layers of nested models are visited, too.

    Args:
        model: A functional or sequential `keras.Model`, each of whose layers
            is used once.
        inputs: What takes the place of the model's input; a list for several.
        call: Function of a layer and what it gets (a list if it merges
            several), which returns what the layer gives.

    Yields:
        Tuples of a layer and what it gives, in the order of computation.
        Layers after the one at which the caller stops are not evaluated.

    Raises:
        ValueError: If the model is no graph of layers, or shares layers.

    Example:

    >>> layers = [keras.layers.Dense(3, name="a"), keras.layers.ReLU(name="b")]
    >>> model = keras.Sequential([keras.Input((2,)), *layers])
    >>> [(l.name, y) for l, y in walk(model, 1, lambda layer, x: x + 1)]
    [('a', 2), ('b', 3)]
    """
    check_graph(model)
    if isinstance(model, keras.Sequential):
        return (yield from _walk_chain(model.layers, inputs, call))
    values = dict(
        zip(map(id, model.inputs), keras.tree.flatten(inputs), strict=True)
    )
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        # A nested model has the inside of its graph as `input` and `output`.
        x = keras.tree.map_structure(
            lambda tensor, name=layer.name: _find(values, tensor, name),
            keras.Operation.input.fget(layer),
        )
        y = yield from _visit(layer, x, call)
        outputs = keras.tree.flatten(keras.Operation.output.fget(layer))
        found = [y] if len(outputs) == 1 else keras.tree.flatten(y)
        values.update(zip(map(id, outputs), found, strict=True))
    found = [_find(values, tensor, model.name) for tensor in model.outputs]
    return found[0] if len(found) == 1 else found


def _walk_chain(layers, x, call):
    for layer in layers:
        x = yield from _visit(layer, x, call)
    return x


def _visit(layer, x, call):
    if isinstance(layer, keras.Model):
        return (yield from walk(layer, x, call))
    y = call(layer, x)
    yield layer, y
    return y


def _find(values, tensor, name):
    if id(tensor) not in values:
        raise ValueError(
            f"Layer {name!r} must be used once in the model, and in no other "
            "before it. Received: a graph that shares layers; make a copy "
            "with `keras.models.clone_model` and copy the weights"
        )
    return values[id(tensor)]
