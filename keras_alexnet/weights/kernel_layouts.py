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


def dense_from_oi(kernel, channels=None, height=None, width=None):
    """A dense layer's kernel as Keras has it.

    Args:
        kernel: Array of shape `(outputs, inputs)`.
        channels: Integer, channels of the map that is flattened before the
            layer; `None` where there is none. Defaults to `None`.
        height, width: Pixels of that map. Default to those of a square.

    Returns:
        Array of shape `(inputs, outputs)`.

    Raises:
        ValueError: If the inputs are not such a map.

    Example: two channels of 2 x 2 pixels.

    >>> import numpy as np
    >>> dense_from_oi(np.arange(8)[None], channels=2)[:, 0].tolist()
    [0, 4, 1, 5, 2, 6, 3, 7]
    """
    if channels is None:
        return kernel.T
    outputs, inputs = kernel.shape
    if height is None or width is None:
        height = width = map_size(inputs, channels)
    kernel = kernel.reshape(outputs, channels, height, width)
    return kernel.transpose(2, 3, 1, 0).reshape(inputs, outputs)


def dense_to_oi(kernel, channels=None, height=None, width=None):
    """The inverse of `dense_from_oi`.

    Args:
        kernel: Array of shape `(inputs, outputs)`.
        channels, height, width: As there. Default to `None`.

    Returns:
        Array of shape `(outputs, inputs)`.

    Raises:
        ValueError: If the inputs are not such a map.
    """
    if channels is None:
        return kernel.T
    inputs, outputs = kernel.shape
    if height is None or width is None:
        height = width = map_size(inputs, channels)
    kernel = kernel.reshape(height, width, channels, outputs)
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


def check_shapes(what, kernel, bias, rank):
    """Refuses what is not the kernel and the bias of one layer.

    Args:
        what: String, what the file calls the layer.
        kernel: Array.
        bias: Array.
        rank: Integer, 4 for a convolution, 2 for a dense layer.

    Raises:
        ValueError: If they do not fit each other.
    """
    square = rank == 2 or kernel.shape[2:3] == kernel.shape[3:]
    if kernel.ndim != rank or bias.shape != kernel.shape[:1] or not square:
        raise ValueError(
            f"Layer `{what}` has a kernel of shape {kernel.shape} and a bias "
            f"of shape {bias.shape}; wanted is a "
            f"{'square ' * (rank == 4)}kernel of rank {rank} and one bias per "
            "output."
        )


def from_outputs_first(layers):
    """A chain of layers in Keras's layouts.

    Args:
        layers: Dict of our layer name to what the file calls the layer, its
            kernel and its bias, from the first convolution to the last dense
            layer; their shapes are checked.

    Returns:
        Tuple: a dict of our layer name to `(kernel, bias)`; a dict of
        convolution to its groups.

    Raises:
        ValueError: If a layer does not fit the one before.
    """
    arrays, groups, channels, flattened = {}, {}, 3, None
    for name, (what, kernel, bias) in layers.items():
        if kernel.ndim == 4:
            groups[name] = _groups(what, kernel, channels)
            kernel = conv_from_oihw(kernel)
            flattened = len(bias)
        else:
            if flattened is None and kernel.shape[1] != channels:
                raise ValueError(
                    f"Layer `{what}` has a kernel of shape {kernel.shape}, but "
                    f"the layer before has {channels} outputs."
                )
            try:
                kernel = dense_from_oi(kernel, flattened)
            except ValueError as error:
                raise ValueError(f"Layer `{what}`: {error}") from error
            flattened = None
        arrays[name] = kernel, bias
        channels = len(bias)
    return arrays, groups


def to_outputs_first(arrays):
    """The inverse of `from_outputs_first`.

    Args:
        arrays: Dict of our layer name to `(kernel, bias)` in Keras's layouts,
            in the order of the layers.

    Returns:
        Dict of our layer name to `(kernel, bias)` in those of the file.

    Example:

    >>> import numpy as np
    >>> kernel = np.zeros((11, 11, 3, 96))
    >>> to_outputs_first({"conv1": (kernel, np.zeros(96))})["conv1"][0].shape
    (96, 3, 11, 11)
    """
    found, flattened = {}, None
    for name, (kernel, bias) in arrays.items():
        if kernel.ndim == 4:
            kernel, flattened = conv_to_oihw(kernel), len(bias)
        else:
            kernel, flattened = dense_to_oi(kernel, flattened), None
        found[name] = kernel, bias
    return found


def _groups(what, kernel, channels):
    seen = kernel.shape[1]
    if not seen or channels % seen or len(kernel) % (channels // seen):
        raise ValueError(
            f"Layer `{what}` has a kernel of shape {kernel.shape}, which does "
            f"not fit the {channels} channels before it."
        )
    return channels // seen
