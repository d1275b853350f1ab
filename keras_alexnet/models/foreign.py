"""What the files of Caffe and PyTorch have in common: outputs come first."""

from keras_alexnet.weights.layouts import conv_from_oihw
from keras_alexnet.weights.layouts import conv_to_oihw
from keras_alexnet.weights.layouts import dense_from_oi
from keras_alexnet.weights.layouts import dense_to_oi


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


def from_foreign(layers):
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


def to_foreign(arrays):
    """The inverse of `from_foreign`.

    Args:
        arrays: Dict of our layer name to `(kernel, bias)` in Keras's layouts,
            in the order of the layers.

    Returns:
        Dict of our layer name to `(kernel, bias)` in those of the file.

    Example:

    >>> import numpy as np
    >>> kernel = np.zeros((11, 11, 3, 96))
    >>> to_foreign({"conv1": (kernel, np.zeros(96))})["conv1"][0].shape
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
