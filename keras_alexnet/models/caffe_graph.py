"""Builds the Keras model that a Caffe network describes."""

import dataclasses
import re

import keras

from keras_alexnet.models import caffe_layers
from keras_alexnet.models.caffe_settings import LARGEST

# Layers of one input, each with the function that makes Keras's.
CHAINED = {
    "Convolution": caffe_layers.convolution,
    "Dropout": caffe_layers.dropout,
    "Flatten": caffe_layers.flatten,
    "InnerProduct": caffe_layers.inner_product,
    "LRN": caffe_layers.lrn,
    "Pooling": caffe_layers.pooling,
    "ReLU": caffe_layers.relu,
    "Scale": caffe_layers.scale,
    "Sigmoid": caffe_layers.sigmoid,
    "Softmax": caffe_layers.softmax,
    # What such a loss layer computes first.
    "SoftmaxWithLoss": caffe_layers.softmax,
    "TanH": caffe_layers.tanh,
}
JOINED = {"Concat": caffe_layers.concat, "Eltwise": caffe_layers.eltwise}
DATA = (
    "AnnotatedData",
    "Data",
    "DummyData",
    "HDF5Data",
    "ImageData",
    "Input",
    "MemoryData",
    "WindowData",
)
# Layers that measure, of which nothing is built.
MEASURES = (
    "Accuracy",
    "ContrastiveLoss",
    "EuclideanLoss",
    "HingeLoss",
    "InfogainLoss",
    "MultinomialLogisticLoss",
    "SigmoidCrossEntropyLoss",
    "Silence",
)
# More, one after the other, than Keras can follow.
MOST_LAYERS = 2000


def build_graph(net, image=None):
    """Builds the Keras layers of a Caffe network.

    Args:
        net: A `CaffeNet` with its weights.
        image: Keras tensor that takes the place of the network's data, or
            `None` for inputs of the shape that the file states. Defaults to
            `None`.

    Returns:
        Tuple: list of the input tensors, and list of the output tensors, in
        the order of the file. Outputs are what no other layer reads.

    Raises:
        ValueError: If a layer is not known here, or does not fit those before
            it; the message names the layer, and its line if it is known.
    """
    if len(net.layers) > MOST_LAYERS:
        raise ValueError(
            f"The network has {len(net.layers)} layers; at most {MOST_LAYERS} "
            "are supported."
        )
    graph = _Graph(net, image)
    for layer, scale in _with_scales(net.layers):
        graph.add(layer, scale)
    if not graph.unread:
        raise ValueError("The network has no layer that computes an output.")
    return list(graph.inputs.values()), list(graph.unread.values())


def keras_name(name):
    """A Caffe layer's name without what Keras and TensorFlow do not allow.

    Example:

    >>> keras_name("inception_3a/5x5_reduce")
    'inception_3a_5x5_reduce'
    """
    name = re.sub(r"[^A-Za-z0-9_.>-]", "_", name)
    return name if re.match("[A-Za-z0-9.]", name) else f"layer{name}"


class _Graph:
    def __init__(self, net, image):
        self._net = net
        self._image = image
        self._blobs = {}
        self._names = {}
        # What is an input, or an output so far, by the blob's name.
        self._unused = {}
        self.inputs = {}
        self.unread = {}

    def add(self, layer, scale):
        if layer.type in MEASURES:
            return
        if not layer.name:
            raise ValueError(f"{layer.type} layer {layer} has no name.")
        name = self._free_name(layer)
        if layer.type in DATA and not layer.bottoms:
            self._add_data(layer, name)
            return
        if layer.type == "Split":
            (x,) = self._read(layer, 1)
            outputs = [x] * len(layer.tops)
        elif layer.type in JOINED:
            tensors = self._read(layer)
            outputs = [JOINED[layer.type](layer, tensors, name)]
        elif layer.type == "BatchNorm":
            (x,) = self._read(layer, 1)
            outputs = [caffe_layers.batch_norm(layer, x, name, scale)]
        elif layer.type in CHAINED:
            loss = layer.type == "SoftmaxWithLoss"
            x = self._read(layer, 2 if loss else 1)[0]
            outputs = [CHAINED[layer.type](layer, x, name)]
            if loss:
                tops = layer.tops or (layer.name,)
                layer = dataclasses.replace(layer, tops=tops)
                outputs *= len(tops)
        else:
            known = sorted({*CHAINED, *JOINED, "BatchNorm", "Split"})
            raise ValueError(
                f"Layer {layer} is of type {layer.type!r}, which is not "
                f"supported. Supported are {', '.join(known)}, and layers of "
                "data and losses."
            )
        tops = scale.tops if scale else layer.tops
        if len(tops) != len(outputs):
            raise ValueError(
                f"{layer.type} layer {layer} writes {len(tops)} blobs, "
                f"where {len(outputs)} is supported."
            )
        for top, tensor in zip(tops, outputs, strict=True):
            if top in self._blobs and top not in layer.bottoms:
                self._refuse_top(layer, top)
            self._blobs[top] = tensor
            self.unread[top] = tensor

    def _add_data(self, layer, name):
        """Adds an input; further tops, such as labels, are `None`."""
        first = not self._blobs
        if first and self._image is not None:
            tensor = self._image
        else:
            tensor = keras.Input(self._input_shape(layer), name=name)
        for index, top in enumerate(layer.tops):
            if top in self._blobs:
                self._refuse_top(layer, top)
            self._blobs[top] = tensor if index == 0 else None
            if index == 0:
                self._unused[top] = tensor

    def _input_shape(self, layer):
        settings = layer.settings or {}
        shape = settings.get("shape")
        if shape is None and settings.get("crop_size"):
            size = settings["crop_size"]
            shape = (1, self._channels_of(layer), size, size)
        if not shape or len(shape) not in (2, 4):
            raise ValueError(
                f"{layer.type} layer {layer} does not say which shape its "
                "data have. Pass the deploy file as `prototxt`."
            )
        if any(not 1 <= side <= LARGEST for side in shape[1:]):
            raise ValueError(
                f"{layer.type} layer {layer} states data of shape {shape}; "
                f"sides must be 1 to {LARGEST}."
            )
        if len(shape) == 2 or (
            keras.config.image_data_format() == "channels_first"
        ):
            return tuple(shape[1:])
        return (shape[2], shape[3], shape[1])

    def _channels_of(self, data):
        """Channels of a data layer's images, by who reads them."""
        tops = {data.tops[0]} if data.tops else set()
        for layer in self._net.layers:
            if tops & set(layer.bottoms):
                if layer.type == "Split":
                    tops |= set(layer.tops)
                elif layer.type == "Convolution" and layer.blobs:
                    group = (layer.settings or {}).get("group", 1)
                    if layer.blobs[0].ndim == 4:
                        return layer.blobs[0].shape[1] * group
        return 3

    def _read(self, layer, most=None):
        count = len(layer.bottoms)
        if not count:
            raise ValueError(
                f"{layer.type} layer {layer} reads nothing. If the file holds "
                "weights alone, pass the deploy file as `prototxt`."
            )
        if most is not None and count > most:
            raise ValueError(
                f"{layer.type} layer {layer} reads {count} blobs, where "
                f"{most} is supported."
            )
        tensors = [self._blob(layer, bottom) for bottom in layer.bottoms]
        for bottom in layer.bottoms:
            self.unread.pop(bottom, None)
            if bottom in self._unused:
                self.inputs[bottom] = self._unused.pop(bottom)
        if tensors[0] is None or (most is None and None in tensors):
            raise ValueError(
                f"{layer.type} layer {layer} reads labels, which a network "
                "for prediction does not have."
            )
        return tensors

    def _blob(self, layer, bottom):
        if bottom in self._blobs:
            return self._blobs[bottom]
        later = [x for x in self._net.layers if bottom in x.tops]
        reason = "which no layer writes"
        if later:
            reason = (
                f"which only layer {later[0]} writes, itself or later: layers "
                "must be in order, without cycles"
            )
        raise ValueError(
            f"{layer.type} layer {layer} reads the blob `{bottom}`, {reason}."
        )

    def _refuse_top(self, layer, top):
        raise ValueError(
            f"{layer.type} layer {layer} writes the blob `{top}`, which "
            "another layer writes, too."
        )

    def _free_name(self, layer):
        if layer.name in self._names.values():
            raise ValueError(
                f"{layer.type} layer {layer} has the name of another layer."
            )
        name = keras_name(layer.name)
        while name in self._names:
            name += f"_{len(self._names)}"
        self._names[name] = layer.name
        return name


def _with_scales(layers):
    """Pairs of a layer and the `Scale` that belongs to it, or `None`.

    In Caffe a `BatchNorm` has no factor and bias of its own; the `Scale` layer
    behind it has them.
    """
    reads = {}
    for layer in layers:
        for bottom in layer.bottoms:
            reads[bottom] = reads.get(bottom, 0) + 1
    skipped = False
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if skipped:
            skipped = False
            continue
        belongs = (
            layer.type == "BatchNorm"
            and following is not None
            and following.type == "Scale"
            and len(layer.tops) == 1
            and following.bottoms == layer.tops
            # In place, or read by nobody else.
            and (following.tops == layer.tops or reads[layer.tops[0]] == 1)
        )
        skipped = belongs
        yield layer, following if belongs else None
