"""Reads networks of this family from Caffe's files.

The network itself is not converted: it still takes BGR pixels in 0-255 minus
their mean, as in Caffe. `AlexNet(architecture="caffe",
include_preprocessing=True)` takes raw RGB pixels and does both in its first
layer; `conv1` has the same weights in either case.
"""

import dataclasses

import numpy as np

from keras_alexnet.models.geometry import with_fitting_input_size
from keras_alexnet.models.presets import CAFFE
from keras_alexnet.models.presets import CAFFENET
from keras_alexnet.weights.caffemodel import read_binaryproto
from keras_alexnet.weights.caffemodel import read_caffemodel
from keras_alexnet.weights.kernel_layouts import check_shapes
from keras_alexnet.weights.kernel_layouts import from_outputs_first

STAGES = {"ReLU": "activation", "LRN": "norm", "Pooling": "pool"}

# Layers that read data or measure errors, as snapshots of trainings have.
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


def read_caffe(path):
    """Reads a `.caffemodel` of this family.

    The architecture follows from the layers: their order, shapes and settings.
    Where a file gives no settings, those of Caffe's own networks are assumed.

    Args:
        path: Path of the file.

    Returns:
        Tuple: the `Architecture`, the number of classes, and a dict of our
        layer name to `(kernel, bias)` in Keras's layouts.

    Raises:
        ValueError: If the file is damaged, or is of another family; the
            message names the layer.
    """
    net = read_caffemodel(path)
    try:
        return _recognize(net)
    except ValueError as error:
        raise ValueError(
            f"{path} is no network of the AlexNet family. {error}"
        ) from error


def read_mean_image(path):
    """Reads a mean image of Caffe's tools, for `MeanSubtraction.set_mean`.

    Args:
        path: Path of a `.binaryproto` file, such as
            `imagenet_mean.binaryproto`.

    Returns:
        Array of shape `(height, width, 3)`, RGB in 0-255.

    Raises:
        ValueError: If the file is damaged, or no color image.
    """
    image = read_binaryproto(path)
    if image.ndim != 3 or len(image) != 3:
        raise ValueError(
            f"{path} is not a color image: its shape is {image.shape}."
        )
    return image[::-1].transpose(1, 2, 0)


def _recognize(net):
    """Finds which network of this family a `CaffeNet` is.

    Args:
        net: A `CaffeNet`.

    Returns:
        Tuple: the `Architecture`, the number of classes, and a dict of our
        layer name to `(kernel, bias)` in Keras's layouts.

    Raises:
        ValueError: If it is none; the message names the layer.
    """
    convs, denses, after = _split(net)
    layers = {}
    for first, rank, members in ((1, 4, convs), (6, 2, denses)):
        for number, layer in enumerate(members, first):
            name = f"{'conv' if rank == 4 else 'fc'}{number}"
            layers[name] = layer.name, *_kernel_and_bias(layer, rank)
    arrays, groups = from_outputs_first(layers)
    for layer, found in zip(convs, groups.values(), strict=True):
        _check_stated_groups(layer, found)
    architecture = _architecture(net, convs, denses, groups, after, arrays)
    return architecture, len(arrays["fc8"][1]), arrays


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
            slope = (layer.settings or {}).get("negative_slope", 0)
            if slope:
                raise ValueError(
                    f"Layer `{layer.name}` has negative_slope={slope:g}, where "
                    "0 is wanted."
                )
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
    check_shapes(layer.name, kernel, bias, rank)
    if (layer.settings or {}).get("transpose"):
        raise ValueError(f"Layer `{layer.name}` has a transposed kernel.")
    return kernel, bias


def _check_stated_groups(layer, groups):
    stated = (layer.settings or {"group": groups}).get("group", 1)
    if stated != groups:
        raise ValueError(
            f"Layer `{layer.name}` is stated to have {stated} groups, but its "
            f"kernel of shape {layer.blobs[0].shape} has {groups}."
        )


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
        tuple(STAGES[layer.type] for layer in layers) for layers in after[:5]
    )
    preset = CAFFENET if stages == CAFFENET.stages else CAFFE
    columns = max(groups.values())
    cross = tuple(name for name in preset.conv_names[1:] if groups[name] == 1)
    followers = [layer for layers in after for layer in layers]
    windows = [_window(*pair) for pair in enumerate(convs)]
    found = dataclasses.replace(
        preset,
        columns=columns,
        filters=tuple(len(layer.blobs[0]) for layer in convs),
        kernel_sizes=tuple(layer.blobs[0].shape[-1] for layer in convs),
        strides=tuple(stride for stride, _ in windows),
        paddings=tuple(padding for _, padding in windows),
        stages=stages,
        cross=cross + ("fc6", "fc7") if columns > 1 else preset.cross,
        fc_units=tuple(len(arrays[name][1]) for name in ("fc6", "fc7")),
        **_normalization(followers),
        **_pooling(followers),
    )
    return with_fitting_input_size(
        found, denses[0].name, denses[0].blobs[0].shape[-1], net.input_size
    )


def _window(index, layer):
    """Stride and padding of a convolution.

    Args:
        index: Integer, its place among the convolutions.
        layer: A `CaffeLayer`.

    Returns:
        Tuple of an element of `strides` and one of `paddings`.

    Raises:
        ValueError: If the layer has no such equivalent.
    """
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
    """The fields of the LRN layers.

    Args:
        layers: List of `CaffeLayer`, of any types.

    Returns:
        Dict of field to value; empty where no layer states any.

    Raises:
        ValueError: If two LRN layers differ, or work within channels.
    """
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
    """The fields of the pooling layers.

    Args:
        layers: List of `CaffeLayer`, of any types.

    Returns:
        Dict of field to value; empty where no layer states any.

    Raises:
        ValueError: If two pooling layers differ, or do not take maxima.
    """
    settings = _shared(
        [_square(layer) for layer in layers if layer.type == "Pooling"],
        {"kernel_size": 0, "stride": 1},
        {
            "pool": 0,
            "pad": 0,
            "pad_h": 0,
            "pad_w": 0,
            "global_pooling": 0,
            # Rounding up.
            "round_mode": 0,
        },
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


def _square(layer):
    """The layer with one number where Caffe allows one per side."""
    settings = dict(layer.settings or {})
    for both, one in (("kernel_size", "kernel"), ("stride", "stride")):
        sides = {
            settings.pop(f"{one}_{side}", settings.get(both))
            for side in ("h", "w")
        }
        if len(sides) != 1:
            raise ValueError(
                f"Layer `{layer.name}` has {one}s of {sides}, where equal "
                "sides are wanted."
            )
        settings[both] = sides.pop()
    settings = {key: x for key, x in settings.items() if x is not None}
    return dataclasses.replace(
        layer, settings=None if layer.settings is None else settings
    )


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
