"""Which of several workers writes the files."""

import keras


def is_chief(model):
    """Whether this process is the one that writes for all workers.

    Args:
        model: A `keras.Model`. Under a `tf.distribute` strategy of several
            workers the first is the chief.

    Returns:
        Boolean; `True` where there is one process.

    Example:

    >>> is_chief(keras.Sequential())
    True
    """
    if keras.backend.backend() != "tensorflow":
        return True
    return bool(model.distribute_strategy.extended.should_checkpoint)
