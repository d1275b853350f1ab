"""Caffe's `.caffemodel`, `.prototxt` and `.binaryproto` as named arrays."""

import dataclasses
import math

import numpy as np

from keras_alexnet.disk import replacing
from keras_alexnet.weights.caffe_generations import SETTINGS
from keras_alexnet.weights.caffe_generations import last
from keras_alexnet.weights.caffe_generations import merge_padding
from keras_alexnet.weights.caffe_generations import upgrade
from keras_alexnet.weights.caffe_schema import BLOB
from keras_alexnet.weights.caffe_schema import NET
from keras_alexnet.weights.protobuf import encode
from keras_alexnet.weights.protobuf import format_text
from keras_alexnet.weights.protobuf import read_message


@dataclasses.dataclass(frozen=True)
class CaffeLayer:
    """One layer of a Caffe network.

    Args:
        name: String, as in the file.
        type: String, Caffe's name of the class, such as `"InnerProduct"`.
        bottoms: Names of the blobs that it reads.
        tops: Names of the blobs that it writes.
        settings: Dict of the layer's parameters (`stride`, `local_size`, …) as
            far as they are stated, or `None` where the file has none at all.
        blobs: Arrays, the weights and then the biases.
    """

    name: str
    type: str
    bottoms: tuple = ()
    tops: tuple = ()
    settings: dict | None = None
    blobs: tuple = ()


@dataclasses.dataclass(frozen=True)
class CaffeNet:
    """A Caffe network: its layers in order, and its weights.

    Args:
        name: String.
        layers: Tuple of `CaffeLayer`.
        input_size: Pixels per side of its images, or `None` where not stated.
    """

    name: str
    layers: tuple
    input_size: int | None = None


def read_caffemodel(path):
    """Reads the layers and weights of a `.caffemodel` file.

    All three generations of the format are read; in the result they look
    alike. Arrays share the memory that the file was read into.

    Args:
        path: Path of the file.

    Returns:
        A `CaffeNet`.

    Raises:
        ValueError: If the file is not a caffemodel, or is damaged.

    Example:

    >>> import numpy as np
    >>> import os, tempfile
    >>> layer = CaffeLayer("fc8", "InnerProduct", ("fc7",), ("fc8",), {},
    ...     (np.eye(2, dtype="float32"), np.zeros(2, "float32")))
    >>> path = os.path.join(tempfile.mkdtemp(), "net.caffemodel")
    >>> write_caffemodel(path, CaffeNet("tiny", (layer,)))
    >>> read_caffemodel(path).layers[0].blobs[0].shape
    (2, 2)

    Reference: `src/caffe/proto/caffe.proto`, `src/caffe/blob.cpp:466` and
    `src/caffe/util/upgrade_proto.cpp` of Caffe.
    """
    net = read_message(path, NET)
    messages = [upgrade(message) for message in net.get("layers", ())]
    messages += net.get("layer", ())
    if not messages:
        raise ValueError(
            f"{path} is not a caffemodel: it has no layers. Is it an error "
            "page, a solver state or a mean image?"
        )
    return CaffeNet(
        name=last(net, "name", ""),
        layers=tuple(
            _layer(message, path) for message in merge_padding(messages)
        ),
        input_size=_input_size(net, messages),
    )


def write_caffemodel(path, net):
    """Writes a `.caffemodel` of the present generation.

    Args:
        path: Path of the file. Nothing is left there if writing fails.
        net: A `CaffeNet`.
    """
    with replacing(path) as temporary, open(temporary, "wb") as file:
        for chunk in encode(_message(net, with_blobs=True), NET):
            file.write(chunk)


def write_prototxt(path, net):
    """Writes the deploy `.prototxt` of a network: its layers, no weights.

    Args:
        path: Path of the file.
        net: A `CaffeNet` whose `input_size` is given.
    """
    text = format_text(_message(net, with_blobs=False), NET)
    with replacing(path) as temporary, open(temporary, "w") as file:
        file.write(text)


def read_binaryproto(path):
    """Reads an array, such as a mean image, from a `.binaryproto` file.

    Args:
        path: Path of the file.

    Returns:
        Array of shape `(channels, height, width)` (of a single image; else
        what the file states), BGR if it is an image of Caffe's tools.

    Raises:
        ValueError: If the file is not one blob, or is damaged.
    """
    array = _array(read_message(path, BLOB), f"{path}: the array")
    return array[0] if array.ndim == 4 and len(array) == 1 else array


def _layer(message, path):
    name = last(message, "name", "")
    type_name = last(message, "type", "")
    stated = message.get(SETTINGS.get(type_name))
    return CaffeLayer(
        name=name,
        type=type_name,
        bottoms=tuple(message.get("bottom", ())),
        tops=tuple(message.get("top", ())),
        settings=None
        if stated is None
        else {
            key: _one_side(values, f"{path}: {key} of layer `{name}`")
            for key, values in stated[-1].items()
            if values
        },
        blobs=tuple(
            _array(blob, f"{path}: blob {index} of layer `{name}`")
            for index, blob in enumerate(message.get("blobs", ()))
        ),
    )


def _one_side(values, what):
    """The number for both sides, from a list of one or of one per side."""
    if len({str(value) for value in values}) > 1:
        raise ValueError(f"{what} is {values}, where one number is wanted.")
    return values[-1]


def _array(blob, what):
    legacy = [blob.get(key) for key in ("num", "channels", "height", "width")]
    if any(legacy):
        shape = [values[-1] if values else 0 for values in legacy]
    else:
        shape = last(blob, "shape", {}).get("dim", [])
    data = blob.get("data", blob.get("double_data", np.zeros(0, "float32")))
    # Caffe's limits; and Python's integers cannot overflow in a product.
    fits = len(shape) <= 32 and max(shape, default=0) < 2**31
    if not fits or math.prod(shape) != len(data):
        raise ValueError(
            f"{what} is stated to have shape {tuple(shape[:32])}, but "
            f"{len(data)} values are there. The file is damaged."
        )
    return data.reshape(shape).astype("float32", copy=False)


def _input_size(net, messages):
    if len(net.get("input_dim", ())) >= 4:
        return net["input_dim"][3]
    shapes = net.get("input_shape", [])
    for message in messages:
        for parameter in message.get("input_param", ()):
            shapes = shapes + parameter.get("shape", [])
        for parameter in message.get("transform_param", ()):
            if last(parameter, "crop_size", 0):
                return parameter["crop_size"][-1]
    dims = shapes[0].get("dim", []) if shapes else []
    return dims[3] if len(dims) == 4 else None


def _message(net, with_blobs):
    layers = []
    if net.input_size is not None:
        shape = {"dim": [1, 3, net.input_size, net.input_size]}
        layers.append(
            {
                "name": ["data"],
                "type": ["Input"],
                "top": ["data"],
                "input_param": [{"shape": [shape]}],
            }
        )
    for layer in net.layers:
        message = {
            "name": [layer.name],
            "type": [layer.type],
            "bottom": layer.bottoms,
            "top": layer.tops,
        }
        if layer.settings and layer.type in SETTINGS:
            message[SETTINGS[layer.type]] = [
                {key: [value] for key, value in layer.settings.items()}
            ]
        if with_blobs:
            message["blobs"] = [
                {"shape": [{"dim": blob.shape}], "data": blob}
                for blob in layer.blobs
            ]
        layers.append(message)
    return {"name": [net.name], "layer": layers}
