"""Variants of an `Architecture`, most of them without one of its ideas."""

import dataclasses

# Section 5: biases "in the second, fourth, and fifth convolutional layers, as
# well as in the fully-connected hidden layers"; not in these, counted from 0.
ZERO_BIASES = (0, 2)


def with_norms(architecture, *names):
    """Keeps normalization after the named layers only.

    A layer that loses its norm across maps also loses its norm within each map,
    as in net #148.

    Args:
        architecture: An `Architecture`.
        *names: Strings such as `"conv1"`, of the architecture's `conv_names`.

    Returns:
        An `Architecture`.

    Raises:
        ValueError: If there is no layer of a name.

    Example:

    >>> from keras_alexnet.models.presets import PAPER
    >>> with_norms(PAPER, "conv2").stages[:2]
    (('activation', 'pool'), ('activation', 'norm', 'pool'))
    """
    if set(names) - set(architecture.conv_names):
        raise ValueError(
            f"`names` must be among {architecture.conv_names}. "
            f"Received: {names}"
        )
    stages = tuple(
        stages if name in names else _without_norms(stages)
        for name, stages in zip(
            architecture.conv_names, architecture.stages, strict=True
        )
    )
    return dataclasses.replace(architecture, stages=stages)


def without_norms(architecture):
    """Removes all normalization.

    Args:
        architecture: An `Architecture`.

    Returns:
        An `Architecture`.

    Example:

    >>> from keras_alexnet.models import CODE_2012
    >>> without_norms(CODE_2012).stages[0]
    ('pool', 'activation')
    """
    return with_norms(architecture)


def without_overlap(architecture):
    """Makes pooling windows as large as their strides (section 3.4).

    Where pooling rounded up before, it rounds down now: 2 x 2 windows rounded
    down give as many pixels as 3 x 3 windows rounded up.

    Args:
        architecture: An `Architecture`.

    Returns:
        An `Architecture`.

    Example:

    >>> from keras_alexnet.models import PAPER
    >>> from keras_alexnet.models import sizes
    >>> sizes(without_overlap(PAPER)) == sizes(PAPER)
    True
    """
    return dataclasses.replace(
        architecture,
        pool_size=architecture.pool_strides,
        pool_rounding="floor",
    )


def with_all_pooling(architecture):
    """Adds pooling after every convolution that has none."""
    stages = tuple(
        stages if "pool" in stages else (*stages, "pool")
        for stages in architecture.stages
    )
    return dataclasses.replace(architecture, stages=stages)


def one_column(architecture):
    """Keeps one column with half of the kernels, as net #145-half does.

    The last convolution and the fully connected layers keep their widths, so
    that there are about as many parameters (section 3.2, footnote).

    Args:
        architecture: An `Architecture`.

    Returns:
        An `Architecture`.

    Example:

    >>> from keras_alexnet.models.presets import CODE_2012
    >>> from keras_alexnet.models.presets import ONE_GPU
    >>> one_column(CODE_2012).filters == ONE_GPU.filters
    True
    """
    *filters, last = architecture.filters
    halves = tuple(width // architecture.columns for width in filters)
    return dataclasses.replace(architecture, columns=1, filters=(*halves, last))


def without_cross(architecture, name):
    """Makes a layer see its own column only."""
    cross = tuple(other for other in architecture.cross if other != name)
    return dataclasses.replace(architecture, cross=cross)


def with_biases(architecture, value):
    """Sets the initial biases that are 1 in the paper to another value.

    The first and the third convolution and the last layer have 0.

    Args:
        architecture: An `Architecture`.
        value: Float.

    Returns:
        An `Architecture`.

    Example:

    >>> from keras_alexnet.models.presets import CAFFE
    >>> from keras_alexnet.models.presets import PAPER
    >>> with_biases(PAPER, 0.1).initial_biases == CAFFE.initial_biases
    True
    """
    names = architecture.layer_names
    zero = (*ZERO_BIASES, len(names) - 1)
    biases = tuple(
        0.0 if place in zero else float(value) for place in range(len(names))
    )
    return dataclasses.replace(architecture, initial_biases=biases)


def with_width(architecture, factor):
    """Makes all layers wider or narrower, by a factor.

    Args:
        architecture: An `Architecture`, or an `InceptionArchitecture`.
        factor: Float. Widths are rounded so that columns can share them.

    Returns:
        One of the same class.

    Example:

    >>> from keras_alexnet.models.presets import PAPER
    >>> with_width(PAPER, 0.25).filters
    (24, 64, 96, 96, 64)
    """
    return architecture.scaled(factor)


def _without_norms(stages):
    return tuple(s for s in stages if s not in ("norm", "spatial_norm"))
