"""Puts ops that have no device where their inputs are."""

import functools

import tensorflow as tf

# Their branches are placed op by op.
CALLS = ("If", "StatelessIf", "While", "StatelessWhile")


def place_with_data(head):
    """Context in which an op without a device goes where its data is.

    Optimizers scale, clip and average gradients and weights outside of any
    device scope: TensorFlow would bring each to the first device and back. In
    a graph, an op here goes to the device of its largest input; eagerly, and
    where no input is on any device, to the head.

    Args:
        head: String, a device.

    Returns:
        A context manager.

    Example:

    >>> @tf.function
    ... def norm(x):
    ...     with tf.device("/CPU:0"):
    ...         x = 2.0 * x
    ...     with place_with_data("/CPU:0"):
    ...         return tf.norm(x)
    >>> float(norm(tf.constant([3.0, 4.0])))
    10.0
    """
    if tf.executing_eagerly():
        return tf.device(head)
    return tf.compat.v1.device(functools.partial(_choose, head))


def _choose(head, op):
    # TensorFlow puts a constant where it is used.
    if op.device or op.type == "Const":
        return op.device
    if op.type in CALLS:
        return head
    largest, chosen = 0, head
    for tensor in op.inputs:
        size, device = _size(tensor), _device(tensor)
        # If several inputs are equally large, the head is taken.
        if device and (size > largest or (size == largest and device == head)):
            largest, chosen = size, device
    return chosen


def _size(tensor):
    if tensor.dtype == tf.resource:
        return float("inf")
    return tensor.shape.num_elements() or 1


def _device(tensor):
    """Where a tensor is, or an empty string."""
    if not tf.is_symbolic_tensor(tensor):
        return tensor.device
    op = tensor.op
    if op.type == "Placeholder":
        # Taken in from outside of the function, if it is no argument.
        for outside, inside in getattr(op.graph, "captures", ()):
            if inside is tensor:
                return _device(outside)
        return ""
    if op.type == "ReadVariableOp":
        return _device(op.inputs[0])
    return op.device
