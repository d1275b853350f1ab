"""Whether there are several workers, and which of them writes the files."""

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


def has_workers(model):
    """Whether several processes train a model.

    Args:
        model: A `keras.Model`.

    Returns:
        Boolean.

    Example:

    >>> has_workers(keras.Sequential())
    False
    """
    if keras.backend.backend() != "tensorflow":
        return False
    from keras_alexnet.distribution.workers import place_among_workers

    workers, _ = place_among_workers(model.distribute_strategy)
    return workers > 1
