"""Writes networks of this family to Caffe's files."""

import dataclasses
import warnings

from keras_alexnet.models.geometry import sizes
from keras_alexnet.weights.caffe_net import CaffeLayer
from keras_alexnet.weights.caffe_net import CaffeNet
from keras_alexnet.weights.caffemodel import write_caffemodel
from keras_alexnet.weights.kernel_layouts import to_outputs_first
from keras_alexnet.weights.prototxt import write_prototxt


def write_caffe(path, architecture, arrays, input_size=None):
    """Writes a `.caffemodel`, and beside it the deploy `.prototxt`.

    Args:
        path: Path that ends in `.caffemodel`.
        architecture: An `Architecture`.
        arrays: Dict of layer name to `(kernel, bias)` in Keras's layouts.
        input_size: Pixels per side of the images. Defaults to the
            architecture's.

    Raises:
        ValueError: If Caffe has no layers for the architecture.
    """
    input_size = input_size or architecture.input_size
    _check_expressible(architecture, input_size)
    if architecture.lrn_k != 1 and any(
        "norm" in stages for stages in architecture.stages
    ):
        warnings.warn(
            f"OpenCV ignores k of Caffe's LRN layers, here "
            f"{architecture.lrn_k:g}. Caffe itself computes this file "
            "correctly.",
            stacklevel=4,
        )
    net = CaffeNet(
        architecture.name,
        tuple(_layers(architecture, to_outputs_first(arrays))),
        input_size,
    )
    write_prototxt(f"{str(path).removesuffix('.caffemodel')}.prototxt", net)
    write_caffemodel(path, net)


def _layers(architecture, arrays):
    """The layers in Caffe's order, each fed by the one before."""
    bottom = "data"
    for layer in _unconnected_layers(architecture, arrays):
        # Caffe computes these in place.
        top = bottom if layer.type in ("ReLU", "Dropout") else layer.name
        yield dataclasses.replace(layer, bottoms=(bottom,), tops=(top,))
        bottom = top


def _unconnected_layers(architecture, arrays):
    for index, name in enumerate(architecture.conv_names):
        yield _convolution(architecture, index, arrays[name])
        for stage in architecture.stages[index]:
            yield _stage(architecture, stage, name)
    for number, name in enumerate(architecture.fc_names, 6):
        last = name == architecture.fc_names[-1]
        drop = CaffeLayer(
            f"drop{number}",
            "Dropout",
            settings={"dropout_ratio": architecture.dropout},
        )
        if not last and architecture.dropout_position == "before":
            yield drop
        settings = {"num_output": len(arrays[name][1])}
        yield CaffeLayer(
            name, "InnerProduct", settings=settings, blobs=arrays[name]
        )
        if not last:
            yield CaffeLayer(f"relu{number}", "ReLU")
        if not last and architecture.dropout_position == "after":
            yield drop
    yield CaffeLayer("prob", "Softmax")


def _convolution(architecture, index, blobs):
    name = architecture.conv_names[index]
    settings = {
        "num_output": architecture.filters[index],
        "pad": _pad(architecture, index),
        "kernel_size": architecture.kernel_sizes[index],
        "group": architecture.groups(name),
        "stride": architecture.strides[index],
    }
    return CaffeLayer(name, "Convolution", settings=settings, blobs=blobs)


def _stage(architecture, stage, conv_name):
    if stage == "activation":
        return CaffeLayer(architecture.stage_name("relu", conv_name), "ReLU")
    name = architecture.stage_name(stage, conv_name)
    if stage == "pool":
        settings = {
            "kernel_size": architecture.pool_size,
            "stride": architecture.pool_strides,
        }
        return CaffeLayer(name, "Pooling", settings=settings)
    # Caffe divides alpha by n.
    factor = architecture.lrn_n if architecture.lrn_convention == "sum" else 1
    settings = {
        "local_size": architecture.lrn_n,
        "alpha": architecture.lrn_alpha * factor,
        "beta": architecture.lrn_beta,
        "k": architecture.lrn_k,
    }
    return CaffeLayer(name, "LRN", settings=settings)


def _pad(architecture, index):
    padding = architecture.paddings[index]
    if padding == "same":
        return architecture.kernel_sizes[index] // 2
    return 0 if padding in ("valid", "ceil") else padding


def _check_expressible(architecture, input_size):
    """Refuses what Caffe has no layer for."""
    stages = {stage for layer in architecture.stages for stage in layer}
    valid = tuple(
        "valid" if padding == "ceil" else padding
        for padding in architecture.paddings
    )
    rounded = dataclasses.replace(
        architecture, paddings=valid, pool_rounding="ceil"
    )
    reasons = {
        "activation": architecture.activation != "relu",
        "normalization": "norm" in stages
        and architecture.normalization != "lrn",
        "lrn_across_columns": "norm" in stages
        and architecture.columns > 1
        and not architecture.lrn_across_columns,
        "stages": "spatial_norm" in stages,
        "unshared": bool(architecture.unshared),
        # Caffe divides by the whole window at the edges, too.
        "average_pools": bool(architecture.average_pools),
        "cross": any(
            architecture.groups(name) > 1 for name in architecture.fc_names
        ),
        "paddings": any(
            padding == "same" and (stride > 1 or not size % 2)
            for padding, stride, size in zip(
                architecture.paddings,
                architecture.strides,
                architecture.kernel_sizes,
                strict=True,
            )
        ),
        "paddings or pool_rounding": sizes(rounded, input_size)
        != sizes(architecture, input_size),
    }
    for field, refused in reasons.items():
        if refused:
            raise ValueError(
                f"Caffe cannot compute architecture {architecture.name!r} on "
                f"images of {input_size} pixels: it has no layer for its "
                f"`{field}`."
            )
