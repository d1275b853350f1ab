"""What a signal on its way back to the image does at each kind of layer."""

import contextlib

import keras
from keras import ops

from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)

LRN_RULES = ("identity", "derivative")


def _deconvnet(upstream, x):
    return ops.relu(upstream)


def _guided(upstream, x):
    return ops.relu(upstream) * ops.cast(x > 0, upstream.dtype)


# How a ReLU passes a signal back; `None` is its derivative.
RELU_RULES = {"gradient": None, "deconvnet": _deconvnet, "guided": _guided}


class Rules:
    """Applies layers so that gradients through them follow other rules.

    | layer | `"gradient"` | `"deconvnet"` | `"guided"` |
    |---|---|---|---|
    | convolution, dense | transposed | the same | the same |
    | max pooling | to the largest input | the same | the same |
    | ReLU | `g * (x > 0)` | `max(g, 0)` | `max(g, 0) * (x > 0)` |

    Where windows of a pooling overlap, what they send to one input is summed.
    Other activations, average pooling and batch normalization pass their
    derivatives.

    Args:
        relu: `"gradient"`, `"deconvnet"` or `"guided"`.
        lrn: `"derivative"`, or `"identity"`, which passes a signal back as it
            is.

    Call arguments:
        layer: A `keras.Layer`.
        x: Tensor, or a list of them.

    Returns:
        Tensor, what `layer(x)` is.

    Raises:
        ValueError: If `relu` or `lrn` is none of the above.

    Example:

    >>> x = ops.ones((1, 2))
    >>> ops.convert_to_numpy(Rules("guided")(keras.layers.ReLU(), x)).tolist()
    [[1.0, 1.0]]
    """

    def __init__(self, relu="gradient", lrn="derivative"):
        if relu not in RELU_RULES:
            raise ValueError(
                f"`relu` must be one of {tuple(RELU_RULES)}. "
                f"Received: relu={relu!r}"
            )
        if lrn not in LRN_RULES:
            raise ValueError(
                f"`lrn` must be one of {LRN_RULES}. Received: lrn={lrn!r}"
            )
        self.relu = RELU_RULES[relu]
        self.lrn = lrn

    def __call__(self, layer, x):
        if isinstance(layer, LocalResponseNormalization):
            return self._normalize(layer, x)
        if self.relu is None or not is_relu(layer):
            return layer(x)
        relu = _with_gradient(ops.relu, self.relu)
        if isinstance(layer, keras.layers.ReLU | keras.layers.Activation):
            return relu(x)
        with with_activation(layer, relu):
            return layer(x)

    def _normalize(self, layer, x):
        if self.lrn == "derivative":
            return layer(x)
        return _with_gradient(layer, lambda upstream, x: upstream)(x)


@contextlib.contextmanager
def with_activation(layer, function):
    """Context in which a layer has another activation.

    Args:
        layer: A layer with an attribute `activation`.
        function: Callable.

    Example:

    >>> layer = keras.layers.Dense(1, activation="relu")
    >>> with with_activation(layer, keras.activations.linear):
    ...     layer.activation.__name__
    'linear'
    >>> layer.activation.__name__
    'relu'
    """
    old = layer.activation
    layer.activation = function
    try:
        yield
    finally:
        layer.activation = old


def is_relu(layer):
    """Whether a layer is a ReLU, or has one of its own at its end.

    Example:

    >>> is_relu(keras.layers.Dense(1)), is_relu(keras.layers.ReLU())
    (False, True)
    """
    if isinstance(layer, keras.layers.ReLU):
        slopes = layer.negative_slope, layer.threshold
        return layer.max_value is None and not any(slopes)
    activation = getattr(layer, "activation", None)
    return activation is keras.activations.relu


def _with_gradient(function, rule):
    """A function whose gradient is `rule(upstream, x)`."""

    @ops.custom_gradient
    def changed(x):
        # PyTorch passes the gradient by name, after the inputs.
        def backward(*args, upstream=None):
            return rule(args[0] if upstream is None else upstream, x)

        return function(x), backward

    return changed
