"""Keras layers that compute what the layers of a Caffe network compute.

Each function here takes a `CaffeLayer`, the Keras tensors that it reads and
the name of the Keras layer, and returns a Keras tensor.
"""

import math

import numpy as np
from keras import layers

from keras_alexnet.columns.placement import has_replicas
from keras_alexnet.layers.ceil_average_pooling2d import CeilAveragePooling2D
from keras_alexnet.layers.ceil_max_pooling2d import CeilMaxPooling2D
from keras_alexnet.layers.grouped_conv2d import GroupedConv2D
from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)
from keras_alexnet.models.caffe_settings import assign
from keras_alexnet.models.caffe_settings import bias_of
from keras_alexnet.models.caffe_settings import channel_axis
from keras_alexnet.models.caffe_settings import channel_count
from keras_alexnet.models.caffe_settings import channels_first
from keras_alexnet.models.caffe_settings import check_fits
from keras_alexnet.models.caffe_settings import check_rank
from keras_alexnet.models.caffe_settings import described
from keras_alexnet.models.caffe_settings import expect
from keras_alexnet.models.caffe_settings import keras_axis
from keras_alexnet.models.caffe_settings import leaves_nothing_over
from keras_alexnet.models.caffe_settings import map_shape
from keras_alexnet.models.caffe_settings import refuse
from keras_alexnet.models.caffe_settings import setting
from keras_alexnet.models.caffe_settings import sides_of
from keras_alexnet.weights.kernel_layouts import conv_from_oihw
from keras_alexnet.weights.kernel_layouts import dense_from_oi

MAX, AVERAGE = 0, 1
PROD, SUM, MAXIMUM = 0, 1, 2
FLOOR = 1


def convolution(layer, x, name):
    """A `Convolution` layer, with its weights."""
    check_rank(layer, x, 4)
    kernel = layer.blobs[0] if layer.blobs else np.zeros(0)
    bias = bias_of(layer)
    if kernel.ndim != 4:
        refuse(layer, f"has a kernel of shape {kernel.shape}, not of rank 4")
    height, width = sides_of(layer, "kernel_size", "kernel", kernel.shape[2:])
    strides = sides_of(layer, "stride", "stride", (1, 1))
    pads = sides_of(layer, "pad", "pad", (0, 0))
    dilation = setting(layer, "dilation", 1)
    channels = channel_count(x)
    seen = kernel.shape[1]
    groups = channels // seen if seen and channels % seen == 0 else 0
    wanted = (len(kernel), seen, height, width)
    expect(
        layer, "num_output", setting(layer, "num_output", len(kernel)), wanted
    )
    if kernel.shape != wanted or not groups or len(kernel) % groups:
        refuse(
            layer,
            f"has a kernel of shape {kernel.shape}; what it says of its "
            f"window, {height} x {width}, and the {channels} channels that it "
            "reads do not fit",
        )
    stated = setting(layer, "group", groups if layer.settings is None else 1)
    if stated != groups:
        refuse(
            layer,
            f"is stated to have {stated} groups, but its kernel of shape "
            f"{kernel.shape} has {groups}",
        )
    if dilation > 1 and strides != (1, 1):
        refuse(layer, "has both a stride and a dilation")
    check_fits(layer, x, (height, width), pads, dilation)
    padding = pads[0]
    if pads[0] != pads[1]:
        x = layers.ZeroPadding2D(pads, name=f"{name}_pad")(x)
        padding = 0
    convolve = GroupedConv2D(
        len(kernel),
        (height, width),
        strides=strides,
        padding=padding or "valid",
        dilation_rate=dilation,
        groups=groups,
        use_bias=bias is not None,
        name=name,
    )
    y = convolve(x)
    assign(layer, convolve.kernel, conv_from_oihw(kernel))
    if bias is not None:
        assign(layer, convolve.bias, bias)
    return y


def inner_product(layer, x, name):
    """An `InnerProduct` layer, with its weights."""
    kernel = layer.blobs[0] if layer.blobs else np.zeros(0)
    # Older files write a matrix as (1, 1, outputs, inputs).
    while kernel.ndim > 2 and kernel.shape[0] == 1:
        kernel = kernel[0]
    bias = bias_of(layer)
    if setting(layer, "axis", 1) != 1:
        refuse(layer, "does not begin at axis 1, which is not supported")
    if kernel.ndim == 2 and setting(layer, "transpose", 0):
        kernel = kernel.T
    inputs = math.prod(x.shape[1:]) if None not in x.shape[1:] else None
    if kernel.ndim != 2 or kernel.shape[1] != inputs:
        refuse(
            layer,
            f"has a kernel of shape {kernel.shape}, but reads {inputs} values "
            f"({described(x)})",
        )
    units = len(kernel)
    expect(layer, "num_output", setting(layer, "num_output", units), (units,))
    if len(x.shape) == 4:
        kernel = dense_from_oi(kernel, *map_shape(x))
        x = layers.Flatten(name=f"{name}_flatten")(x)
    else:
        kernel = kernel.T
    dense = layers.Dense(units, use_bias=bias is not None, name=name)
    y = dense(x)
    assign(layer, dense.kernel, kernel)
    if bias is not None:
        assign(layer, dense.bias, bias)
    return y


def pooling(layer, x, name):
    """A `Pooling` layer, whose output size Caffe rounds up."""
    check_rank(layer, x, 4)
    method = setting(layer, "pool", MAX)
    if method not in (MAX, AVERAGE):
        refuse(layer, "pools stochastically, which is not supported")
    if setting(layer, "global_pooling", 0):
        kinds = layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D
        return kinds[method](keepdims=True, name=name)(x)
    window = sides_of(layer, "kernel_size", "kernel", (0, 0))
    strides = sides_of(layer, "stride", "stride", (1, 1))
    pads = sides_of(layer, "pad", "pad", (0, 0))
    if any(p >= k for p, k in zip(pads, window, strict=True)):
        refuse(
            layer,
            f"has windows of {window} pixels and padding of {pads}, which "
            "must be less",
        )
    # Sizes are rounded up: the first window may be the one that hangs over.
    check_fits(layer, x, window, pads, overhang=[s - 1 for s in strides])
    plain = not any(pads) and leaves_nothing_over(x, window, strides)
    rounds_down = setting(layer, "round_mode", 0) == FLOOR
    if plain or (rounds_down and not any(pads)):
        kinds = layers.MaxPooling2D, layers.AveragePooling2D
        return kinds[method](window, strides, name=name)(x)
    if rounds_down or any(s > k for s, k in zip(strides, window, strict=True)):
        refuse(
            layer,
            f"has windows of {window} pixels, strides of {strides} and "
            f"padding of {pads}, with which some windows would hold no pixel "
            "or are rounded down; this is not supported",
        )
    kinds = CeilMaxPooling2D, CeilAveragePooling2D
    return kinds[method](window, strides, padding=pads, name=name)(x)


def lrn(layer, x, name):
    """An `LRN` layer, across channels or within each."""
    within = setting(layer, "norm_region", 0) == 1
    n = setting(layer, "local_size", 5)
    if n < 1 or n % 2 == 0:
        refuse(layer, f"has local_size={n}; Caffe takes odd sizes only")
    if within:
        check_rank(layer, x, 4)
    try:
        norm = LocalResponseNormalization(
            # lrn_layer.cpp:45-52: within a channel, Caffe ignores k.
            k=1.0 if within else setting(layer, "k", 1.0),
            n=n,
            alpha=setting(layer, "alpha", 1.0),
            beta=setting(layer, "beta", 0.75),
            convention="mean",
            region="within_channel" if within else "across_channels",
            name=name,
        )
    except ValueError as error:
        refuse(layer, f"cannot be computed: {error}")
    return norm(x)


def relu(layer, x, name):
    """A `ReLU` layer, also a leaky one."""
    slope = setting(layer, "negative_slope", 0.0)
    if slope < 0:
        refuse(
            layer, f"has negative_slope={slope:g}, where 0 or more is wanted"
        )
    return layers.ReLU(negative_slope=slope, name=name)(x)


def dropout(layer, x, name):
    """A `Dropout` layer."""
    rate = setting(layer, "dropout_ratio", 0.5)
    if not 0 <= rate < 1:
        refuse(layer, f"has dropout_ratio={rate:g}, where 0 to 1 is wanted")
    return layers.Dropout(rate, name=name)(x)


def softmax(layer, x, name):
    """A `Softmax` layer."""
    axis = keras_axis(layer, x, setting(layer, "axis", 1))
    return layers.Softmax(axis, name=name)(x)


def sigmoid(layer, x, name):
    """A `Sigmoid` layer."""
    return layers.Activation("sigmoid", name=name)(x)


def tanh(layer, x, name):
    """A `TanH` layer."""
    return layers.Activation("tanh", name=name)(x)


def flatten(layer, x, name):
    """A `Flatten` layer: values channel by channel, as in Caffe."""
    axes = setting(layer, "axis", 1), setting(layer, "end_axis", -1)
    if axes[0] != 1 or axes[1] not in (-1, len(x.shape) - 1):
        refuse(layer, f"flattens axes {axes}, where all but the first are")
    pixels = map_shape(x)[1:] if len(x.shape) == 4 else (1, 1)
    if pixels != (1, 1) and not channels_first():
        x = layers.Permute((3, 1, 2), name=f"{name}_permute")(x)
    return layers.Flatten(name=name)(x)


def concat(layer, tensors, name):
    """A `Concat` layer of two blobs or more."""
    axis = setting(layer, "axis", setting(layer, "concat_dim", 1))
    axis = keras_axis(layer, tensors[0], axis)
    shapes = {
        (*x.shape[:axis], None, *x.shape[axis + 1 :])
        if len(x.shape) > axis
        else tuple(x.shape)
        for x in tensors
    }
    if len(shapes) > 1:
        refuse(layer, f"cannot join {', '.join(map(described, tensors))}")
    if len(tensors) == 1:
        return tensors[0]
    return layers.Concatenate(axis, name=name)(tensors)


def eltwise(layer, tensors, name):
    """An `Eltwise` layer: sum, difference, product or maximum."""
    if len({tuple(x.shape) for x in tensors}) > 1 or len(tensors) < 2:
        refuse(layer, f"cannot combine {', '.join(map(described, tensors))}")
    operation = setting(layer, "operation", SUM)
    factors = setting(layer, "coeff", ())
    if factors and operation == SUM and tuple(factors) == (1, -1):
        return layers.Subtract(name=name)(tensors)
    if factors and (operation != SUM or set(factors) != {1}):
        refuse(layer, f"has factors {tuple(factors)}, which is not supported")
    kinds = {PROD: layers.Multiply, SUM: layers.Add, MAXIMUM: layers.Maximum}
    return kinds[operation](name=name)(tensors)


def batch_norm(layer, x, name, scale=None):
    """A `BatchNorm` layer, with the `Scale` layer after it if there is one."""
    if len(layer.blobs) != 3 or layer.blobs[2].size != 1:
        refuse(
            layer,
            f"has {len(layer.blobs)} blobs, not mean, variance and their scale",
        )
    # batch_norm_layer.cpp:100-104: they are stored as sums.
    total = float(layer.blobs[2].reshape(()))
    factor = np.float32(1 / total if total else 0)
    norm = layers.BatchNormalization(
        axis=channel_axis(),
        momentum=setting(layer, "moving_average_fraction", 0.999),
        epsilon=setting(layer, "eps", 1e-5),
        center=scale is not None and len(scale.blobs) > 1,
        scale=scale is not None,
        synchronized=has_replicas(),
        name=name,
    )
    y = norm(x)
    mean, variance = (blob.reshape(-1) * factor for blob in layer.blobs[:2])
    assign(layer, norm.moving_mean, mean)
    assign(layer, norm.moving_variance, variance)
    if (variance < 0).any():
        refuse(layer, "has negative variances")
    if scale is not None:
        gamma, *beta = _scale_blobs(scale)
        assign(scale, norm.gamma, gamma)
        if beta:
            assign(scale, norm.beta, beta[0])
    return y


def scale(layer, x, name):
    """A `Scale` layer that follows no `BatchNorm`: a factor per channel."""
    check_rank(layer, x, 4)
    gamma, *beta = _scale_blobs(layer)
    depthwise = layers.DepthwiseConv2D(1, use_bias=bool(beta), name=name)
    y = depthwise(x)
    if gamma.size != channel_count(x):
        refuse(
            layer, f"has {gamma.size} factors for {channel_count(x)} channels"
        )
    assign(layer, depthwise.kernel, gamma.reshape(1, 1, -1, 1))
    if beta:
        assign(layer, depthwise.bias, beta[0])
    return y


def _scale_blobs(layer):
    axes = setting(layer, "axis", 1), setting(layer, "num_axes", 1)
    count = 1 + bool(setting(layer, "bias_term", 0))
    if axes != (1, 1) or len(layer.bottoms) > 1 or len(layer.blobs) != count:
        refuse(
            layer,
            f"has {len(layer.blobs)} blobs for {count}, reads "
            f"{len(layer.bottoms)} blobs, and begins at axis {axes[0]}; only a "
            "factor per channel is supported",
        )
    return [blob.reshape(-1) for blob in layer.blobs]
