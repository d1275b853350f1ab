"""Reads the architecture of a Caffe network off its layers."""

import dataclasses

from keras_alexnet.models.architecture import CAFFE
from keras_alexnet.models.architecture import CAFFENET
from keras_alexnet.models.caffe_settings import normalization
from keras_alexnet.models.caffe_settings import pooling
from keras_alexnet.models.caffe_settings import window
from keras_alexnet.models.foreign import check_shapes
from keras_alexnet.models.foreign import from_foreign
from keras_alexnet.models.foreign import with_input_size

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
    layers = {}
    for first, rank, members in ((1, 4, convs), (6, 2, denses)):
        for number, layer in enumerate(members, first):
            name = f"{'conv' if rank == 4 else 'fc'}{number}"
            layers[name] = layer.name, *_kernel_and_bias(layer, rank)
    arrays, groups = from_foreign(layers)
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
        " ".join(STAGES[layer.type] for layer in layers) for layers in after[:5]
    )
    preset = CAFFENET if stages == CAFFENET.stages else CAFFE
    columns = max(groups.values())
    cross = tuple(name for name in preset.conv_names[1:] if groups[name] == 1)
    followers = [layer for layers in after for layer in layers]
    windows = [window(*pair) for pair in enumerate(convs)]
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
        **normalization(followers),
        **pooling(followers),
    )
    return with_input_size(
        found, denses[0].name, denses[0].blobs[0].shape[-1], net.input_size
    )
