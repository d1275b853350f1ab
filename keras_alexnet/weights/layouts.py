"""The layout of weights in Caffe and PyTorch, which agree, and in Keras.

There convolutions are (outputs, inputs / groups, height, width) and dense
layers (outputs, inputs), with the map before the first dense layer flattened
channel by channel. In Keras both are reversed, and the map is flattened pixel
by pixel. Groups are in the same order: the first half of the outputs sees the
first half of the inputs. So the columns of 2012, written one after the other,
are the halves of every layer, and `fc6` lists all of the first column's map
before the second's.
"""

import math


def conv_from_oihw(kernel):
    """A convolution's kernel as Keras has it.

    Args:
        kernel: Array of shape `(outputs, inputs // groups, height, width)`.

    Returns:
        Array of shape `(height, width, inputs // groups, outputs)`, a view.

    Example:

    >>> import numpy as np
    >>> conv_from_oihw(np.zeros((256, 48, 5, 5))).shape
    (5, 5, 48, 256)
    """
    return kernel.transpose(2, 3, 1, 0)


def conv_to_oihw(kernel):
    """The inverse of `conv_from_oihw`.

    Args:
        kernel: Array of shape `(height, width, inputs // groups, outputs)`.

    Returns:
        Array of shape `(outputs, inputs // groups, height, width)`, a view.
    """
    return kernel.transpose(3, 2, 0, 1)


def dense_from_oi(kernel, channels=None):
    """A dense layer's kernel as Keras has it.

    Args:
        kernel: Array of shape `(outputs, inputs)`.
        channels: Integer, channels of the square map that is flattened before
            the layer; `None` where there is none. Defaults to `None`.

    Returns:
        Array of shape `(inputs, outputs)`.

    Raises:
        ValueError: If the inputs are not a square map of so many channels.

    Example: two channels of 2 x 2 pixels.

    >>> import numpy as np
    >>> dense_from_oi(np.arange(8)[None], channels=2)[:, 0].tolist()
    [0, 4, 1, 5, 2, 6, 3, 7]
    """
    if channels is None:
        return kernel.T
    outputs, inputs = kernel.shape
    side = map_size(inputs, channels)
    kernel = kernel.reshape(outputs, channels, side, side)
    return kernel.transpose(2, 3, 1, 0).reshape(inputs, outputs)


def dense_to_oi(kernel, channels=None):
    """The inverse of `dense_from_oi`.

    Args:
        kernel: Array of shape `(inputs, outputs)`.
        channels: As there. Defaults to `None`.

    Returns:
        Array of shape `(outputs, inputs)`.

    Raises:
        ValueError: If the inputs are not a square map of so many channels.
    """
    if channels is None:
        return kernel.T
    inputs, outputs = kernel.shape
    side = map_size(inputs, channels)
    kernel = kernel.reshape(side, side, channels, outputs)
    return kernel.transpose(3, 2, 0, 1).reshape(outputs, inputs)


def map_size(inputs, channels):
    """Pixels per side of the map that a dense layer sees.

    Args:
        inputs: Integer, inputs of the layer.
        channels: Integer, channels of the map.

    Returns:
        Integer.

    Raises:
        ValueError: If there is no such square.
    """
    side = math.isqrt(inputs // channels)
    if side < 1 or side * side * channels != inputs:
        raise ValueError(
            f"A dense layer of {inputs} inputs cannot follow a square map of "
            f"{channels} channels."
        )
    return side
