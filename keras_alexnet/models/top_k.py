"""Whether the right class is among the k that a network finds most probable."""

from keras import ops


def is_missed(scores, labels, k):
    """Which examples have `k` classes or more ranked before their own.

    Of equal scores the class with the lower index ranks first, so that a
    network that says the same of all classes is not always right. An example
    whose own score, or that of a class that would rank before it, is NaN, or
    whose class does not exist, counts as missed.

    Args:
        scores: Tensor or array of shape `(n, classes)`.
        labels: Integers of shape `(n,)` or `(n, 1)`.
        k: Integer.

    Returns:
        Boolean tensor of shape `(n,)`.

    Example:

    >>> bool(is_missed([[0.2, 0.5, 0.3]], [2], 1)[0])
    True
    """
    scores = ops.convert_to_tensor(scores)
    labels = ops.cast(ops.reshape(labels, (-1, 1)), "int32")
    classes = scores.shape[-1]
    absent = ops.logical_or(labels < 0, labels >= classes)
    labels = ops.clip(labels, 0, classes - 1)
    own = ops.take_along_axis(scores, labels, axis=-1)
    index = ops.arange(scores.shape[-1], dtype="int32")
    # Not by `not (scores <= own)`: TensorFlow's graphs replace that by
    # `scores > own`, which is false of NaN.
    before = ops.logical_or(scores > own, ops.isnan(scores))
    equal = ops.logical_and(scores == own, index < labels)
    rank = ops.sum(ops.cast(ops.logical_or(before, equal), "int32"), axis=-1)
    missed = ops.logical_or(rank >= k, ops.isnan(own[:, 0]))
    return ops.logical_or(missed, absent[:, 0])
