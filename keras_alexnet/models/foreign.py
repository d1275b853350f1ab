"""What the files of Caffe and PyTorch have in common: outputs come first."""

import dataclasses

from keras_alexnet.models.geometry import sizes
from keras_alexnet.weights.layouts import conv_from_oihw
from keras_alexnet.weights.layouts import conv_to_oihw
from keras_alexnet.weights.layouts import dense_from_oi
from keras_alexnet.weights.layouts import dense_to_oi
from keras_alexnet.weights.layouts import map_size


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


def with_input_size(architecture, what, inputs, stated=None):
    """The architecture for images that give its first dense layer its inputs.

    Args:
        architecture: An `Architecture`.
        what: String, what the file calls the layer.
        inputs: Integer, inputs of the layer.
        stated: Pixels per side of the images, if the file says so. Defaults
            to the architecture's own size, or else the smallest that fits.

    Returns:
        An `Architecture`.

    Raises:
        ValueError: If there is no such size.

    Example:

    >>> from keras_alexnet.models import OWT
    >>> with_input_size(OWT, "fc6", 256 * 2 * 2).input_size
    95
    """
    wanted = map_size(inputs, architecture.filters[-1])
    complete = len(sizes(architecture, 9999))
    candidates = [stated] if stated else [architecture.input_size, *range(999)]
    for size in candidates:
        left = list(sizes(architecture, size).values())
        if left[-1:] == [wanted] and len(left) == complete:
            return dataclasses.replace(architecture, input_size=size)
    raise ValueError(
        f"Layer `{what}` has {inputs} inputs, a map of {wanted} x {wanted} "
        f"pixels, which images of {stated or 'any number of'} pixels do not "
        "give."
    )


def _groups(what, kernel, channels):
    seen = kernel.shape[1]
    if not seen or channels % seen or len(kernel) % (channels // seen):
        raise ValueError(
            f"Layer `{what}` has a kernel of shape {kernel.shape}, which does "
            f"not fit the {channels} channels before it."
        )
    return channels // seen
