"""Which pixels of the image a unit of a layer sees, exactly."""

import dataclasses
import math

import keras
from keras import layers

from keras_alexnet.layers.ceil_pooling import CeilPooling
from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)
from keras_alexnet.layers.locally_connected2d import LocallyConnected2D
from keras_alexnet.layers.mean_subtraction import MeanSubtraction
from keras_alexnet.layers.pca_color_augmentation import PCAColorAugmentation
from keras_alexnet.models.layer_graph import walk
from keras_alexnet.models.layer_graph import whole

POOLS = (layers.MaxPooling2D, layers.AveragePooling2D)
WINDOWS = (layers.Conv2D, LocallyConnected2D, *POOLS)
GLOBAL_POOLS = (layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)
# What computes each pixel from that pixel alone.
POINTWISE = (
    MeanSubtraction,
    PCAColorAugmentation,
    layers.Activation,
    layers.BatchNormalization,
    layers.Dense,
    layers.Dropout,
    layers.LayerNormalization,
    layers.LeakyReLU,
    layers.Normalization,
    layers.PReLU,
    layers.ReLU,
    layers.Rescaling,
    layers.Softmax,
    layers.SpatialDropout2D,
)
MERGES = (layers.Add, layers.Average, layers.Concatenate, layers.Maximum)


@dataclasses.dataclass(frozen=True)
class ReceptiveField:
    """The window of the image that each unit of a map sees.

    ```
    unit (row, column) sees the pixels from offset + stride * (row, column)
    on, so many as `size`
    ```

    Each value is a pair: height, then width.

    Args:
        size: Pair of integers, pixels of a window.
        stride: Pair of integers, pixels between the windows of neighbors.
        offset: Pair of integers, where the window of unit (0, 0) begins. It
            is negative where the window reaches into padding.
    """

    size: tuple = (1, 1)
    stride: tuple = (1, 1)
    offset: tuple = (0, 0)

    def window(self, row, column):
        """The pixels that a unit sees, those outside of the image included.

        Args:
            row, column: Integers, place of the unit in its map.

        Returns:
            Tuple of integers `(top, left, bottom, right)`; the last two are
            the first pixels that it does not see.

        Example:

        >>> ReceptiveField((11, 11), (4, 4), (0, 0)).window(1, 2)
        (4, 8, 15, 19)
        """
        top, left = (
            start + step * place
            for start, step, place in zip(
                self.offset, self.stride, (row, column), strict=True
            )
        )
        return top, left, top + self.size[0], left + self.size[1]

    def seen_through(self, size, stride, padding):
        """The receptive field of a window over a map with this one.

        Args:
            size, stride: Pairs of integers, units of the map.
            padding: Pair of integers, units before the map.

        Returns:
            A `ReceptiveField`.

        Example:

        >>> conv1 = ReceptiveField((11, 11), (4, 4))
        >>> conv1.seen_through((3, 3), (2, 2), (0, 0))
        ReceptiveField(size=(19, 19), stride=(8, 8), offset=(0, 0))
        """
        step = self.stride
        return ReceptiveField(
            tuple(self.size[i] + (size[i] - 1) * step[i] for i in (0, 1)),
            tuple(step[i] * stride[i] for i in (0, 1)),
            tuple(self.offset[i] - padding[i] * step[i] for i in (0, 1)),
        )


def receptive_fields(model):
    """The receptive field of each layer of a network, by exact arithmetic.

    With windows of `k` units at a stride of `s` and `p` units of padding
    before the map, layer after layer:

    ```
    size   = size + (k - 1) * stride
    offset = offset - p * stride
    stride = stride * s
    ```

    A dense layer is a window as large as its map. LRN across channels sees
    one pixel, LRN within a channel its `n` x `n`. It is what a unit can see:
    what it does see is less near the edges of the window.

    Args:
        model: A `keras.Model` that is a graph of layers, such as `AlexNet`
            builds, of columns or not.

    Returns:
        Dict of layer name to `ReceptiveField`, in the order of computation.

    Raises:
        ValueError: If a layer is of a kind whose window is not known, or
            depends on the size of the image while that is not fixed.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> fields = receptive_fields(AlexNet())
    >>> fields["conv1"].size, fields["pool5"].size, fields["pool5"].stride
    ((11, 11), (195, 195), (32, 32))

    Reference: [Araujo, Norris and Sim, 2019](
    https://distill.pub/2019/computing-receptive-fields).
    """
    model = whole(model)
    return {
        layer.name: field
        for layer, field in walk(model, ReceptiveField(), _through)
    }


def _through(layer, field):
    if isinstance(layer, MERGES):
        return _union(layer, field)
    if isinstance(layer, WINDOWS):
        size, stride = _window(layer)
        return field.seen_through(size, stride, _padding(layer, size, stride))
    if isinstance(layer, LocalResponseNormalization):
        if layer.region == "across_channels":
            return field
        before = layer.n // 2
        return field.seen_through((layer.n,) * 2, (1, 1), (before, before))
    if isinstance(layer, GLOBAL_POOLS):
        return _whole_map(layer, field)
    if isinstance(layer, layers.Flatten | layers.Reshape):
        return _reshaped(layer, field)
    if not isinstance(layer, POINTWISE):
        raise ValueError(
            f"The window of layer {layer.name!r} must be known. Received: a "
            f"{type(layer).__name__}"
        )
    return field


def _window(layer):
    if isinstance(layer, POOLS):
        return layer.pool_size, layer.strides
    dilation = getattr(layer, "dilation_rate", (1, 1))
    size = tuple(
        rate * (kernel - 1) + 1
        for rate, kernel in zip(dilation, layer.kernel_size, strict=True)
    )
    return size, layer.strides


def _padding(layer, size, stride):
    """Units before the map, along its height and its width."""
    if isinstance(layer, CeilPooling):
        return layer.pixels
    padding = layer.get_config()["padding"]
    if isinstance(padding, int):
        return padding, padding
    # "ceil" pads behind the map only.
    if padding != "same":
        return 0, 0
    return tuple(
        _same_padding(layer, *side)
        for side in zip(_map_size(layer), size, stride, strict=True)
    )


def _same_padding(layer, pixels, size, stride):
    if stride == 1:
        return (size - 1) // 2
    _check_fixed(layer, pixels)
    total = (math.ceil(pixels / stride) - 1) * stride + size - pixels
    return max(total, 0) // 2


def _whole_map(layer, field):
    size = _map_size(layer)
    for pixels in size:
        _check_fixed(layer, pixels)
    return field.seen_through(size, (1, 1), (0, 0))


def _reshaped(layer, field):
    before, after = layer.input.shape, layer.output.shape
    if len(before) == 4 and len(after) == 2:
        return _whole_map(layer, field)
    if len(before) == 2:
        return field
    raise ValueError(
        f"Layer {layer.name!r} must turn a map into a vector, or the reverse. "
        f"Received: {before} to {after}"
    )


def _union(layer, fields):
    """What units see that put several maps together."""
    strides = {field.stride for field in fields}
    if len(strides) > 1:
        raise ValueError(
            f"The maps that layer {layer.name!r} merges must have one stride. "
            f"Received: {sorted(strides)}"
        )
    start = [min(field.offset[i] for field in fields) for i in (0, 1)]
    stop = [
        max(field.offset[i] + field.size[i] for field in fields) for i in (0, 1)
    ]
    size = tuple(stop[i] - start[i] for i in (0, 1))
    return ReceptiveField(size, strides.pop(), tuple(start))


def _map_size(layer):
    shape = layer.input.shape
    first = keras.config.image_data_format() == "channels_first"
    return shape[2:4] if first else shape[1:3]


def _check_fixed(layer, pixels):
    if pixels is None:
        raise ValueError(
            "The model must have a fixed input size, because what layer "
            f"{layer.name!r} sees depends on it. Received: "
            f"input_shape={layer.input.shape}"
        )
