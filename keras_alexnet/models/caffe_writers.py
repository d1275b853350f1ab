"""Caffe layers that compute what Keras layers compute.

Each writer takes a Keras layer, the blobs that it reads and the shape of its
output. It returns Caffe layers, one after the other and not yet connected, and
the blob that comes out.
"""

import dataclasses
import math

import keras
import numpy as np

from keras_alexnet.models.caffe_blobs import Blob
from keras_alexnet.models.caffe_blobs import adapted
from keras_alexnet.models.caffe_blobs import channels_first
from keras_alexnet.models.caffe_blobs import check_caffe_pixels
from keras_alexnet.models.caffe_blobs import conv_pads
from keras_alexnet.models.caffe_blobs import pool_size
from keras_alexnet.models.caffe_blobs import refuse
from keras_alexnet.models.caffe_blobs import sides
from keras_alexnet.weights.caffe_net import CaffeLayer
from keras_alexnet.weights.kernel_layouts import conv_to_oihw
from keras_alexnet.weights.kernel_layouts import dense_to_oi

ACTIVATIONS = {
    "relu": "ReLU",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "tanh": "TanH",
}


def convolution(layer, inputs, shape):
    """`Conv2D` or `GroupedConv2D`."""
    (blob,) = inputs
    config = layer.get_config()
    if config["data_format"] != keras.config.image_data_format():
        refuse(layer, "has a data format other than the model's")
    dilation = layer.dilation_rate[0]
    if dilation != layer.dilation_rate[1]:
        refuse(layer, "is dilated by two different numbers")
    pads = conv_pads(layer, blob, config["padding"], shape)
    kernel = conv_to_oihw(adapted(layer, _array(layer.kernel), blob))
    settings = {
        "num_output": len(kernel),
        **_bias_term(layer),
        **sides("pad", "pad", pads, 0),
        **sides("kernel_size", "kernel", layer.kernel_size),
        **({"group": layer.groups} if layer.groups > 1 else {}),
        **sides("stride", "stride", layer.strides, 1),
    }
    if dilation != 1:
        settings["dilation"] = dilation
    return _weighted(layer, "Convolution", kernel, settings, shape)


def depthwise(layer, inputs, shape):
    """`DepthwiseConv2D`; one of a single pixel is Caffe's `Scale`."""
    (blob,) = inputs
    kernel = _array(layer.kernel)
    check_caffe_pixels(layer, blob)
    if kernel.shape[:2] == (1, 1) and kernel.shape[3] == 1:
        if tuple(layer.strides) == (1, 1):
            settings = {"bias_term": int(layer.use_bias)}
            factors = kernel.reshape(-1)
            return _weighted(layer, "Scale", factors, settings, shape)
    if tuple(layer.dilation_rate) != (1, 1):
        refuse(layer, "is dilated")
    pads = conv_pads(layer, blob, layer.padding, shape)
    height, width, channels, multiplier = kernel.shape
    kernel = kernel.transpose(2, 3, 0, 1)
    kernel = kernel.reshape(channels * multiplier, 1, height, width)
    settings = {
        "num_output": len(kernel),
        **_bias_term(layer),
        **sides("pad", "pad", pads, 0),
        **sides("kernel_size", "kernel", layer.kernel_size),
        "group": channels,
        **sides("stride", "stride", layer.strides, 1),
    }
    return _weighted(layer, "Convolution", kernel, settings, shape)


def dense(layer, inputs, shape):
    """`Dense`, on a vector or on a flattened map."""
    (blob,) = inputs
    if len(shape) != 1:
        refuse(layer, "is applied to each pixel of a map")
    kernel = _array(layer.kernel)
    kernel = dense_to_oi(kernel, *(blob.flattened or ()))
    settings = {"num_output": len(kernel), **_bias_term(layer)}
    return _weighted(layer, "InnerProduct", kernel, settings, shape)


def pooling(layer, inputs, shape):
    """Max and average pooling, rounded down or up."""
    (blob,) = inputs
    average = "Average" in type(layer).__name__
    window, strides = layer.pool_size, layer.strides
    pads = getattr(layer, "pixels", (0, 0))
    check_caffe_pixels(layer, blob)
    written = Blob.of(shape)
    if layer.padding == "same":
        totals = [
            max((out - 1) * stride + side - size, 0)
            for out, stride, side, size in zip(
                written.shape[1:], strides, window, blob.shape[1:], strict=True
            )
        ]
        pads = tuple(total // 2 for total in totals)
        if average and any(totals):
            refuse(layer, "leaves its padding out of the averages")
    sizes = tuple(
        pool_size(size, side, stride, pad)
        for size, side, stride, pad in zip(
            blob.shape[1:], window, strides, pads, strict=True
        )
    )
    if sizes != written.shape[1:]:
        refuse(
            layer,
            f"gives {written.shape[1:]} pixels, where Caffe's rounding gives "
            f"{sizes}: see `pool_rounding`",
        )
    settings = {
        "pool": int(average),
        **sides("kernel_size", "kernel", window),
        **sides("stride", "stride", strides, 1),
        **sides("pad", "pad", pads, 0),
    }
    return [CaffeLayer(layer.name, "Pooling", settings=settings)], written


def global_pooling(layer, inputs, shape):
    """`GlobalMaxPooling2D` and `GlobalAveragePooling2D`."""
    average = "Average" in type(layer).__name__
    check_caffe_pixels(layer, inputs[0])
    settings = {"pool": int(average), "global_pooling": 1}
    found = [CaffeLayer(layer.name, "Pooling", settings=settings)]
    if len(shape) == 1:
        settings = {"axis": 1}
        name = f"{layer.name}_flatten"
        found.append(CaffeLayer(name, "Flatten", settings=settings))
    return found, Blob.of(shape)


def lrn(layer, inputs, shape):
    """`LocalResponseNormalization`."""
    check_caffe_pixels(layer, inputs[0])
    within = layer.region == "within_channel"
    if layer.groups > 1:
        refuse(
            layer,
            f"normalizes {layer.groups} columns apart; see "
            "`lrn_across_columns`",
        )
    if layer.n % 2 == 0:
        refuse(layer, f"has an even window, n={layer.n}")
    if within and layer.k != 1:
        refuse(layer, f"has k={layer.k:g} within channels, where Caffe has 1")
    # Caffe divides alpha by n.
    count = layer.n**2 if within else layer.n
    settings = {
        "local_size": layer.n,
        "alpha": layer.alpha * (count if layer.convention == "sum" else 1),
        "beta": layer.beta,
        **({"norm_region": 1} if within else {"k": float(layer.k)}),
    }
    blob = Blob.of(shape)
    return [CaffeLayer(layer.name, "LRN", settings=settings)], blob


def batch_normalization(layer, inputs, shape):
    """`BatchNormalization`: a `BatchNorm`, and a `Scale` for its factors."""
    (blob,) = inputs
    axis = layer.axis % (len(shape) + 1)
    channel = 1 if len(shape) == 1 or channels_first() else 3
    if axis != channel or blob.flattened:
        refuse(layer, "does not normalize channels")
    check_caffe_pixels(layer, blob)
    mean, variance = map(_array, (layer.moving_mean, layer.moving_variance))
    settings = {
        "use_global_stats": 1,
        "moving_average_fraction": layer.momentum,
        "eps": layer.epsilon,
    }
    blobs = (mean, variance, np.ones(1, "float32"))
    found = [CaffeLayer(layer.name, "BatchNorm", (), (), settings, blobs)]
    if layer.scale or layer.center:
        gamma = _array(layer.gamma) if layer.scale else np.ones_like(mean)
        blobs = (gamma, *([_array(layer.beta)] if layer.center else []))
        settings = {"bias_term": int(layer.center)}
        name = (
            layer.name.replace("bn", "scale", 1)
            if layer.name.startswith("bn")
            else f"{layer.name}_scale"
        )
        found.append(CaffeLayer(name, "Scale", (), (), settings, blobs))
    return found, Blob.of(shape)


def activation(layer, inputs, shape):
    """`Activation`, `ReLU`, `LeakyReLU` and `Softmax`."""
    (blob,) = inputs
    check_caffe_pixels(layer, blob)
    kind, settings = _activation(layer), None
    if kind == "relu" and getattr(layer, "negative_slope", 0):
        settings = {"negative_slope": layer.negative_slope}
    if kind is None:
        return [], blob
    if kind == "softmax":
        if blob.flattened:
            refuse(layer, "is a softmax of a flattened map")
        axis = _caffe_axis(getattr(layer, "axis", -1), shape)
        settings = {"axis": axis} if axis != 1 else None
    written = dataclasses.replace(Blob.of(shape), flattened=blob.flattened)
    caffe = CaffeLayer(layer.name, ACTIVATIONS[kind], settings=settings)
    return [caffe], written


def dropout(layer, inputs, shape):
    """`Dropout`."""
    (blob,) = inputs
    if layer.noise_shape is not None:
        refuse(layer, "drops whole groups of values")
    settings = {"dropout_ratio": float(layer.rate)}
    return [CaffeLayer(layer.name, "Dropout", settings=settings)], blob


def concatenate(layer, inputs, shape):
    """`Concatenate`."""
    axis = _caffe_axis(layer.axis, shape)
    if axis == 0 or any(blob.flattened for blob in inputs):
        refuse(layer, "joins along the batch, or flattened maps")
    for blob in inputs:
        check_caffe_pixels(layer, blob)
    caffe = CaffeLayer(layer.name, "Concat", settings={"axis": axis})
    return [caffe], Blob.of(shape)


def merge(layer, inputs, shape):
    """`Add`, `Subtract`, `Multiply` and `Maximum`."""
    operation = {"Multiply": 0, "Maximum": 2}.get(type(layer).__name__, 1)
    settings = {"operation": operation}
    if type(layer).__name__ == "Subtract":
        settings["coeff"] = (1.0, -1.0)
    forms = {(blob.shape, blob.flattened) for blob in inputs}
    if len(forms) > 1:
        refuse(layer, "combines values of several shapes or orders")
    for blob in inputs:
        check_caffe_pixels(layer, blob)
    caffe = CaffeLayer(layer.name, "Eltwise", settings=settings)
    written = dataclasses.replace(Blob.of(shape), flattened=inputs[0].flattened)
    return [caffe], written


def flatten(layer, inputs, shape):
    """`Flatten`: left to the dense layer behind it, which sees to the order."""
    (blob,) = inputs
    check_caffe_pixels(layer, blob)
    pixels = 1 if blob.shape is None else math.prod(blob.shape[1:])
    if blob.shape is None or (pixels > 1 and not _in_caffes_order(blob)):
        kept = blob.flattened if blob.shape is None else blob.shape
        return [], Blob(blob.name, flattened=kept)
    caffe = CaffeLayer(layer.name, "Flatten", settings={"axis": 1})
    return [caffe], Blob()


def permute(layer, inputs, shape):
    """`Permute` of the channels to the front, before `Flatten`."""
    (blob,) = inputs
    if layer.dims != (3, 1, 2) or channels_first() or blob.shape is None:
        refuse(layer, f"moves axes to {layer.dims}")
    check_caffe_pixels(layer, blob)
    return [], dataclasses.replace(blob, moved=True)


def reshape(layer, inputs, shape):
    """`Reshape` between a map of one pixel and a vector."""
    (blob,) = inputs
    one_pixel = len(shape) == 3 and sorted(shape)[:2] == [1, 1]
    if blob.shape and blob.shape[1:] == (1, 1) and len(shape) == 1:
        return [], dataclasses.replace(blob, shape=None, one_pixel=True)
    if blob.one_pixel and one_pixel:
        written = Blob.of(shape)
        return [], written.named(blob.name)
    refuse(layer, "reshapes what Caffe keeps in shape")


def zero_padding(layer, inputs, shape):
    """`ZeroPadding2D`, which becomes the padding of the convolution after."""
    (blob,) = inputs
    margins = tuple(
        (before + own[0], after + own[1])
        for (before, after), own in zip(
            blob.margins, layer.padding, strict=True
        )
    )
    return [], dataclasses.replace(blob, margins=margins)


def mean_subtraction(layer, inputs, shape):
    """`MeanSubtraction`: Caffe's tools subtract the mean."""
    (blob,) = inputs
    std = np.broadcast_to(np.asarray(layer.std, "float64"), 3)
    pixels = (tuple(std), layer.channel_order)
    return [], dataclasses.replace(blob, pixels=pixels)


WRITERS = {
    "Activation": activation,
    "Add": merge,
    "AveragePooling2D": pooling,
    "BatchNormalization": batch_normalization,
    "CeilAveragePooling2D": pooling,
    "CeilMaxPooling2D": pooling,
    "Concatenate": concatenate,
    "Conv2D": convolution,
    "Dense": dense,
    "DepthwiseConv2D": depthwise,
    "Dropout": dropout,
    "Flatten": flatten,
    "GlobalAveragePooling2D": global_pooling,
    "GlobalMaxPooling2D": global_pooling,
    "GroupedConv2D": convolution,
    "LeakyReLU": activation,
    "LocalResponseNormalization": lrn,
    "MaxPooling2D": pooling,
    "Maximum": merge,
    "MeanSubtraction": mean_subtraction,
    "Multiply": merge,
    "Permute": permute,
    "ReLU": activation,
    "Reshape": reshape,
    "Softmax": activation,
    "Subtract": merge,
    "ZeroPadding2D": zero_padding,
}


def _weighted(layer, kind, kernel, settings, shape):
    """A layer with weights, and its activation as a layer of its own."""
    blobs = (kernel, *([_array(layer.bias)] if layer.use_bias else []))
    found = [CaffeLayer(layer.name, kind, (), (), settings, blobs)]
    activation = _activation(layer)
    if activation is not None:
        found.append(
            CaffeLayer(
                _activation_name(layer.name, activation),
                ACTIVATIONS[activation],
            )
        )
    return found, Blob.of(shape)


def _bias_term(layer):
    """The setting, where it is not Caffe's default."""
    return {} if layer.use_bias else {"bias_term": 0}


def _activation(layer):
    """The name of what a layer applies last, or `None`."""
    kind = type(layer).__name__
    if kind in ("ReLU", "LeakyReLU"):
        if getattr(layer, "max_value", None) is not None or getattr(
            layer, "threshold", 0
        ):
            refuse(layer, "is a ReLU with a threshold or a largest value")
        return "relu"
    if kind == "Softmax":
        return "softmax"
    name = keras.activations.serialize(layer.activation)
    if name == "linear":
        return None
    if name not in ACTIVATIONS:
        refuse(layer, f"has the `activation` {name!r}")
    return name


def _caffe_axis(axis, shape):
    """Caffe's axis for one of Keras's; the batch is axis 0 in both."""
    axis %= len(shape) + 1
    if len(shape) == 3 and not channels_first():
        return {0: 0, 3: 1, 1: 2, 2: 3}[axis]
    return axis


def _activation_name(name, activation):
    """Caffe's habit: `relu1` behind `conv1`, `relu6` behind `fc6`."""
    for start in ("conv", "fc"):
        if name.startswith(start) and name[len(start) :][:1].isdigit():
            return activation + name.removeprefix(start)
    return f"{name}_{activation}"


def _in_caffes_order(blob):
    return blob.moved or channels_first()


def _array(variable):
    return keras.ops.convert_to_numpy(variable).astype("float32", copy=False)
