"""Keras layers that compute what the layers of a Caffe network compute.

Each function here takes a `CaffeLayer`, the Keras tensors that it reads and
the name of the Keras layer, and returns a Keras tensor.
"""

import math

import keras
import numpy as np
from keras import layers

from keras_alexnet.layers.ceil_average_pooling2d import CeilAveragePooling2D
from keras_alexnet.layers.ceil_max_pooling2d import CeilMaxPooling2D
from keras_alexnet.layers.grouped_conv2d import GroupedConv2D
from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)
from keras_alexnet.weights.kernel_layouts import conv_from_oihw
from keras_alexnet.weights.kernel_layouts import dense_from_oi

MAX, AVERAGE = 0, 1
PROD, SUM, MAXIMUM = 0, 1, 2
FLOOR = 1


def convolution(layer, x, name):
    """A `Convolution` layer, with its weights."""
    _check_rank(layer, x, 4)
    kernel = layer.blobs[0] if layer.blobs else np.zeros(0)
    bias = _bias(layer)
    if kernel.ndim != 4:
        _refuse(layer, f"has a kernel of shape {kernel.shape}, not of rank 4")
    height, width = _sides(layer, "kernel_size", "kernel", kernel.shape[2:])
    strides = _sides(layer, "stride", "stride", (1, 1))
    pads = _sides(layer, "pad", "pad", (0, 0))
    dilation = _get(layer, "dilation", 1)
    channels = _channels(x)
    seen = kernel.shape[1]
    groups = channels // seen if seen and channels % seen == 0 else 0
    wanted = (len(kernel), seen, height, width)
    _expect(layer, "num_output", _get(layer, "num_output", len(kernel)), wanted)
    if kernel.shape != wanted or not groups or len(kernel) % groups:
        _refuse(
            layer,
            f"has a kernel of shape {kernel.shape}; what it says of its "
            f"window, {height} x {width}, and the {channels} channels that it "
            "reads do not fit",
        )
    stated = _get(layer, "group", groups if layer.settings is None else 1)
    if stated != groups:
        _refuse(
            layer,
            f"is stated to have {stated} groups, but its kernel of shape "
            f"{kernel.shape} has {groups}",
        )
    if dilation > 1 and strides != (1, 1):
        _refuse(layer, "has both a stride and a dilation")
    _check_fits(layer, x, (height, width), pads, dilation)
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
    _assign(layer, convolve.kernel, conv_from_oihw(kernel))
    if bias is not None:
        _assign(layer, convolve.bias, bias)
    return y


def inner_product(layer, x, name):
    """An `InnerProduct` layer, with its weights."""
    kernel = layer.blobs[0] if layer.blobs else np.zeros(0)
    # Older files write a matrix as (1, 1, outputs, inputs).
    while kernel.ndim > 2 and kernel.shape[0] == 1:
        kernel = kernel[0]
    bias = _bias(layer)
    if _get(layer, "axis", 1) != 1:
        _refuse(layer, "does not begin at axis 1, which is not supported")
    if kernel.ndim == 2 and _get(layer, "transpose", 0):
        kernel = kernel.T
    inputs = math.prod(x.shape[1:]) if None not in x.shape[1:] else None
    if kernel.ndim != 2 or kernel.shape[1] != inputs:
        _refuse(
            layer,
            f"has a kernel of shape {kernel.shape}, but reads {inputs} values "
            f"({_shape(x)})",
        )
    units = len(kernel)
    _expect(layer, "num_output", _get(layer, "num_output", units), (units,))
    if len(x.shape) == 4:
        kernel = dense_from_oi(kernel, *_map_shape(x))
        x = layers.Flatten(name=f"{name}_flatten")(x)
    else:
        kernel = kernel.T
    dense = layers.Dense(units, use_bias=bias is not None, name=name)
    y = dense(x)
    _assign(layer, dense.kernel, kernel)
    if bias is not None:
        _assign(layer, dense.bias, bias)
    return y


def pooling(layer, x, name):
    """A `Pooling` layer, whose output size Caffe rounds up."""
    _check_rank(layer, x, 4)
    method = _get(layer, "pool", MAX)
    if method not in (MAX, AVERAGE):
        _refuse(layer, "pools stochastically, which is not supported")
    if _get(layer, "global_pooling", 0):
        kinds = layers.GlobalMaxPooling2D, layers.GlobalAveragePooling2D
        return kinds[method](keepdims=True, name=name)(x)
    window = _sides(layer, "kernel_size", "kernel", (0, 0))
    strides = _sides(layer, "stride", "stride", (1, 1))
    pads = _sides(layer, "pad", "pad", (0, 0))
    if any(p >= k for p, k in zip(pads, window, strict=True)):
        _refuse(
            layer,
            f"has windows of {window} pixels and padding of {pads}, which "
            "must be less",
        )
    _check_fits(layer, x, window, pads)
    plain = not any(pads) and _leaves_nothing_over(x, window, strides)
    rounds_down = _get(layer, "round_mode", 0) == FLOOR
    if plain or (rounds_down and not any(pads)):
        kinds = layers.MaxPooling2D, layers.AveragePooling2D
        return kinds[method](window, strides, name=name)(x)
    if rounds_down or any(s > k for s, k in zip(strides, window, strict=True)):
        _refuse(
            layer,
            f"has windows of {window} pixels, strides of {strides} and "
            f"padding of {pads}, with which some windows would hold no pixel "
            "or are rounded down; this is not supported",
        )
    kinds = CeilMaxPooling2D, CeilAveragePooling2D
    return kinds[method](window, strides, padding=pads, name=name)(x)


def lrn(layer, x, name):
    """An `LRN` layer, across channels or within each."""
    within = _get(layer, "norm_region", 0) == 1
    n = _get(layer, "local_size", 5)
    if n < 1 or n % 2 == 0:
        _refuse(layer, f"has local_size={n}; Caffe takes odd sizes only")
    if within:
        _check_rank(layer, x, 4)
    try:
        norm = LocalResponseNormalization(
            # lrn_layer.cpp:45-52: within a channel, Caffe ignores k.
            k=1.0 if within else _get(layer, "k", 1.0),
            n=n,
            alpha=_get(layer, "alpha", 1.0),
            beta=_get(layer, "beta", 0.75),
            convention="mean",
            region="within_channel" if within else "across_channels",
            name=name,
        )
    except ValueError as error:
        _refuse(layer, f"cannot be computed: {error}")
    return norm(x)


def relu(layer, x, name):
    """A `ReLU` layer, also a leaky one."""
    slope = _get(layer, "negative_slope", 0.0)
    if slope < 0:
        _refuse(
            layer, f"has negative_slope={slope:g}, where 0 or more is wanted"
        )
    return layers.ReLU(negative_slope=slope, name=name)(x)


def dropout(layer, x, name):
    """A `Dropout` layer."""
    rate = _get(layer, "dropout_ratio", 0.5)
    if not 0 <= rate < 1:
        _refuse(layer, f"has dropout_ratio={rate:g}, where 0 to 1 is wanted")
    return layers.Dropout(rate, name=name)(x)


def softmax(layer, x, name):
    """A `Softmax` layer."""
    axis = _axis(layer, x, _get(layer, "axis", 1))
    return layers.Softmax(axis, name=name)(x)


def sigmoid(layer, x, name):
    """A `Sigmoid` layer."""
    return layers.Activation("sigmoid", name=name)(x)


def tanh(layer, x, name):
    """A `TanH` layer."""
    return layers.Activation("tanh", name=name)(x)


def flatten(layer, x, name):
    """A `Flatten` layer: values channel by channel, as in Caffe."""
    axes = _get(layer, "axis", 1), _get(layer, "end_axis", -1)
    if axes[0] != 1 or axes[1] not in (-1, len(x.shape) - 1):
        _refuse(layer, f"flattens axes {axes}, where all but the first are")
    pixels = _map_shape(x)[1:] if len(x.shape) == 4 else (1, 1)
    if pixels != (1, 1) and not _channels_first():
        x = layers.Permute((3, 1, 2), name=f"{name}_permute")(x)
    return layers.Flatten(name=name)(x)


def concat(layer, tensors, name):
    """A `Concat` layer of two blobs or more."""
    axis = _get(layer, "axis", _get(layer, "concat_dim", 1))
    axis = _axis(layer, tensors[0], axis)
    shapes = {
        (*x.shape[:axis], None, *x.shape[axis + 1 :])
        if len(x.shape) > axis
        else tuple(x.shape)
        for x in tensors
    }
    if len(shapes) > 1:
        _refuse(layer, f"cannot join {', '.join(map(_shape, tensors))}")
    if len(tensors) == 1:
        return tensors[0]
    return layers.Concatenate(axis, name=name)(tensors)


def eltwise(layer, tensors, name):
    """An `Eltwise` layer: sum, difference, product or maximum."""
    if len({tuple(x.shape) for x in tensors}) > 1 or len(tensors) < 2:
        _refuse(layer, f"cannot combine {', '.join(map(_shape, tensors))}")
    operation = _get(layer, "operation", SUM)
    factors = _get(layer, "coeff", ())
    if factors and operation == SUM and tuple(factors) == (1, -1):
        return layers.Subtract(name=name)(tensors)
    if factors and (operation != SUM or set(factors) != {1}):
        _refuse(layer, f"has factors {tuple(factors)}, which is not supported")
    kinds = {PROD: layers.Multiply, SUM: layers.Add, MAXIMUM: layers.Maximum}
    return kinds[operation](name=name)(tensors)


def batch_norm(layer, x, name, scale=None):
    """A `BatchNorm` layer, with the `Scale` layer after it if there is one."""
    if len(layer.blobs) != 3 or layer.blobs[2].size != 1:
        _refuse(
            layer,
            f"has {len(layer.blobs)} blobs, not mean, variance and their scale",
        )
    # batch_norm_layer.cpp:100-104: they are stored as sums.
    total = float(layer.blobs[2].reshape(()))
    factor = np.float32(1 / total if total else 0)
    norm = layers.BatchNormalization(
        axis=_channel_axis(),
        momentum=_get(layer, "moving_average_fraction", 0.999),
        epsilon=_get(layer, "eps", 1e-5),
        center=scale is not None and len(scale.blobs) > 1,
        scale=scale is not None,
        name=name,
    )
    y = norm(x)
    mean, variance = (blob.reshape(-1) * factor for blob in layer.blobs[:2])
    _assign(layer, norm.moving_mean, mean)
    _assign(layer, norm.moving_variance, variance)
    if (variance < 0).any():
        _refuse(layer, "has negative variances")
    if scale is not None:
        gamma, *beta = _scale_blobs(scale)
        _assign(scale, norm.gamma, gamma)
        if beta:
            _assign(scale, norm.beta, beta[0])
    return y


def scale(layer, x, name):
    """A `Scale` layer that follows no `BatchNorm`: a factor per channel."""
    _check_rank(layer, x, 4)
    gamma, *beta = _scale_blobs(layer)
    depthwise = layers.DepthwiseConv2D(1, use_bias=bool(beta), name=name)
    y = depthwise(x)
    if gamma.size != _channels(x):
        _refuse(layer, f"has {gamma.size} factors for {_channels(x)} channels")
    _assign(layer, depthwise.kernel, gamma.reshape(1, 1, -1, 1))
    if beta:
        _assign(layer, depthwise.bias, beta[0])
    return y


def _scale_blobs(layer):
    axes = _get(layer, "axis", 1), _get(layer, "num_axes", 1)
    count = 1 + bool(_get(layer, "bias_term", 0))
    if axes != (1, 1) or len(layer.bottoms) > 1 or len(layer.blobs) != count:
        _refuse(
            layer,
            f"has {len(layer.blobs)} blobs for {count}, reads "
            f"{len(layer.bottoms)} blobs, and begins at axis {axes[0]}; only a "
            "factor per channel is supported",
        )
    return [blob.reshape(-1) for blob in layer.blobs]


def _bias(layer):
    """The bias of a layer, or `None`."""
    stated = _get(layer, "bias_term", None if layer.settings is None else 1)
    wanted = {None: (1, 2), 0: (1,), 1: (2,)}[stated]
    if len(layer.blobs) not in wanted:
        shapes = [blob.shape for blob in layer.blobs]
        _refuse(
            layer,
            f"has blobs of shapes {shapes}, where "
            f"{' or '.join(map(str, wanted))} are wanted"
            + (": the file holds no weights of it" if not shapes else ""),
        )
    return layer.blobs[1].reshape(-1) if len(layer.blobs) == 2 else None


def _assign(layer, variable, value):
    """Gives a weight its value, which must fit and be finite."""
    if tuple(variable.shape) != value.shape:
        _refuse(
            layer,
            f"has weights of shape {value.shape} (as Keras lays them out), "
            f"where {tuple(variable.shape)} is wanted",
        )
    if not np.isfinite(value).all():
        _refuse(
            layer,
            "holds NaN or infinity: the file comes from training that "
            "diverged, or is damaged",
        )
    variable.assign(value)


def _get(layer, key, default):
    value = (layer.settings or {}).get(key)
    return default if value is None else value


def _sides(layer, both, one, default):
    """A setting for the height and the width."""
    settings = layer.settings or {}
    sides = tuple(
        settings.get(f"{one}_{side}", settings.get(both, default[index]))
        for index, side in enumerate("hw")
    )
    least = 0 if one == "pad" else 1
    if any(side < least or side > 2**15 for side in sides):
        _refuse(layer, f"has {both}={sides}, which is impossible")
    return sides


def _expect(layer, key, stated, wanted):
    if stated != wanted[0]:
        _refuse(
            layer, f"is stated to have {key}={stated}, its weights {wanted[0]}"
        )


def _check_rank(layer, x, rank):
    if len(x.shape) != rank:
        _refuse(layer, f"needs maps of images, and reads {_shape(x)}")


def _check_fits(layer, x, window, pads, dilation=1):
    for size, side, pad in zip(_map_shape(x)[1:], window, pads, strict=True):
        if size is not None and size + 2 * pad < dilation * (side - 1) + 1:
            _refuse(
                layer,
                f"has windows of {window} pixels, and reads maps of only "
                f"{_map_shape(x)[1:]}",
            )


def _leaves_nothing_over(x, window, strides):
    return all(
        size is not None and (size - side) % stride == 0
        for size, side, stride in zip(
            _map_shape(x)[1:], window, strides, strict=True
        )
    )


def _axis(layer, x, axis):
    """Keras's axis for one of Caffe's, of (images, channels, height, width)."""
    rank = len(x.shape)
    index = axis + rank if axis < 0 else axis
    if not 1 <= index < rank:
        _refuse(layer, f"works along axis {axis}, which is not supported")
    if rank != 4 or _channels_first():
        return index
    return {1: 3, 2: 1, 3: 2}[index]


def _map_shape(x):
    """Channels, height and width."""
    if _channels_first():
        return tuple(x.shape[1:])
    return x.shape[3], x.shape[1], x.shape[2]


def _channels(x):
    return x.shape[_channel_axis()]


def _channel_axis():
    return 1 if _channels_first() else -1


def _channels_first():
    return keras.config.image_data_format() == "channels_first"


def _shape(x):
    return f"a blob of shape {tuple(x.shape)}"


def _refuse(layer, reason):
    raise ValueError(f"{layer.type} layer {layer} {reason}.")
