"""Compares architectures: their fields, and what they compute."""

import dataclasses
import math

from keras_alexnet.models.geometry import sizes


def describe(instance):
    """The fields of a dataclass, a line each.

    Example:

    >>> from keras_alexnet.models import PAPER
    >>> print(describe(PAPER).splitlines()[1])
    input_size          224
    """
    fields = dataclasses.fields(instance)
    width = max(len(field.name) for field in fields)
    return "\n".join(
        f"{field.name:{width}}  {getattr(instance, field.name)}"
        for field in fields
    )


def difference(a, b):
    """The fields in which two dataclasses of one kind differ.

    Args:
        a: An `Architecture`, or any dataclass.
        b: Another of the same class.

    Returns:
        String, one line `field: a -> b` per field other than `name`; empty
        where there is none.

    Raises:
        TypeError: If they are of different classes.

    Example:

    >>> from keras_alexnet.models import CAFFE
    >>> from keras_alexnet.models import CAFFENET
    >>> print(difference(CAFFE, CAFFENET).splitlines()[1])
    initial_biases: (0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0) -> \
(0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0)
    """
    if type(a) is not type(b):
        raise TypeError(
            "`a` and `b` must be of one class. Received: "
            f"a={type(a).__name__}, b={type(b).__name__}"
        )
    return "\n".join(
        f"{field.name}: {getattr(a, field.name)} -> {getattr(b, field.name)}"
        for field in dataclasses.fields(a)
        if field.name != "name"
        and getattr(a, field.name) != getattr(b, field.name)
    )


def different_computations(a, b, input_size=None):
    """Lists why two networks with equal weights would give other outputs.

    Widths, initialization, dropout and what is done to pixels before the
    first layer do not count. Neither does notation: padding `"same"` equals 2
    pixels around a window of 5, and an `alpha` that multiplies the sum of five
    squares equals five times that `alpha` on their mean.

    Args:
        a: An `Architecture` or an `InceptionArchitecture`.
        b: Another.
        input_size: Pixels per side of the images. Defaults to that of `b`.

    Returns:
        List of strings, `"field: a, not b"`; empty if they
        compute the same.

    Example:

    >>> from keras_alexnet.models import CAFFE
    >>> from keras_alexnet.models import CAFFENET
    >>> print(*different_computations(CAFFE, CAFFENET))
    stages of conv1: activation norm pool, not activation pool norm \
stages of conv2: activation norm pool, not activation pool norm
    """
    if type(a) is not type(b):
        return [f"kind: {type(a).__name__}, not {type(b).__name__}"]
    size = input_size or b.input_size
    if hasattr(b, "computation"):
        ours, theirs = a.computation(), b.computation()
    else:
        ours, theirs = _facts(a, size), _facts(b, size)
    if "pool_rounding" in theirs and sizes(a, size) == sizes(b, size):
        # Nothing is left over that the two could round in different ways.
        ours.pop("pool_rounding", None)
        theirs.pop("pool_rounding", None)
    return [
        f"{key}: {ours.get(key)}, not {theirs.get(key)}"
        for key in dict.fromkeys([*ours, *theirs])
        if not _equal(ours.get(key), theirs.get(key))
    ]


def _equal(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-6)
    return a == b


def _facts(architecture, size):
    facts = {"activation": architecture.activation}
    for index, name in enumerate(architecture.conv_names):
        facts[f"stages of {name}"] = " ".join(architecture.stages[index])
        facts[f"kernel size of {name}"] = architecture.kernel_sizes[index]
        facts[f"stride of {name}"] = architecture.strides[index]
        facts[f"padding of {name}"] = _padding(architecture, index, size)
        facts[f"unshared weights of {name}"] = name in architecture.unshared
        if "pool" in architecture.stages[index]:
            average = name in architecture.average_pools
            facts[f"averages behind {name}"] = average
    for name in architecture.layer_names:
        facts[f"groups of {name}"] = architecture.groups(name)
    stages = {stage for layer in architecture.stages for stage in layer}
    if "pool" in stages:
        facts["pool_size"] = architecture.pool_size
        facts["pool_strides"] = architecture.pool_strides
        facts["pool_rounding"] = architecture.pool_rounding
    if "norm" in stages:
        facts["normalization"] = architecture.normalization
        if architecture.normalization == "lrn":
            facts.update(_lrn(architecture))
    if "spatial_norm" in stages:
        facts["spatial_n"] = architecture.spatial_n
        facts["spatial_alpha"] = architecture.spatial_alpha
        facts["spatial_beta"] = architecture.spatial_beta
    return facts


def _lrn(architecture):
    parts = 1 if architecture.lrn_across_columns else architecture.columns
    n = architecture.lrn_n
    divided = architecture.lrn_convention == "mean"
    return {
        "lrn_k": float(architecture.lrn_k),
        "lrn_n": n,
        "lrn_alpha per square": architecture.lrn_alpha / (n if divided else 1),
        "lrn_beta": float(architecture.lrn_beta),
        "columns that LRN keeps apart": parts,
    }


def _padding(architecture, index, size):
    padding = architecture.paddings[index]
    kernel = architecture.kernel_sizes[index]
    stride = architecture.strides[index]
    if padding == "same" and stride == 1 and kernel % 2:
        return kernel // 2
    if index == 0 and padding == "ceil" and (size - kernel) % stride == 0:
        return 0
    return 0 if padding == "valid" else padding
