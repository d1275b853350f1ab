"""Reads the architecture of a Caffe network off its layers."""

import dataclasses

import numpy as np

from keras_alexnet.models.architecture import CAFFE
from keras_alexnet.models.architecture import CAFFENET
from keras_alexnet.models.geometry import sizes
from keras_alexnet.weights.layouts import conv_from_oihw
from keras_alexnet.weights.layouts import dense_from_oi
from keras_alexnet.weights.layouts import map_size

STAGES = {"ReLU": "activation", "LRN": "norm", "Pooling": "pool"}

# Layers that feed or judge a network; files of training snapshots have them.
BESIDE = (
    "Accuracy",
    "Data",
    "HDF5Data",
    "ImageData",
    "Input",
    "MemoryData",
    "Silence",
    "Softmax",
    "SoftmaxWithLoss",
    "Split",
    "WindowData",
)


def recognize(net):
    """What network of this family a `CaffeNet` is.

    Args:
        net: A `CaffeNet`.

    Returns:
        Tuple: the `Architecture`, the number of classes, and a dict of our
        layer name to `(kernel, bias)` in Keras's layouts.

    Raises:
        ValueError: If it is none; the message names the layer.
    """
    convs, denses, after = _split(net)
    groups, arrays, channels = [], {}, 3
    for number, layer in enumerate(convs, 1):
        kernel, bias = _kernel_and_bias(layer, rank=4)
        groups.append(_groups(layer, kernel, channels))
        channels = len(kernel)
        arrays[f"conv{number}"] = conv_from_oihw(kernel), bias
    for number, layer in enumerate(denses, 6):
        kernel, bias = _kernel_and_bias(layer, rank=2)
        flattened = channels if number == 6 else None
        if flattened is None and kernel.shape[1] != channels:
            raise ValueError(
                f"Layer `{layer.name}` has a kernel of shape {kernel.shape}, "
                f"but the layer before has {channels} outputs."
            )
        try:
            arrays[f"fc{number}"] = dense_from_oi(kernel, flattened), bias
        except ValueError as error:
            raise ValueError(f"Layer `{layer.name}`: {error}") from error
        channels = len(kernel)
    architecture = _architecture(net, convs, denses, groups, after, arrays)
    return architecture, channels, arrays


def _split(net):
    """The convolutions, the dense layers, and what follows each of them."""
    convs, denses, after = [], [], []
    top = None
    for layer in net.layers:
        if layer.type in BESIDE:
            continue
        if top and layer.bottoms and layer.bottoms[0] != top:
            raise ValueError(
                f"Layer `{layer.name}` reads `{layer.bottoms[0]}`, where a "
                f"chain of layers would read `{top}`."
            )
        top = layer.tops[0] if layer.tops else None
        if layer.type in ("Convolution", "InnerProduct"):
            (convs if layer.type == "Convolution" else denses).append(layer)
            after.append([])
        elif layer.type in STAGES and after:
            after[-1].append(layer)
        elif layer.type != "Dropout":
            raise ValueError(
                f"Layer `{layer.name}` is a {layer.type} layer, which has no "
                "place there."
            )
    if (len(convs), len(denses)) != (5, 3):
        raise ValueError(
            f"It has {len(convs)} convolutions and {len(denses)} dense layers, "
            "not 5 and 3."
        )
    return convs, denses, after


def _kernel_and_bias(layer, rank):
    shapes = [blob.shape for blob in layer.blobs]
    if len(layer.blobs) != 2:
        raise ValueError(
            f"Layer `{layer.name}` has blobs of shapes {shapes}, not a kernel "
            "and a bias."
        )
    kernel, bias = layer.blobs
    # Older files write a matrix as (1, 1, outputs, inputs).
    while kernel.ndim > rank and kernel.shape[0] == 1:
        kernel = kernel[0]
    bias = bias.reshape(-1)
    square = rank == 2 or kernel.shape[2:3] == kernel.shape[3:]
    if kernel.ndim != rank or len(bias) != len(kernel) or not square:
        raise ValueError(
            f"Layer `{layer.name}` has blobs of shapes {shapes}; wanted is a "
            f"{'square ' * (rank == 4)}kernel of rank {rank} and one bias per "
            "output."
        )
    if (layer.settings or {}).get("transpose"):
        raise ValueError(f"Layer `{layer.name}` has a transposed kernel.")
    return kernel, bias


def _groups(layer, kernel, channels):
    seen = kernel.shape[1]
    if not seen or channels % seen or len(kernel) % (channels // seen):
        raise ValueError(
            f"Layer `{layer.name}` has a kernel of shape {kernel.shape}, which "
            f"does not fit the {channels} channels before it."
        )
    groups = channels // seen
    stated = (layer.settings or {"group": groups}).get("group", 1)
    if stated != groups:
        raise ValueError(
            f"Layer `{layer.name}` is stated to have {stated} groups, but its "
            f"kernel of shape {kernel.shape} has {groups}."
        )
    return groups


def _architecture(net, convs, denses, groups, after, arrays):
    for layer, followers, wanted in zip(
        denses, after[5:], (["ReLU"], ["ReLU"], []), strict=True
    ):
        types = [follower.type for follower in followers]
        if types != wanted:
            raise ValueError(
                f"Layer `{layer.name}` is followed by {types}; wanted is "
                f"{wanted}."
            )
    stages = tuple(
        " ".join(STAGES[layer.type] for layer in layers) for layers in after[:5]
    )
    preset = CAFFENET if stages == CAFFENET.stages else CAFFE
    grouped = zip(preset.conv_names[1:], groups[1:], strict=True)
    cross = tuple(name for name, count in grouped if count == 1)
    followers = [layer for layers in after for layer in layers]
    windows = [_window(*pair) for pair in enumerate(convs)]
    found = dataclasses.replace(
        preset,
        columns=max(groups),
        filters=tuple(len(layer.blobs[0]) for layer in convs),
        kernel_sizes=tuple(layer.blobs[0].shape[-1] for layer in convs),
        strides=tuple(stride for stride, _ in windows),
        paddings=tuple(padding for _, padding in windows),
        stages=stages,
        cross=cross + ("fc6", "fc7") if max(groups) > 1 else preset.cross,
        fc_units=tuple(len(arrays[name][1]) for name in ("fc6", "fc7")),
        **_normalization(followers),
        **_pooling(followers),
    )
    return _with_input_size(found, net.input_size, denses[0])


def _window(index, layer):
    """Stride and padding of a convolution, as `Architecture` has them."""
    if layer.settings is None:
        return CAFFE.strides[index], CAFFE.paddings[index]
    settings = layer.settings
    strides = {
        settings.get(key, settings.get("stride", 1))
        for key in ("stride_h", "stride_w")
    }
    pads = {
        settings.get(key, settings.get("pad", 0)) for key in ("pad_h", "pad_w")
    }
    size = layer.blobs[0].shape[-1]
    if (
        len(strides | {0}) != 2
        or len(pads) != 1
        or max(pads) >= size
        or settings.get("dilation", 1) != 1
    ):
        raise ValueError(
            f"Layer `{layer.name}` has a kernel of {size} x {size} with "
            f"strides {sorted(strides)}, padding {sorted(pads)} and dilation "
            f"{settings.get('dilation', 1)}, which is not supported."
        )
    stride, pad = strides.pop(), pads.pop()
    if pad == 0:
        return stride, "valid"
    same = stride == 1 and size == 2 * pad + 1
    return stride, "same" if same else pad


def _normalization(layers):
    settings = _shared(
        [layer for layer in layers if layer.type == "LRN"],
        {"local_size": 5, "alpha": 1.0, "beta": 0.75, "k": 1.0},
        {"norm_region": 0},
    )
    if settings is None:
        return {}
    return {
        "lrn_k": settings["k"],
        "lrn_n": settings["local_size"],
        "lrn_alpha": settings["alpha"],
        "lrn_beta": settings["beta"],
    }


def _pooling(layers):
    settings = _shared(
        [layer for layer in layers if layer.type == "Pooling"],
        {"kernel_size": 0, "stride": 1},
        {"pool": 0, "pad": 0},
    )
    if settings is None:
        return {}
    size, stride = settings["kernel_size"], settings["stride"]
    if not 1 <= stride <= size:
        raise ValueError(
            f"The pooling layers have windows of {size} pixels and strides of "
            f"{stride}, which is not supported."
        )
    return {"pool_size": size, "pool_strides": stride}


def _shared(layers, defaults, fixed):
    """The settings of all these layers, or `None` where none are stated.

    Args:
        layers: List of layers, all of one type.
        defaults: Dict of setting to Caffe's default.
        fixed: Dict of setting to the only value that is supported.
    """
    stated = [layer for layer in layers if layer.settings is not None]
    if not stated:
        return None
    first = {
        key: stated[0].settings.get(key, defaults[key]) for key in defaults
    }
    for layer in stated:
        for key, wanted in {**first, **fixed}.items():
            default = {**defaults, **fixed}[key]
            value = layer.settings.get(key, default)
            if value != wanted:
                raise ValueError(
                    f"Layer `{layer.name}` has {key}={value}, where {wanted} "
                    "is wanted, as in the first layer of its type."
                )
    # The file has 1e-4 in float32.
    return {
        key: float(str(np.float32(value))) if type(value) is float else value
        for key, value in first.items()
    }


def _with_input_size(architecture, stated, layer):
    """The architecture with the image size that gives `layer` its inputs."""
    inputs = layer.blobs[0].shape[-1]
    wanted = map_size(inputs, architecture.filters[-1])
    candidates = [stated] if stated else [architecture.input_size, *range(999)]
    for size in candidates:
        left = list(sizes(architecture, size).values())
        if left[-1:] == [wanted] and len(left) == len(
            sizes(architecture, 9999)
        ):
            return dataclasses.replace(architecture, input_size=size)
    raise ValueError(
        f"Layer `{layer.name}` has a kernel of shape "
        f"{layer.blobs[0].shape[-2:]}, for a map of {wanted} x {wanted} "
        f"pixels, which images of {stated or 'any number of'} pixels do not "
        "give."
    )
