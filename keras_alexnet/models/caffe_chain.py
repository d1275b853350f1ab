"""Recognizes the chains of layers of this family among Caffe's networks.

The network itself is not converted: it still takes BGR pixels in 0-255 minus
their mean, as in Caffe. `AlexNet(architecture="caffe",
include_preprocessing=True)` takes raw RGB pixels and does both in its first
layer; the first convolution has the same weights in either case.
"""

import dataclasses
import re

from keras_alexnet.models.architecture import conv_names
from keras_alexnet.models.caffe_pixels import stated_pixels
from keras_alexnet.models.family_presets import VGG_A
from keras_alexnet.models.family_presets import VGG_A_LRN
from keras_alexnet.models.family_presets import VGG_B
from keras_alexnet.models.family_presets import VGG_C
from keras_alexnet.models.family_presets import VGG_D
from keras_alexnet.models.family_presets import VGG_E
from keras_alexnet.models.family_presets import ZFNET
from keras_alexnet.models.family_presets import ZFNET_512
from keras_alexnet.models.geometry import with_fitting_input_size
from keras_alexnet.models.presets import CAFFE
from keras_alexnet.models.presets import CAFFENET
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
# The more special ones first.
PRESETS = (
    *(VGG_A, VGG_A_LRN, VGG_B, VGG_C, VGG_D, VGG_E),
    *(ZFNET, ZFNET_512, CAFFENET, CAFFE),
)


def recognize_chain(net):
    """Finds which chain of this family a `CaffeNet` is.

    The architecture follows from the layers: their order, shapes and settings.
    Where a file gives no settings, those of the preset are assumed.

    Args:
        net: A `CaffeNet`.

    Returns:
        Tuple: the `Architecture`, the number of classes, and a dict of our
        layer name to `(kernel, bias)` in Keras's layouts.

    Raises:
        ValueError: If it is none; the message names the layer.
    """
    convs, denses, after = _split(net)
    preset, blocks = _preset(convs, denses, after)
    names = (
        *conv_names(len(convs), blocks),
        *(f"fc{number}" for number in range(6, 6 + len(denses))),
    )
    layers = {}
    for name, layer in zip(names, [*convs, *denses], strict=True):
        rank = 4 if layer.type == "Convolution" else 2
        layers[name] = layer.name, *_kernel_and_bias(layer, rank)
    arrays, groups = from_outputs_first(layers)
    for layer, found in zip(convs, groups.values(), strict=True):
        _check_stated_groups(layer, found)
    architecture = _architecture(
        net, preset, blocks, convs, denses, groups, after, arrays
    )
    return architecture, len(arrays[names[-1]][1]), arrays


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
        # A dense layer flattens what it gets.
        elif layer.type not in ("Dropout", "Flatten"):
            raise ValueError(
                f"Layer `{layer.name}` is a {layer.type} layer, which has no "
                "place there."
            )
    if len(denses) != 3 or len(convs) not in {len(x.stages) for x in PRESETS}:
        counts = sorted({len(preset.stages) for preset in PRESETS})
        raise ValueError(
            f"It has {len(convs)} convolutions and {len(denses)} dense layers, "
            f"not {', '.join(map(str, counts[:-1]))} or {counts[-1]} and 3."
        )
    return convs, denses, after


def _preset(convs, denses, after):
    """The preset that comes nearest, and the blocks that names speak of."""
    stages = _stages(after, len(convs))
    places = [re.fullmatch(r"conv(\d+)_(\d+)", layer.name) for layer in convs]
    blocks = ()
    if all(places):
        numbers = [int(place[1]) for place in places]
        blocks = tuple(numbers.count(n) for n in dict.fromkeys(numbers))
    kernels = tuple(
        layer.blobs[0].shape[-1] if layer.blobs else 0 for layer in convs
    )
    widths = tuple(len(layer.blobs[0]) if layer.blobs else 0 for layer in convs)
    fitting = [
        preset
        for preset in PRESETS
        if (preset.stages, preset.kernel_sizes) == (stages, kernels)
    ]
    # ZFNet's two differ in widths alone.
    fitting.sort(key=lambda preset: preset.filters != widths)
    if fitting:
        return fitting[0], blocks or fitting[0].blocks
    if len(convs) == 5:
        return CAFFENET if stages == CAFFENET.stages else CAFFE, blocks
    raise ValueError(
        f"Its {len(convs)} convolutions have kernels of {kernels} pixels and "
        f"are followed by {stages}, as in no preset."
    )


def _stages(after, count):
    return tuple(
        tuple(STAGES[layer.type] for layer in layers)
        for layers in after[:count]
    )


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


def _architecture(net, preset, blocks, convs, denses, groups, after, arrays):
    count = len(convs)
    wanted = [["ReLU"]] * (len(denses) - 1) + [[]]
    for layer, followers, types in zip(
        denses, after[count:], wanted, strict=True
    ):
        found = [follower.type for follower in followers]
        if found != types:
            raise ValueError(
                f"Layer `{layer.name}` is followed by {found}; wanted is "
                f"{types}."
            )
    columns = max(groups.values())
    cross = tuple(name for name in list(groups)[1:] if groups[name] == 1)
    hidden = tuple(name for name in arrays if name not in groups)[:-1]
    followers = [layer for layers in after for layer in layers]
    windows = [_window(preset, *pair) for pair in enumerate(convs)]
    found = dataclasses.replace(
        preset,
        columns=columns,
        blocks=blocks,
        filters=tuple(len(layer.blobs[0]) for layer in convs),
        kernel_sizes=tuple(layer.blobs[0].shape[-1] for layer in convs),
        strides=tuple(stride for stride, _ in windows),
        paddings=tuple(padding for _, padding in windows),
        stages=_stages(after, count),
        cross=cross + hidden if columns > 1 else preset.cross,
        fc_units=tuple(len(arrays[name][1]) for name in hidden),
        # Caffe's LRN reaches across columns, and divides alpha by n.
        lrn_across_columns=True,
        lrn_convention="mean",
        **_normalization(followers),
        **_pooling(followers),
        **_pixels(preset, net),
    )
    return with_fitting_input_size(
        found, denses[0].name, denses[0].blobs[0].shape[-1], net.input_size
    )


def _pixels(preset, net):
    """Which pixels the network takes: BGR, minus a mean color, scaled."""
    pixels = {"mean": "color", **stated_pixels(net)}
    if preset.channel_order != "bgr":
        pixels.setdefault("pixel_mean", CAFFE.pixel_mean)
    return pixels


def _window(preset, index, layer):
    """Stride and padding of a convolution.

    Args:
        preset: An `Architecture`, for what is not stated.
        index: Integer, its place among the convolutions.
        layer: A `CaffeLayer`.

    Returns:
        Tuple of an element of `strides` and one of `paddings`.

    Raises:
        ValueError: If the layer has no such equivalent.
    """
    if layer.settings is None:
        return preset.strides[index], preset.paddings[index]
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
    return first
