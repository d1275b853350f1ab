"""How large an image is after each layer of an architecture."""

import dataclasses
import math

from keras_alexnet.weights.kernel_layouts import map_size


def conv_size(size, kernel, stride, padding):
    """Output pixels of a convolution along one side.

    Args:
        size: Integer, pixels of the input.
        kernel: Integer, pixels of the kernel.
        stride: Integer.
        padding: One of `Architecture.paddings`.

    Returns:
        Integer; 0 or less where the input is too small.
    """
    if padding == "same":
        return math.ceil(size / stride)
    if padding == "ceil":
        return 1 + math.ceil((size - kernel) / stride)
    border = 0 if padding == "valid" else padding
    return 1 + (size + 2 * border - kernel) // stride


def pool_output_size(architecture, size):
    """Output pixels of the architecture's pooling along one side."""
    steps = (size - architecture.pool_size) / architecture.pool_strides
    rounded = math.ceil if architecture.pool_rounding == "ceil" else math.floor
    return 1 + rounded(steps)


def sizes(architecture, input_size=None):
    """Pixels per side after each convolution and each pooling.

    Args:
        architecture: An `Architecture`.
        input_size: Integer. Defaults to the architecture's own.

    Returns:
        Dict of layer name (`"conv1"`, `"pool1"`, …) to pixels; it ends before
        the first layer that would get no pixel.

    Example:

    >>> from keras_alexnet.models import PAPER
    >>> sizes(PAPER)
    {'conv1': 55, 'pool1': 27, 'conv2': 27, 'pool2': 13, 'conv3': 13, \
'conv4': 13, 'conv5': 13, 'pool5': 6}
    """
    size = input_size or architecture.input_size
    found = {}
    for index, name in enumerate(architecture.conv_names):
        size = conv_size(
            size,
            architecture.kernel_sizes[index],
            architecture.strides[index],
            architecture.paddings[index],
        )
        if size < 1:
            return found
        found[name] = size
        if "pool" in architecture.stages[index]:
            size = pool_output_size(architecture, size)
            if size < 1:
                return found
            found[architecture.stage_name("pool", name)] = size
    return found


def minimum_input_size(architecture):
    """Pixels per side of the smallest image that reaches the last layer."""
    complete = len(sizes(architecture, 10_000))
    return next(
        size
        for size in range(1, 10_000)
        if len(sizes(architecture, size)) == complete
    )


def with_fitting_input_size(architecture, what, inputs, stated=None):
    """Finds the image size at which the first dense layer has its inputs.

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
    >>> with_fitting_input_size(OWT, "fc6", 256 * 2 * 2).input_size
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
