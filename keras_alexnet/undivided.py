"""A model that one process can ask, whatever strategy trains it."""

import random

import keras


def undivided(model):
    """The model, or a copy on one device where a strategy has divided it.

    Replicas would each answer for all images, or wait for those of other
    processes; layers of columns have other names.

    Args:
        model: A `keras.Model`, on any backend. Of several workers each reads
            the weights of its own, so one may call it alone.

    Returns:
        A `keras.Model`. A copy has the weights of now.

    Example:

    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> undivided(model) is model
    True
    """
    if keras.backend.backend() != "tensorflow":
        return model
    # Imported here: it imports TensorFlow, which other backends need not have.
    from keras_alexnet.distribution.conversion import on_one_device

    # The copy's layers draw seeds that they do not need.
    state = random.getstate()
    try:
        return on_one_device(model, optimizer=False)
    finally:
        random.setstate(state)
