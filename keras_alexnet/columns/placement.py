"""Puts a column's forward and backward pass on the column's device."""

import contextlib
import inspect
import warnings

import keras
from keras import ops

from keras_alexnet.layers.grouped_conv2d import GroupedConv2D
from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)

# The same for all layers, so that it is shown once.
OUTSIDE = (
    "A network of columns is called outside of the `scope()` of its strategy: "
    "its weights are on the columns' devices, but its ops are not. Call it "
    "under the `scope()`; `fit`, `evaluate` and `predict` need no help."
)


def column_strategy():
    """The current `tf.distribute` strategy if it has columns, or `None`."""
    if keras.backend.backend() != "tensorflow":
        return None
    # Imported here: the other backends do not need TensorFlow.
    import tensorflow as tf

    strategy = tf.distribute.get_strategy()
    return strategy if hasattr(strategy, "column_device") else None


def has_replicas():
    """Whether the current `tf.distribute` strategy has several replicas."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync > 1


def column_device(column):
    """The device of a column under the current strategy.

    Args:
        column: Integer.

    Returns:
        String, or `None` where no column strategy is in force.
    """
    strategy = column_strategy()
    return None if strategy is None else strategy.column_device(column)


def variables_on(column):
    """Context in which new variables belong to a column."""
    strategy = column_strategy()
    if strategy is None:
        return contextlib.nullcontext()
    return strategy.column(column)


def pin(device, function, *tensors):
    """Calls `function` with its forward and its backward pass on a device.

    A gradient tape forgets `tf.device`: without this the backward pass of
    every column runs on the first device.

    Args:
        device: String or `None`, which leaves everything as it is.
        function: Callable of tensors that returns a tensor or a list of them.
            Gradients flow to its arguments only.
        *tensors: Its arguments, floating point.

    Returns:
        What `function` returns.

    Example:

    >>> import tensorflow as tf
    >>> x = tf.constant([3.0])
    >>> with tf.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = pin("/CPU:0", tf.square, x)
    >>> tape.gradient(y, x).numpy()
    array([6.], dtype=float32)
    """
    if device is None:
        return function(*tensors)
    import tensorflow as tf

    # So the ops of a custom gradient have names like those of a tape.
    scope = f"gradient_tape/{tf.get_current_name_scope()}".strip("/") + "/"

    @tf.custom_gradient
    def pinned(*inputs):
        # Persistent, because a persistent tape around it may ask twice.
        with tf.device(device), tf.GradientTape(persistent=True) as tape:
            tape.watch(inputs)
            outputs = function(*inputs)

        def backward(*upstream):
            if not isinstance(outputs, (list, tuple)):
                (upstream,) = upstream
            with tf.device(device), tf.name_scope(scope):
                return tape.gradient(
                    outputs,
                    inputs,
                    upstream,
                    unconnected_gradients=tf.UnconnectedGradients.ZERO,
                )

        return outputs, backward

    with tf.device(device):
        return pinned(*tensors)


@keras.saving.register_keras_serializable("keras_alexnet")
class OnColumn(keras.layers.Wrapper):
    """A column's share of a layer, on the column's device.

    The share of a convolution or dense layer is an equal part of its filters
    or units. Its variables, its forward and its backward ops are on the
    device that the current strategy has for the column; without a column
    strategy it is an ordinary layer.

    Args:
        layer: The *whole* layer, not built: all columns together.
        column: Integer, from 0.
        columns: Integer. Number of columns.
        crop: Pair of integers. So many channels at the beginning and at the
            end of the inputs belong to other columns, and are left out of the
            outputs. Defaults to `None`.
        **kwargs: `name` (by default `conv2_column0` for the first column of
            `conv2`) and other base layer arguments.

    Call arguments:
        inputs: Tensor: the column's channels, or all where the layer sees
            all columns.
        training: Boolean.

    Returns:
        Tensor, the column's channels of the output.

    Example:

    >>> fc6 = keras.layers.Dense(10, name="fc6")
    >>> left = OnColumn(fc6, column=0, columns=2)
    >>> left.name, left(ops.ones((1, 3))).shape
    ('fc6_column0', TensorShape([1, 5]))
    """

    def __init__(self, layer, column, columns, crop=None, **kwargs):
        kwargs.setdefault("name", f"{layer.name}_column{column}")
        # The share casts inputs and weights, on the column's device.
        kwargs.setdefault("dtype", layer.variable_dtype)
        kwargs.setdefault("trainable", layer.trainable)
        with variables_on(column):
            own = share(layer, column, columns)
        super().__init__(own, autocast=False, **kwargs)
        self.column = column
        self.columns = columns
        self.crop = None if crop is None else tuple(crop)
        self._whole = _without_ids(keras.saving.serialize_keras_object(layer))
        self._has_strategy = column_strategy() is not None
        # XLA refuses variables of another device than its own.
        self.supports_jit = not self._has_strategy
        self._passes_training = (
            "training" in inspect.signature(self.layer.call).parameters
        )

    def whole_layer(self):
        """A new layer of all columns together."""
        return keras.saving.deserialize_keras_object(self._whole)

    def build(self, input_shape):
        with variables_on(self.column):
            super().build(input_shape)

    def call(self, inputs, training=None):
        options = {"training": training} if self._passes_training else {}
        device = column_device(self.column)
        if device is None:
            if self._has_strategy:
                warnings.warn(OUTSIDE, stacklevel=2)
            return self._own(self.layer(inputs, **options))
        # A gradient tape watches them, frozen or not, and TensorFlow refuses
        # a custom gradient of what it watches and is not an argument.
        watched = [v for v in self.layer.variables if v.value.trainable]
        states = [
            (v, v.value) for v in self.layer.variables if not v.value.trainable
        ]
        changed = []

        def stateless(inputs, *values):
            given = [
                (v, value if v.trainable else ops.stop_gradient(value))
                for v, value in zip(watched, values, strict=True)
            ]
            with keras.StatelessScope([*given, *states]) as scope:
                outputs = self._own(self.layer(inputs, **options))
            changed.extend(
                (variable, scope.get_current_value(variable))
                for variable, old in states
                if scope.get_current_value(variable) is not old
            )
            return outputs

        values = [ops.convert_to_tensor(v.value) for v in watched]
        outputs = pin(device, stateless, inputs, *values)
        for variable, value in changed:
            variable.assign(value)
        return outputs

    def compute_output_spec(self, inputs, training=None):
        spec = self.layer.compute_output_spec(inputs)
        shape = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, dtype=spec.dtype)

    def compute_output_shape(self, input_shape):
        shape = list(self.layer.compute_output_shape(input_shape))
        if self.crop is not None:
            shape[self._channel_axis(shape)] -= sum(self.crop)
        return tuple(shape)

    def get_config(self):
        return {
            **super().get_config(),
            "layer": self._whole,
            "column": self.column,
            "columns": self.columns,
            "crop": self.crop,
        }

    def _own(self, x):
        if self.crop is None:
            return x
        axis = self._channel_axis(x.shape)
        start, stop = self.crop[0], x.shape[axis] - self.crop[1]
        return x[(slice(None),) * axis + (slice(start, stop),)]

    def _channel_axis(self, shape):
        first = getattr(self.layer, "data_format", None) == "channels_first"
        return 1 if first else len(shape) - 1


def share(layer, column, columns):
    """One column's part of a whole layer, as a new layer of the same name.

    Args:
        layer: A layer, not built.
        column: Integer, from 0.
        columns: Integer.

    Returns:
        A layer, not built.

    Example:

    >>> share(keras.layers.Dense(10), column=1, columns=2).units
    5
    """
    config = layer.get_config()
    if isinstance(layer, GroupedConv2D):
        config["filters"] //= columns
    elif isinstance(layer, keras.layers.Dense):
        config["units"] //= columns
    elif isinstance(layer, keras.layers.Reshape):
        # One column's vector becomes an image of one pixel, or the reverse.
        config["target_shape"] = [
            size // columns if size > 1 else size
            for size in config["target_shape"]
        ]
    elif isinstance(layer, keras.layers.Dropout) and layer.seed is not None:
        # Columns must not drop the same units.
        config["seed"] += column
    if isinstance(layer, (GroupedConv2D, LocalResponseNormalization)):
        config["groups"] = max(layer.groups // columns, 1)
    return layer.from_config(config)


def _without_ids(config):
    """A configuration without numbers that are valid in one file only."""
    if isinstance(config, dict):
        return {
            key: _without_ids(value)
            for key, value in config.items()
            if key != "shared_object_id"
        }
    return config
