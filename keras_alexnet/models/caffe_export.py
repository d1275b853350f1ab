"""Writes Keras models of layers that Caffe has to Caffe's files."""

import re
import warnings

from keras_alexnet.columns.conversion import grouped
from keras_alexnet.columns.conversion import has_columns
from keras_alexnet.columns.shares import transfer
from keras_alexnet.models.caffe_blobs import Blob
from keras_alexnet.models.caffe_writers import WRITERS
from keras_alexnet.weights.caffe_net import CaffeLayer
from keras_alexnet.weights.caffe_net import CaffeNet
from keras_alexnet.weights.caffemodel import write_caffemodel
from keras_alexnet.weights.prototxt import write_prototxt

# Caffe computes these in place where nobody else reads what they read.
IN_PLACE = ("Dropout", "ReLU", "Scale", "Sigmoid", "TanH")


def write_caffe(model, path):
    """Writes a `.caffemodel`, and beside it the deploy `.prototxt`.

    Args:
        model: A functional `keras.Model`, of one graph or of columns.
        path: Path that ends in `.caffemodel`.

    Raises:
        ValueError: If Caffe has no layers for the model; the message names
            the layer.
    """
    net = caffe_net_of(model)
    ks = {
        layer.settings["k"]
        for layer in net.layers
        if layer.type == "LRN" and "k" in layer.settings
    }
    if ks - {1.0}:
        warnings.warn(
            f"OpenCV ignores k of Caffe's LRN layers, here "
            f"{', '.join(f'{k:g}' for k in sorted(ks))}. Caffe itself computes "
            "this file correctly.",
            stacklevel=4,
        )
    write_prototxt(f"{str(path).removesuffix('.caffemodel')}.prototxt", net)
    write_caffemodel(path, net)


def caffe_net_of(model):
    """The Caffe network that computes what a model computes.

    It takes pixels as Caffe has them, BGR, centered and not divided: the first
    convolution makes up for another order or scale, if the model says which it
    has (by its architecture, or a `MeanSubtraction` layer).

    Args:
        model: As of `write_caffe`.

    Returns:
        A `CaffeNet` with weights.

    Raises:
        ValueError: As of `write_caffe`.
    """
    if has_columns(model):
        whole = grouped(model)
        transfer(model.weights, whole.weights)
        model = whole
    architecture = getattr(model, "architecture", None)
    name = getattr(architecture, "name", model.name)
    writer = _Writer(model, architecture)
    try:
        return CaffeNet(name, tuple(writer.layers()))
    except ValueError as error:
        raise ValueError(
            f"Caffe cannot compute the network {name!r}: {error}"
        ) from error


class _Writer:
    def __init__(self, model, architecture):
        self._model = model
        self._layers = []
        self._names = set()
        # By the identity of the Keras tensor.
        self._blobs = {}
        # Which Keras tensor is in a blob of Caffe's.
        self._writers = {}
        self._readers = _readers(model)
        # In Caffe's own file of GoogLeNet these names have a slash.
        self._slashes = hasattr(architecture, "modules")
        self._pixels = architecture and (
            architecture.pixel_std,
            architecture.channel_order,
        )

    def layers(self):
        for tensor in self._model.inputs:
            self._add_input(tensor)
        for tensor in _in_order(self._model):
            layer, node = _origin(tensor)
            if len(node.output_tensors) != 1:
                raise ValueError(f"layer `{layer.name}` has several outputs.")
            inputs = [self._blobs[id(x)] for x in node.input_tensors]
            blob = self._converted(layer, inputs, node.input_tensors[0], tensor)
            self._blobs[id(tensor)] = blob
        for tensor in self._model.outputs:
            self._check_output(self._blobs[id(tensor)])
        return self._layers

    def _converted(self, layer, inputs, read, written):
        """Adds the Caffe layers for a Keras layer; returns what they write."""
        # By the exact class: what is derived from it computes something else.
        write = WRITERS.get(type(layer).__name__)
        if write is None:
            raise ValueError(
                f"layer `{layer.name}` is a {type(layer).__name__} layer, "
                "which Caffe does not have."
            )
        shape = tuple(written.shape[1:])
        found, blob = write(layer, inputs, shape)
        bottoms = tuple(blob.name for blob in inputs)
        # Others may read the same blob as another Keras tensor.
        own = self._writers.get(bottoms[0]) == id(read)
        alone = own and self._readers[id(read)] == 1
        for caffe_layer in found:
            name = self._free_name(caffe_layer.name)
            in_place = caffe_layer.type in IN_PLACE and alone
            tops = bottoms if in_place else (name,)
            self._layers.append(
                CaffeLayer(
                    name,
                    caffe_layer.type,
                    bottoms,
                    tops,
                    caffe_layer.settings,
                    caffe_layer.blobs,
                )
            )
            bottoms = tops
            alone = True
        if found:
            blob = blob.named(bottoms[0])
            self._writers[blob.name] = id(written)
        return blob

    def _add_input(self, tensor):
        layer, _ = _origin(tensor)
        shape = tuple(tensor.shape[1:])
        if None in shape or len(shape) not in (1, 3):
            raise ValueError(
                f"its input `{layer.name}` is of shape {shape}; Caffe takes "
                "images of a fixed size, or vectors."
            )
        blob = Blob.of(shape, self._pixels if len(shape) == 3 else None)
        # What a Keras model calls it depends on how many were built before.
        several = len(self._model.inputs) > 1
        name = self._free_name(layer.name if several else "data")
        dims = (1, *(blob.shape or shape))
        self._layers.append(
            CaffeLayer(name, "Input", (), (name,), {"shape": dims})
        )
        self._blobs[id(tensor)] = blob.named(name)

    def _check_output(self, blob):
        if blob.flattened:
            raise ValueError(
                "its output is a map flattened pixel by pixel, where Caffe "
                "flattens channel by channel."
            )

    def _free_name(self, name):
        if self._slashes:
            name = re.sub(
                r"^(inception_\w\w|(?:conv|pool|loss)\d)_", r"\1/", name
            )
        unique, number = name, 1
        while unique in self._names:
            number += 1
            unique = f"{name}_{number}"
        self._names.add(unique)
        return unique


def _origin(tensor):
    """The layer that made a Keras tensor, and its node in the graph."""
    layer, index, _ = tensor._keras_history
    return layer, layer._inbound_nodes[index]


def _in_order(model):
    """The tensors of a model after its inputs, each after what it is of.

    Branches follow one another in full, as in Caffe's own files.
    """
    found = {id(x) for x in model.inputs}
    order, pending = [], [(x, False) for x in reversed(model.outputs)]
    while pending:
        tensor, ready = pending.pop()
        if id(tensor) in found:
            continue
        if ready:
            found.add(id(tensor))
            order.append(tensor)
            continue
        pending.append((tensor, True))
        _, node = _origin(tensor)
        pending += [(x, False) for x in reversed(node.input_tensors)]
    return order


def _readers(model):
    """How often each tensor is read; being an output counts as once."""
    counts = {id(x): 1 for x in model.outputs}
    for tensor in [*_in_order(model)]:
        _, node = _origin(tensor)
        for x in node.input_tensors:
            counts[id(x)] = counts.get(id(x), 0) + 1
    return counts
