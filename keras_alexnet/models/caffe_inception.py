"""Recognizes GoogLeNet among Caffe's networks."""

import dataclasses

from keras_alexnet.models.caffe_export import caffe_net_of
from keras_alexnet.models.caffe_graph import keras_name
from keras_alexnet.models.caffe_pixels import stated_pixels
from keras_alexnet.models.inception import GOOGLENET
from keras_alexnet.models.inception import NORMS
from keras_alexnet.weights.caffe_signature import signatures
from keras_alexnet.weights.kernel_layouts import check_shapes
from keras_alexnet.weights.kernel_layouts import conv_from_oihw
from keras_alexnet.weights.kernel_layouts import dense_from_oi

# A network is compared with one of this share of its widths.
NARROW = 1 / 64
POOL = "pool5_7x7_s1"
LAST = GOOGLENET.layer_names[-1]


def recognize_inception(net):
    """Finds out whether a `CaffeNet` is GoogLeNet, of any widths.

    Args:
        net: A `CaffeNet` with weights.

    Returns:
        Tuple: the `InceptionArchitecture`, the number of classes, and a dict
        of our layer name to `(kernel, bias)` in Keras's layouts.

    Raises:
        ValueError: If it is not; the message names the layer.
    """
    layers = _weighted(net)
    heads = [name for name in layers if name.startswith(("loss1", "loss2"))]
    wanted = {
        name
        for name in GOOGLENET.layer_names
        if heads or not name.startswith(("loss1", "loss2"))
    }
    if set(layers) != wanted:
        names = ", ".join(sorted(set(layers) ^ wanted)[:5])
        raise ValueError(
            "It has a Concat layer, and is not GoogLeNet, from which it "
            f"differs in the layers {names}."
        )
    architecture = _architecture(net, layers, bool(heads))
    classes = len(layers[LAST].blobs[1].reshape(-1))
    _check_computation(net, layers, architecture, bool(heads))
    return architecture, classes, _arrays(layers, architecture)


def _weighted(net):
    """Dict of our name to layer, of those that have weights."""
    layers = {
        keras_name(layer.name): layer for layer in net.layers if layer.blobs
    }
    unknown = set(layers) - set(GOOGLENET.layer_names)
    # A fine-tuned last layer has any name.
    if LAST not in layers and len(unknown) == 1:
        layers[LAST] = layers.pop(unknown.pop())
    return layers


def _architecture(net, layers, auxiliary):
    def width(name):
        if len(layers[name].blobs) != 2:
            raise ValueError(
                f"Layer {layers[name]} has {len(layers[name].blobs)} blobs, "
                "not a kernel and a bias."
            )
        return len(layers[name].blobs[0])

    parts = "1x1 3x3_reduce 3x3 5x5_reduce 5x5 pool_proj".split()
    changes = {
        "stem": tuple(
            width(name)
            for name in ("conv1_7x7_s2", "conv2_3x3_reduce", "conv2_3x3")
        ),
        "modules": tuple(
            (module, *(width(f"inception_{module}_{part}") for part in parts))
            for module in GOOGLENET.module_names
        ),
        "input_size": net.input_size or GOOGLENET.input_size,
        **stated_pixels(net),
    }
    if auxiliary:
        changes["auxiliary_filters"] = width("loss1_conv")
        changes["auxiliary_units"] = width("loss1_fc")
    norms = {
        keras_name(layer.name)[-5:]: layer.settings or {}
        for layer in net.layers
        if layer.type == "LRN"
    }
    changes["norms"] = tuple(name for name in NORMS if name in norms)
    for settings in norms.values():
        changes["lrn_k"] = settings.get("k", 1.0)
        changes["lrn_n"] = settings.get("local_size", 5)
        changes["lrn_alpha"] = settings.get("alpha", 1.0)
        changes["lrn_beta"] = settings.get("beta", 0.75)
    return dataclasses.replace(GOOGLENET, **changes)


def _check_computation(net, layers, architecture, auxiliary):
    """Refuses a network of the same names that is connected otherwise."""
    # Imported here, because what builds networks reads weights with this.
    from keras_alexnet.models.googlenet import GoogLeNet

    model = GoogLeNet(
        architecture=architecture.scaled(NARROW),
        auxiliary=auxiliary,
        classes=1,
    )
    channels = sum(architecture.modules[-1][index] for index in (1, 3, 5, 6))
    whole = layers[LAST].blobs[0].shape[-1] == channels
    ours = {
        keras_name(name): signature
        for name, signature in signatures(caffe_net_of(model)).items()
    }
    theirs = signatures(_with_global_pooling(net) if whole else net)
    for name, layer in layers.items():
        if theirs[layer.name] != ours[name]:
            raise ValueError(
                f"Layer {layer}, or a layer before it, has another type, "
                "other settings or other inputs than in GoogLeNet."
            )


def _with_global_pooling(net):
    """With the last pooling over the whole map, where it leaves one pixel."""

    def changed(layer):
        stated = layer.settings or {}
        covers = stated.get("pool") == 1 and not stated.get("pad")
        if keras_name(layer.name) != POOL or not covers:
            return layer
        return dataclasses.replace(
            layer, settings={"pool": 1, "global_pooling": 1}
        )

    return dataclasses.replace(net, layers=tuple(map(changed, net.layers)))


def _arrays(layers, architecture):
    arrays = {}
    for name, layer in layers.items():
        kernel, bias = layer.blobs
        rank = 4 if layer.type == "Convolution" else 2
        # Older files write a matrix as (1, 1, outputs, inputs).
        while kernel.ndim > rank and kernel.shape[0] == 1:
            kernel = kernel[0]
        bias = bias.reshape(-1)
        check_shapes(layer.name, kernel, bias, rank)
        if rank == 4:
            arrays[name] = conv_from_oihw(kernel), bias
        else:
            channels = (
                architecture.auxiliary_filters if name.endswith("_fc") else None
            )
            arrays[name] = dense_from_oi(kernel, channels), bias
    return arrays
