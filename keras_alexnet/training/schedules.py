"""Callbacks by which the learning rate falls."""

import math

import keras

from keras_alexnet.training.optimizer import AlexNetSGD

# Net #145 on ILSVRC-2012, from the comments of layers/layer-params-145.cfg:
# epoch, learning rate as a share of the first, multiplier of conv1's, whether
# there is color noise. "Killed" at epoch 91.
AS_RUN = (
    (0, 1.0, 1.0, True),
    (25, 0.1, 1.0, True),
    (51, 0.01, 1.0, True),
    (67, 0.01, 0.1, False),
    (72, 0.01, 0.0, False),
    (79, 0.001, 0.0, False),
)
AS_RUN_EPOCHS = 91


def cosine_schedule(learning_rate, epochs, warmup_epochs=0.0):
    """Callback: the learning rate falls to 0 along half a cosine.

    Args:
        learning_rate: Float, of the first epoch after the warm-up.
        epochs: Integer, the warm-up included.
        warmup_epochs: Float, epochs in which the rate rises linearly; epoch
            0 has `1 / (1 + warmup_epochs)` of it. Defaults to `0`.

    Returns:
        A `keras.callbacks.LearningRateScheduler`.

    Example:

    >>> cosine_schedule(0.01, epochs=40).schedule(20)
    0.005

    Reference: [Loshchilov and Hutter, 2017](https://arxiv.org/abs/1608.03983).
    """

    def rate(epoch, _=None):
        rise = min(1.0, (1 + epoch) / (1 + warmup_epochs))
        rest = max(epochs - warmup_epochs, 1)
        turn = math.pi * max(epoch - warmup_epochs, 0) / rest
        return learning_rate * rise * (1 + math.cos(turn)) / 2

    return keras.callbacks.LearningRateScheduler(rate)


class DivideOnPlateau(keras.callbacks.Callback):
    """Divides the learning rate when the validation error stops improving.

    After `times` divisions the next plateau ends the training.

    Args:
        monitor: String, an error or a loss. Defaults to `"val_top1_error"`.
        factor: Float, the divisor. Defaults to `10`.
        times: Integer, divisions. Defaults to `3`.
        patience: Integer, epochs without improvement. Defaults to `5`.
        min_delta: Float, what is too small to be an improvement. Defaults to
            `0`.
        stop: Boolean. Whether the plateau after the last division ends the
            training. Defaults to `True`.

    Raises:
        ValueError: If an argument is out of its range, or `monitor` is not
            among the logs.

    Example:

    >>> schedule = DivideOnPlateau(patience=10)

    Reference: [Krizhevsky et al., 2012](https://papers.nips.cc/paper/4824),
    section 5.
    """

    state_names = ("best", "wait", "divided")

    def __init__(
        self,
        monitor="val_top1_error",
        factor=10,
        times=3,
        patience=5,
        min_delta=0.0,
        stop=True,
    ):
        super().__init__()
        if factor <= 1:
            raise ValueError(
                f"`factor` must be more than 1. Received: factor={factor}"
            )
        if patience < 1:
            raise ValueError(
                f"`patience` must be 1 or more. Received: patience={patience}"
            )
        self.monitor = monitor
        self.factor = factor
        self.times = times
        self.patience = patience
        self.min_delta = min_delta
        self.stop = stop

    def on_train_begin(self, logs=None):
        self.best = math.inf
        self.wait = 0
        self.divided = 0

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor not in logs:
            raise ValueError(
                f"`monitor` must be one of {sorted(logs)}; a validation "
                "error needs `validation_data`. Received: "
                f"monitor={self.monitor!r}"
            )
        optimizer = self.model.optimizer
        logs["learning_rate"] = _rate(optimizer)
        # NaN is no improvement.
        if logs[self.monitor] < self.best - self.min_delta:
            self.best = logs[self.monitor]
            self.wait = 0
            return
        self.wait += 1
        if self.wait < self.patience:
            return
        self.wait = 0
        if self.divided < self.times:
            self.divided += 1
            optimizer.learning_rate = _rate(optimizer) / self.factor
        elif self.stop:
            self.model.stop_training = True


class AsRunSchedule(keras.callbacks.Callback):
    """The learning rates of 2012, which their author set by hand.

    | from epoch (of 91) | rate | of conv1 | color noise |
    |---|---|---|---|
    | 0 | 0.01 | 0.01 | 0.1 |
    | 25 | 0.001 | 0.001 | 0.1 |
    | 51 | 0.0001 | 0.0001 | 0.1 |
    | 67 | 0.0001 | 0.00001 | 0 |
    | 72 | 0.0001 | 0 | 0 |
    | 79 | 0.00001 | 0 | 0 |

    The rate of the biases, twice the first, was never lowered.

    Args:
        learning_rate: Float, the first. Defaults to `0.01`.
        bias_multiplier: Float, of the biases' first rate. Defaults to `2`.
        color_sigma: Float, the noise while there is some. Defaults to `0.1`.
        epochs: Integer, to which the table is scaled. Defaults to `91`.
        data: A `TrainingData` whose `color_sigma` is set, or `None`.
        first_layer: String. Defaults to `"conv1"`.
        hold_bias_rate: Boolean. Whether the biases keep their first rate.
            Defaults to `True`.

    Raises:
        TypeError: If the model's optimizer is no `AlexNetSGD`.

    Example:

    >>> schedule = AsRunSchedule(epochs=30)
    >>> [schedule.phase(epoch)[0] for epoch in (0, 8, 9, 29)]
    [1.0, 1.0, 0.1, 0.001]

    Reference: cuda-convnet `layers/layer-params-145.cfg`, comments.
    """

    def __init__(
        self,
        learning_rate=0.01,
        bias_multiplier=2.0,
        color_sigma=0.1,
        epochs=AS_RUN_EPOCHS,
        data=None,
        first_layer="conv1",
        hold_bias_rate=True,
    ):
        super().__init__()
        self.learning_rate = learning_rate
        self.bias_multiplier = bias_multiplier
        self.color_sigma = color_sigma
        self.epochs = epochs
        self.data = data
        self.first_layer = first_layer
        self.hold_bias_rate = hold_bias_rate

    def phase(self, epoch):
        """The row of the table that holds in an epoch.

        Args:
            epoch: Integer.

        Returns:
            Triple of the learning rate's share of the first one, the
            multiplier of the first layer, and whether there is color noise.
        """
        position = epoch * AS_RUN_EPOCHS / self.epochs
        return [row[1:] for row in AS_RUN if row[0] <= position][-1]

    def on_epoch_begin(self, epoch, logs=None):
        optimizer = _alexnet_sgd(self)
        share, first_layer, noise = self.phase(epoch)
        optimizer.learning_rate = self.learning_rate * share
        if not self._is_frozen():
            optimizer.set_multiplier(self.first_layer, first_layer)
        if self.hold_bias_rate:
            optimizer.bias_multiplier = self.bias_multiplier / share
        if self.data is not None:
            self.data.color_sigma.assign(self.color_sigma if noise else 0.0)

    def on_epoch_end(self, epoch, logs=None):
        logs["learning_rate"] = _rate(self.model.optimizer)

    def _is_frozen(self):
        return any(
            layer.name.split("_column")[0] == self.first_layer
            and not layer.trainable
            for layer in self.model.layers
        )


class StepSchedule(keras.callbacks.Callback):
    """Divides the learning rate of the weights before given epochs.

    The author of the CIFAR nets lowered the rate of the weights alone (`epsW`
    and not `epsB`): the biases keep theirs.

    Args:
        learning_rate: Float, the first.
        epochs: Sequence of integers; the rate is divided before each.
        factor: Float, the divisor. Defaults to `10`.
        bias_multiplier: Float, of the biases' rate. Defaults to `2`.

    Raises:
        ValueError: If `factor` is not more than 1.
        TypeError: If the model's optimizer is no `AlexNetSGD`.

    Example:

    >>> schedule = StepSchedule(0.001, epochs=(140, 150))
    >>> [schedule.share(epoch) for epoch in (139, 140, 150)]
    [1.0, 0.1, 0.01]

    Reference: `docs/Methodology.md` of cuda-convnet.
    """

    def __init__(self, learning_rate, epochs, factor=10, bias_multiplier=2.0):
        super().__init__()
        if factor <= 1:
            raise ValueError(
                f"`factor` must be more than 1. Received: factor={factor}"
            )
        self.learning_rate = learning_rate
        self.epochs = tuple(epochs)
        self.factor = factor
        self.bias_multiplier = bias_multiplier

    def share(self, epoch):
        """The learning rate in an epoch, as a share of the first.

        Args:
            epoch: Integer.

        Returns:
            Float.
        """
        return 1 / self.factor ** sum(epoch >= first for first in self.epochs)

    def on_epoch_begin(self, epoch, logs=None):
        optimizer = _alexnet_sgd(self)
        share = self.share(epoch)
        optimizer.learning_rate = self.learning_rate * share
        optimizer.bias_multiplier = self.bias_multiplier / share

    def on_epoch_end(self, epoch, logs=None):
        logs["learning_rate"] = _rate(self.model.optimizer)


class PolynomialSchedule(keras.callbacks.Callback):
    """Lowers the learning rate with every step, to 0 at the last.

    ```
    rate = learning_rate * (1 - step / steps) ** power
    ```

    The steps are those of all epochs that `fit` is asked for. Caffe calls this
    `lr_policy: "poly"`.

    Args:
        learning_rate: Float, the first.
        power: Float, positive. Defaults to `0.5`.

    Raises:
        ValueError: If `power` is not positive, or the data do not say how
            many steps an epoch has.

    Example:

    >>> schedule = PolynomialSchedule(0.01, power=0.5)
    >>> [round(schedule.rate(step, 100), 4) for step in (0, 75, 100)]
    [0.01, 0.005, 0.0]

    Reference: `models/bvlc_googlenet/quick_solver.prototxt` of Caffe.
    """

    def __init__(self, learning_rate, power=0.5):
        super().__init__()
        if not 0 < power < math.inf:
            raise ValueError(
                f"`power` must be positive. Received: power={power}"
            )
        self.learning_rate = learning_rate
        self.power = power

    def rate(self, step, steps):
        """The learning rate at a step of so many.

        Args:
            step: Integer, 0 at the beginning.
            steps: Integer.

        Returns:
            Float.
        """
        rest = max(0.0, 1.0 - step / steps)
        return self.learning_rate * rest**self.power

    def on_train_begin(self, logs=None):
        if not self.params.get("steps"):
            raise ValueError(
                "`PolynomialSchedule` needs data that know how many batches "
                "they have. Received: a dataset of unknown length"
            )

    def on_train_batch_begin(self, batch, logs=None):
        optimizer = self.model.optimizer
        # The optimizer counts the steps, also across an interruption.
        step = int(keras.ops.convert_to_numpy(optimizer.iterations))
        steps = self.params["steps"] * self.params["epochs"]
        optimizer.learning_rate = self.rate(step, steps)

    def on_epoch_end(self, epoch, logs=None):
        logs["learning_rate"] = _rate(self.model.optimizer)


def _alexnet_sgd(callback):
    """The optimizer of a callback's model, built."""
    optimizer = callback.model.optimizer
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if not isinstance(optimizer, AlexNetSGD):
        raise TypeError(
            f"`{type(callback).__name__}` needs an `AlexNetSGD` as the "
            f"optimizer. Received: {type(optimizer).__name__}"
        )
    if not optimizer.built:
        optimizer.build(callback.model.trainable_variables)
    return optimizer


def _rate(optimizer):
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))
