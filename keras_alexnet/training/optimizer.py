"""The 2012 update rule."""

import keras
from keras import ops

# src/layer.cu:565: biases are made with wc=0, so they do not decay. Batch
# normalization came later; its scale is left alone in the same way.
BIASES = ("bias", "beta")
UNDECAYED = BIASES + ("gamma",)


def _path(variable):
    """`conv1/kernel`, also of a `tf.Variable`."""
    return getattr(variable, "path", variable.name).split(":")[0]


@keras.saving.register_keras_serializable("keras_alexnet")
class AlexNetSGD(keras.optimizers.Optimizer):
    """Gradient descent with momentum, as the paper and its code have it.

    ```
    v <- momentum * v - weight_decay * rate * w - rate * gradient
    w <- w + v
    rate = learning_rate * multiplier of the layer * (bias_multiplier if bias)
    ```

    Convention: the decay is inside the velocity and scaled by the rate. Keras
    `SGD(weight_decay=...)` decays outside of it, about ten times weaker at a
    momentum of 0.9. `bias` and `beta` variables take the bias's rate; they and
    `gamma` do not decay. Where the rate is 0 nothing is done: neither `w` nor
    `v` moves.

    Args:
        learning_rate: Float, schedule or callable. Defaults to `0.01`.
        momentum: Float in `[0, 1)`. Defaults to `0.9`.
        weight_decay: Float. Defaults to `5e-4`.
        bias_multiplier: Float, of the rate of biases. Defaults to `2.0`.
        multipliers: Dict of layer name or path to the float by which the rate
            of its weights and biases is multiplied; `0` freezes it. The
            longest of several that fit a layer counts. Defaults to `None`,
            1 everywhere.
        **kwargs: `clipnorm`, `global_clipnorm`, `use_ema`,
            `gradient_accumulation_steps`, `name` and other arguments of
            `keras.optimizers.Optimizer`.

    Raises:
        ValueError: If an argument is out of its range, or `multipliers` names
            a layer that has no weights.

    Example:

    >>> model = keras.Sequential([keras.layers.Dense(1, name="fc8")])
    >>> optimizer = AlexNetSGD(multipliers={"fc8": 10.0})
    >>> model.compile(optimizer, "mse")
    >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), verbose=0)
    >>> optimizer.set_multiplier("fc8", 0.0)
    >>> optimizer.multipliers
    {'fc8': 0.0}

    Reference: [Krizhevsky et al., 2012](https://papers.nips.cc/paper/4824),
    section 5; cuda-convnet `src/weights.cu`.
    """

    def __init__(
        self,
        learning_rate=0.01,
        momentum=0.9,
        weight_decay=5e-4,
        bias_multiplier=2.0,
        multipliers=None,
        **kwargs,
    ):
        if not 0 <= momentum < 1:
            raise ValueError(
                "`momentum` must be at least 0 and less than 1. "
                f"Received: momentum={momentum}"
            )
        given = {"weight_decay": weight_decay}
        given["bias_multiplier"] = bias_multiplier
        given.update(multipliers or {})
        for name, value in given.items():
            _check_not_negative(name, value)
        super().__init__(
            learning_rate=learning_rate, weight_decay=weight_decay, **kwargs
        )
        self.momentum = momentum
        self._given_multipliers = dict(multipliers or {})
        self._layer_multipliers = {}
        self._bias_multiplier = self._add_scalar(
            bias_multiplier, "bias_multiplier"
        )

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum")
        paths = [_path(variable) for variable in variables]
        layers = [path.rpartition("/")[0] or path for path in paths]
        unknown = [
            name
            for name in self._given_multipliers
            if not any(_fits(name, layer) for layer in layers)
        ]
        if unknown:
            raise ValueError(_no_such_layer(unknown[0], layers))
        for layer in dict.fromkeys(layers):
            fitting = [
                name for name in self._given_multipliers if _fits(name, layer)
            ]
            value = 1.0
            if fitting:
                value = self._given_multipliers[max(fitting, key=len)]
            self._layer_multipliers[layer] = self._add_scalar(
                value, f"{layer.replace('/', '_')}_multiplier"
            )
        names = [path.rpartition("/")[2] for path in paths]
        self._rules = [
            (
                self._layer_multipliers[layer],
                name in BIASES,
                name not in UNDECAYED and self._use_weight_decay(variable),
            )
            for layer, name, variable in zip(
                layers, names, variables, strict=True
            )
        ]

    @property
    def bias_multiplier(self):
        """What the rate of biases is multiplied by; can be assigned."""
        return float(ops.convert_to_numpy(self._bias_multiplier))

    @bias_multiplier.setter
    def bias_multiplier(self, value):
        _check_not_negative("bias_multiplier", value)
        self._bias_multiplier.assign(value)

    @property
    def multipliers(self):
        """Dict of layer to the factor of its rate; as given until built."""
        if not self._layer_multipliers:
            return dict(self._given_multipliers)
        return {
            layer: float(ops.convert_to_numpy(variable))
            for layer, variable in self._layer_multipliers.items()
        }

    def set_multiplier(self, layer, value):
        """Changes the rate of a layer, also between the steps of training.

        Args:
            layer: String, name or path of a layer or of a model of layers.
            value: Float, the factor; `0` freezes.

        Raises:
            ValueError: If there is no such layer with weights to train.
        """
        _check_not_negative(layer, value)
        found = [path for path in self._layer_multipliers if _fits(layer, path)]
        if not found:
            raise ValueError(_no_such_layer(layer, self._layer_multipliers))
        for path in found:
            self._layer_multipliers[path].assign(value)

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        multiplier, is_bias, decays = self._rules[index]
        rate = ops.cast(learning_rate, variable.dtype)
        rate = rate * ops.cast(multiplier, variable.dtype)
        if is_bias:
            rate = rate * ops.cast(self._bias_multiplier, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        decay = self.weight_decay if decays else 0.0
        velocity = self.momentums[index]
        if keras.backend.backend() == "tensorflow" and self.momentum:
            self._update_in_place(variable, velocity, gradient, rate, decay)
        else:
            self._update(variable, velocity, gradient, rate, decay)

    def _update(self, variable, velocity, gradient, rate, decay):
        moves = rate > 0
        w = ops.convert_to_tensor(variable)
        v = ops.convert_to_tensor(velocity)
        new = self.momentum * v - rate * (gradient + decay * w)
        self.assign(velocity, ops.where(moves, new, v))
        self.assign(variable, ops.where(moves, w + new, w))

    def _update_in_place(self, variable, velocity, gradient, rate, decay):
        """The same in five times less time: no array is allocated.

        The decay is taken from the velocity first, divided by the momentum
        that it is about to be multiplied by.
        """
        import tensorflow as tf

        if isinstance(variable, keras.Variable):
            variable = variable.value

        def step():
            if decay:
                tf.raw_ops.ResourceApplyGradientDescent(
                    var=velocity.value.handle,
                    alpha=rate * (decay / self.momentum),
                    delta=tf.convert_to_tensor(variable),
                )
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=variable.handle,
                accum=velocity.value.handle,
                lr=rate,
                grad=tf.convert_to_tensor(gradient),
                momentum=tf.cast(self.momentum, variable.dtype),
            )
            return True

        tf.cond(rate > 0, step, lambda: False)

    def _apply_weight_decay(self, variables):
        """Leaves out the base class's decay: `update_step` does it."""

    def get_config(self):
        changed = {k: v for k, v in self.multipliers.items() if v != 1}
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "bias_multiplier": self.bias_multiplier,
            "multipliers": changed or None,
        }

    def _add_scalar(self, value, name):
        return self.add_variable(
            shape=(),
            initializer=keras.initializers.Constant(value),
            aggregation="only_first_replica",
            name=name,
        )


def _fits(name, path):
    """Whether a layer's name or path, or part of it, means this layer."""
    return f"/{name}/" in f"/{path}/"


def _no_such_layer(name, layers):
    return (
        "`multipliers` must name layers with weights to train, among "
        f"{list(dict.fromkeys(layers))}. Received: {name!r}"
    )


def _check_not_negative(name, value):
    if value < 0:
        raise ValueError(
            f"`{name}` must not be negative. Received: {name}={value}"
        )
