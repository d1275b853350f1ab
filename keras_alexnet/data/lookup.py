"""Variables of the input pipeline, and arrays that graphs index."""

import concurrent.futures

import tensorflow as tf


def own_variable(value):
    """A variable of this process, also in the scope of a strategy.

    There TensorFlow copies a `tf.Variable` to each replica, and has several
    workers send it to each other, which fails for strings. The variables of the
    input pipeline are no weights, and need neither.

    Args:
        value: Array, tensor or number, the initial value.

    Returns:
        `tf.Variable` in the memory of the CPU.

    Example:

    >>> strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    >>> with strategy.scope():
    ...     epoch = own_variable(3)
    >>> int(epoch)
    3
    """

    def variable():
        with tf.device("CPU:0"):
            return tf.Variable(value, trainable=False)

    # A scope holds for the thread that has entered it, and for no other.
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(variable).result()


def lookup(values):
    """Keeps an array out of the graphs that index it.

    tf.data hashes and copies the tensors a function captures each time an
    iterator is made, seconds per epoch for a gigabyte; not so variables.

    Args:
        values: Array or tensor; its first axis is looked up.

    Returns:
        Function from an integer scalar tensor to the row, in graphs too.

    Example:

    >>> row = lookup([10, 20, 30])
    >>> [int(x) for x in tf.data.Dataset.range(3).map(row)]
    [10, 20, 30]
    """
    return own_variable(values).sparse_read
