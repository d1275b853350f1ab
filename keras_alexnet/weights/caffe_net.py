"""A Caffe network as a list of layers, from messages and to messages."""

import dataclasses
import math

import numpy as np

from keras_alexnet.weights.caffe_generations import LINE
from keras_alexnet.weights.caffe_generations import SETTINGS
from keras_alexnet.weights.caffe_generations import last
from keras_alexnet.weights.caffe_generations import merge_padding
from keras_alexnet.weights.caffe_generations import upgrade

# Settings that are lists; of the others there is one, or one per side.
LISTS = ("coeff", "mean_value", "shape")
# Layers that cannot be without weights.
WEIGHTED = ("BatchNorm", "Convolution", "InnerProduct", "Scale")
SIDES = {
    "kernel_size": ("kernel_h", "kernel_w"),
    "stride": ("stride_h", "stride_w"),
    "pad": ("pad_h", "pad_w"),
}


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
            Enumerations are numbers, as in binary files. An `Input` layer has
            its `shape`, a data layer its `crop_size`, `scale` and
            `mean_value`.
        blobs: Arrays, the weights and then the biases.
        line: Integer, where the layer begins in a file of text; else `None`.
    """

    name: str
    type: str
    bottoms: tuple = ()
    tops: tuple = ()
    settings: dict | None = None
    blobs: tuple = ()
    line: int | None = dataclasses.field(default=None, compare=False)

    def __str__(self):
        """What messages call the layer: its name, and its line if known."""
        line = "" if self.line is None else f" (line {self.line})"
        return f"`{self.name}`{line}"


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


def net_from_message(net, path, keeps=None):
    """The layers of a file that was read.

    Args:
        net: Dict, as the schema `NET` has it.
        path: Path of the file, for error messages.
        keeps: Callable that takes a layer's message and says whether the
            layer is wanted. Defaults to all.

    Returns:
        A `CaffeNet`, without layers if the file has none.

    Raises:
        ValueError: If a layer contradicts itself.
    """
    messages = [upgrade(message) for message in net.get("layers", ())]
    messages += net.get("layer", ())
    messages = [x for x in messages if keeps is None or keeps(x)]
    layers = _inputs(net, path) + [
        _layer(message, path) for message in merge_padding(messages)
    ]
    return CaffeNet(last(net, "name", ""), tuple(layers), _input_size(layers))


def message_of_net(net, with_blobs):
    """The message of a network, the inverse of `net_from_message`.

    Args:
        net: A `CaffeNet`. If it has an `input_size` and no `Input` layer, one
            is put in front.
        with_blobs: Boolean, whether weights are written.

    Returns:
        Dict, as the schema `NET` has it.
    """
    layers = list(net.layers)
    given = any(layer.type == "Input" for layer in layers)
    if net.input_size is not None and not given:
        shape = (1, 3, net.input_size, net.input_size)
        layers = [
            CaffeLayer("data", "Input", (), ("data",), {"shape": shape}),
            *layers,
        ]
    return {
        "name": [net.name],
        "layer": [_message_of_layer(layer, with_blobs) for layer in layers],
    }


def with_weights(net, weights, path):
    """The layers of one file with the weights of another, as Caffe does it.

    Args:
        net: A `CaffeNet`, from a `.prototxt`.
        weights: A `CaffeNet`, from a `.caffemodel`. Its further layers are
            left out.
        path: Path of the weights, for error messages.

    Returns:
        A `CaffeNet` with the layers of `net`.

    Raises:
        ValueError: If no layer has the name of one with weights.
    """
    found = {layer.name: layer.blobs for layer in weights.layers if layer.blobs}
    layers = tuple(
        dataclasses.replace(layer, blobs=found.get(layer.name, ()))
        for layer in net.layers
    )
    wanting = any(layer.type in WEIGHTED for layer in layers)
    if wanting and not any(layer.blobs for layer in layers):
        raise ValueError(
            f"{path} has weights of the layers {', '.join(found)[:200]}; the "
            "prototxt has none of these."
        )
    return dataclasses.replace(net, layers=layers)


def array_of_blob(blob, what):
    """The array of a `BlobProto`.

    Args:
        blob: Dict, as the schema `BLOB` has it.
        what: String, what error messages call it.

    Returns:
        Array, float32.

    Raises:
        ValueError: If its shape and its values do not fit.
    """
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


def _inputs(net, path):
    """`Input` layers for the inputs that a net states outside its layers."""
    names = net.get("input", [])
    shapes = [shape.get("dim", []) for shape in net.get("input_shape", ())]
    dims = net.get("input_dim", [])
    shapes = shapes or [dims[i : i + 4] for i in range(0, len(dims), 4)]
    if not names:
        # Some converted weights have the dimensions only.
        return [
            CaffeLayer("data", "Input", (), ("data",), {"shape": tuple(shape)})
            for shape in shapes[:1]
        ]
    if len(shapes) != len(names):
        raise ValueError(
            f"{path}: its {len(names)} inputs have {len(shapes)} shapes "
            "(`input_shape`, or four `input_dim` for each)."
        )
    return [
        CaffeLayer(name, "Input", (), (name,), {"shape": tuple(shape)})
        for name, shape in zip(names, shapes, strict=True)
    ]


def _layer(message, path):
    name = last(message, "name", "")
    type_name = last(message, "type", "")
    layer = CaffeLayer(
        name=name,
        type=type_name,
        bottoms=tuple(message.get("bottom", ())),
        tops=tuple(message.get("top", ())),
        blobs=tuple(
            array_of_blob(blob, f"{path}: blob {index} of layer `{name}`")
            for index, blob in enumerate(message.get("blobs", ()))
        ),
        line=message.get(LINE),
    )
    stated = message.get(SETTINGS.get(type_name))
    if type_name == "Input":
        shapes = [
            tuple(shape.get("dim", ()))
            for parameter in message.get("input_param", ())
            for shape in parameter.get("shape", ())
        ]
        settings = {"shape": shapes[0]} if shapes else None
    elif stated is None and "transform_param" in message:
        settings = _settings(last(message, "transform_param", {}), layer, path)
    else:
        settings = stated and _settings(stated[-1], layer, path)
    return dataclasses.replace(layer, settings=settings)


def _settings(message, layer, path):
    settings = {}
    for key, values in message.items():
        if not values or key == LINE:
            continue
        if key in LISTS:
            settings[key] = tuple(values)
        elif len({str(value) for value in values}) == 1:
            settings[key] = values[-1]
        elif key in SIDES and len(values) == 2 and layer.type != "Pooling":
            settings |= dict(zip(SIDES[key], values, strict=True))
        else:
            raise ValueError(
                f"{path}: {key} of layer {layer} is {values}, where one number "
                "is wanted, or one for the height and one for the width."
            )
    return settings


def _input_size(layers):
    for layer in layers:
        settings = layer.settings or {}
        shape = settings.get("shape", ())
        if layer.type == "Input" and len(shape) == 4:
            return shape[3]
        if settings.get("crop_size"):
            return settings["crop_size"]
    return None


def _message_of_layer(layer, with_blobs):
    message = {
        "name": [layer.name],
        "type": [layer.type],
        "bottom": layer.bottoms,
        "top": layer.tops,
    }
    settings = {
        key: list(value) if key in LISTS else [value]
        for key, value in (layer.settings or {}).items()
    }
    if layer.type == "Input":
        shape = {"dim": settings["shape"]}
        message["input_param"] = [{"shape": [shape]}]
    elif settings:
        key = SETTINGS.get(layer.type, "transform_param")
        message[key] = [settings]
    if with_blobs:
        message["blobs"] = [
            {"shape": [{"dim": blob.shape}], "data": blob}
            for blob in layer.blobs
        ]
    return message
