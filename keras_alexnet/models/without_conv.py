"""Takes one convolution out of an architecture."""

import dataclasses

from keras_alexnet.models.architecture import conv_names
from keras_alexnet.models.geometry import conv_size


def without_conv(architecture, number):
    """Removes a convolution; pooling, strides and crossings keep their places.

    A neighbor takes its place: the next convolution, or the one before if the
    last is removed. The neighbor keeps its own kernels. It takes over the
    stride, the normalization and the pooling of the removed layer. If that saw
    all columns, so does the neighbor.

    Args:
        architecture: An `Architecture`.
        number: Integer, 1 for `conv1`.

    Returns:
        An `Architecture`; its layers are numbered anew.

    Raises:
        ValueError: If there is no such layer, or every layer normalizes or
            pools.

    Example:

    >>> from keras_alexnet.models import PAPER
    >>> from keras_alexnet.models import sizes
    >>> shallow = without_conv(PAPER, 2)
    >>> shallow.filters, shallow.cross
    ((96, 384, 384, 256), ('conv2', 'fc6', 'fc7'))
    >>> sizes(shallow)["pool4"] == sizes(PAPER)["pool5"]
    True
    """
    count = len(architecture.stages)
    if not 1 <= number <= count:
        raise ValueError(
            f"`number` must be in 1 to {count}. Received: number={number}"
        )
    left_out = number - 1
    place = _plain_place(architecture, left_out)
    strides = _drop(architecture.strides, place)
    kernels = _drop(architecture.kernel_sizes, left_out)
    return dataclasses.replace(
        architecture,
        filters=_drop(architecture.filters, left_out),
        kernel_sizes=kernels,
        strides=strides,
        paddings=_fitting_paddings(architecture, left_out, kernels, strides),
        stages=_drop(architecture.stages, place),
        cross=_renumbered(architecture, left_out),
        unshared=_moved(
            architecture, architecture.unshared, left_out, left_out
        ),
        average_pools=_moved(
            architecture, architecture.average_pools, place, left_out
        ),
        initial_stds=_drop(architecture.initial_stds, left_out),
        initial_biases=_drop(architecture.initial_biases, left_out),
        blocks=_smaller_blocks(architecture, left_out),
    )


def _plain_place(architecture, left_out):
    """The nearest later layer without norm or pooling, or else earlier one."""
    plain = [
        index
        for index, stages in enumerate(architecture.stages)
        if stages == ("activation",) and architecture.strides[index] == 1
    ]
    if not plain:
        raise ValueError(
            "A convolution can be removed only if the architecture has one "
            "with nothing but an activation after it. "
            f"Received: stages={architecture.stages}"
        )
    return next((index for index in plain if index >= left_out), plain[-1])


def _fitting_paddings(architecture, left_out, kernels, strides):
    """Paddings that change the size of the first output least."""
    paddings = _drop(architecture.paddings, left_out)
    size = architecture.input_size
    wanted = conv_size(
        size,
        architecture.kernel_sizes[0],
        architecture.strides[0],
        architecture.paddings[0],
    )

    def error(padding):
        output = conv_size(size, kernels[0], strides[0], padding)
        return abs(output - wanted)

    # Of equally good paddings `min` takes the first: the layer's own.
    first = min((paddings[0], "valid", "same", "ceil"), key=error)
    return (first, *paddings[1:])


def _smaller_blocks(architecture, left_out):
    """The blocks without one convolution, and without an emptied block."""
    blocks = list(architecture.blocks)
    if blocks:
        name = architecture.conv_names[left_out]
        blocks[int(name.removeprefix("conv").partition("_")[0]) - 1] -= 1
    return tuple(count for count in blocks if count)


def _new_names(architecture, left_out):
    """The names of the convolutions that are left, in their order."""
    return conv_names(
        len(architecture.stages) - 1, _smaller_blocks(architecture, left_out)
    )


def _renumbered(architecture, left_out):
    names = architecture.conv_names
    left = _new_names(architecture, left_out)
    new = dict(zip(_drop(names, left_out), left, strict=True))
    # If the removed layer saw all columns, its successor does.
    new[names[left_out]] = left[min(left_out, len(left) - 1)]
    cross = [new.get(name, name) for name in architecture.cross]
    return tuple(dict.fromkeys(cross))


def _moved(architecture, chosen, dropped, left_out):
    """Names of layers after one that is dropped, which is not among them."""
    names = _drop(architecture.conv_names, dropped)
    left = _new_names(architecture, left_out)
    new = dict(zip(names, left, strict=True))
    return tuple(new[name] for name in chosen if name in new)


def _drop(values, index):
    return values[:index] + values[index + 1 :]
