"""Gradients of a function of arrays, on every backend of Keras."""

import keras
import numpy as np
from keras import ops


def pull_back(function, x, seed):
    """A function's value, and a gradient pulled back through it.

    ```
    y = function(x);  gradient = transpose(dy/dx) * seed(y)
    ```

    Args:
        function: Function of a tensor that returns a tensor, made of
            `keras.ops` and Keras layers.
        x: Array.
        seed: Function of `y`, an array, that returns an array of its shape.

    Returns:
        Tuple of arrays: `y` and the gradient, of the shape of `x`.

    Raises:
        ValueError: If Keras runs on a backend without automatic
            differentiation.

    Example:

    >>> y, gradient = pull_back(lambda x: x * x, [3.0, 5.0], np.ones_like)
    >>> gradient.tolist()
    [6.0, 10.0]
    """
    backend = keras.backend.backend()
    x = np.asarray(x, "float32")
    if backend not in PULL_BACKS:
        raise ValueError(
            "Gradients need a backend with automatic differentiation: set "
            f"KERAS_BACKEND to one of {sorted(PULL_BACKS)}. Received: {backend}"
        )
    y, gradient = PULL_BACKS[backend](function, x, seed)
    return as_array(y), as_array(gradient)


def as_array(tensor):
    """A tensor or a variable of any backend as a float32 array."""
    tensor = ops.convert_to_tensor(tensor)
    return np.asarray(ops.convert_to_numpy(tensor), "float32")


def _tensorflow(function, x, seed):
    # Imported here: the other backends do not need TensorFlow.
    import tensorflow as tf

    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    upstream = tf.cast(seed(as_array(y)), y.dtype)
    return y, tape.gradient(
        y, x, upstream, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )


def _jax(function, x, seed):
    import jax

    y, pull = jax.vjp(function, jax.numpy.asarray(x))
    (gradient,) = pull(jax.numpy.asarray(seed(as_array(y)), y.dtype))
    return y, gradient


def _torch(function, x, seed):
    import torch

    x = ops.convert_to_tensor(x).requires_grad_()
    y = function(x)
    upstream = ops.convert_to_tensor(seed(as_array(y)), dtype=y.dtype)
    (gradient,) = torch.autograd.grad(y, x, upstream, allow_unused=True)
    return y, torch.zeros_like(x) if gradient is None else gradient


PULL_BACKS = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
