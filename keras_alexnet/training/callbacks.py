"""Callbacks: data by epoch, best weights, a guard against divergence, time."""

import math
import os
import time
import warnings

import keras
from keras import ops

from keras_alexnet.disk import replacing
from keras_alexnet.models.network import class_count
from keras_alexnet.training.chief import is_chief


class EpochSeek(keras.callbacks.Callback):
    """Tells the data which epoch begins; `ResumableBackup` does it too.

    Args:
        data: A `TrainingData`, or anything with `seek(epoch)`.

    Example:

    >>> from keras_alexnet.data import TrainingData
    >>> from keras_alexnet.data import load_source
    >>> data = TrainingData(load_source("digits"), input_size=64)
    >>> callbacks = [EpochSeek(data)]
    """

    def __init__(self, data):
        super().__init__()
        self.data = data

    def on_epoch_begin(self, epoch, logs=None):
        self.data.seek(epoch)


class KeepBest(keras.callbacks.Callback):
    """Remembers the weights of the epoch with the lowest validation error.

    Training goes on from the last weights, so a run that is interrupted ends
    as an unbroken one. Call `restore` after it.

    Args:
        path: Path of a `.weights.h5` file that outlives the process, or
            `None`. Defaults to `None`.
        monitor: String. Defaults to `"val_top1_error"`.

    Raises:
        ValueError: After the first epoch, if `monitor` is not measured.

    Example:

    >>> KeepBest(monitor="val_loss").monitor
    'val_loss'
    """

    state_names = ("best",)

    def __init__(self, path=None, monitor="val_top1_error"):
        super().__init__()
        self.path = path
        self.monitor = monitor

    def on_train_begin(self, logs=None):
        self.best = math.inf
        self._weights = None

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor not in (logs or {}):
            raise ValueError(
                f"`monitor` must be measured in each epoch. Received: "
                f"monitor={self.monitor!r}, measured: {sorted(logs or {})}"
            )
        value = logs[self.monitor]
        if not value < self.best:
            return
        self.best = value
        self._weights = self.model.get_weights()
        if self.path is None or not is_chief(self.model):
            return
        try:
            with replacing(self.path) as temporary:
                self.model.save_weights(temporary)
        # HDF5 reports a full disk as either.
        except (OSError, RuntimeError) as error:
            warnings.warn(
                f"The best weights could not be saved as {self.path} "
                f"({error}). They are kept in memory, and training goes on.",
                stacklevel=2,
            )

    def restore(self):
        """Gives the model the best weights, if an epoch has ended."""
        if self._weights is not None:
            self.model.set_weights(self._weights)
        elif self.path is not None and os.path.exists(self.path):
            self.model.load_weights(self.path)


class HistoryFile(keras.callbacks.CSVLogger):
    """Writes a line per epoch to a CSV file; a full disk ends no training.

    What could not be written is tried again with the next epoch's line.

    Args:
        path: Path of the file. Lines are added to one that exists.

    Example:

    >>> HistoryFile("history.csv").append
    True
    """

    def __init__(self, path):
        super().__init__(path, append=True)

    def on_epoch_end(self, epoch, logs=None):
        try:
            super().on_epoch_end(epoch, logs)
        except OSError as error:
            self._warn(error)

    def on_train_end(self, logs=None):
        try:
            super().on_train_end(logs)
        except OSError as error:
            self._warn(error)
            self.writer = None

    def _warn(self, error):
        warnings.warn(
            f"{self.filename} lacks what was to be written ({error}). "
            "Training goes on.",
            stacklevel=2,
        )


class DivergenceGuard(keras.callbacks.Callback):
    """Explains a loss that is NaN, or that does not leave `ln(classes)`.

    Args:
        action: `"stop"`, to end the training where the loss is not finite, or
            `"warn"`. Where it stands, it is only warned: the paper's network
            stands there for a while too.
        patience: Integer, epochs for which it stands. Defaults to `3`.
        tolerance: Float, how near to `ln(classes)`. Defaults to `0.01`.

    Attributes:
        message: String, what was found last, or `None`.

    Raises:
        ValueError: If `action` is neither.

    Example:

    >>> DivergenceGuard(action="warn").message is None
    True
    """

    state_names = ("standing",)

    def __init__(self, action="stop", patience=3, tolerance=0.01):
        super().__init__()
        if action not in ("stop", "warn"):
            raise ValueError(
                '`action` must be "stop" or "warn". '
                f"Received: action={action!r}"
            )
        self.action = action
        self.patience = patience
        self.tolerance = tolerance
        self.message = None

    def on_train_begin(self, logs=None):
        self.message = None
        self.standing = 0
        self._diverged = False

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss", 0.0)
        if self._diverged or math.isfinite(loss):
            return
        self._diverged = True
        rate = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self._say(
            f"The loss is {loss} at step {batch} of epoch {self._epoch}. "
            f"Probable causes: a learning rate that is too high (it is "
            f"{rate:g}; try a tenth), or He initialization on pixels of 0-255 "
            "(divide them by their standard deviation, about 58, as "
            "`SMALL_DATA_RECIPE.prepare(architecture)` does)."
        )
        if self.action == "stop":
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        loss = (logs or {}).get("loss", 0.0)
        chance = math.log(class_count(self.model)) * self._summed_weights()
        stands = abs(loss - chance) < self.tolerance
        self.standing = self.standing + 1 if stands else 0
        if self.standing != self.patience:
            return
        self._say(
            f"For {self.patience} epochs the loss has stood at {loss:.3f}, "
            f"about ln(classes) = {chance:.3f}: nothing is learned. Probable "
            "causes: pixels in 0-1 with initial weights of standard deviation "
            "0.01, whose signal fades from layer to layer (give centered "
            "pixels of 0-255); biases of 1 with few images (use the recipe "
            '"small_data"); a learning rate that is too high or too low.'
        )

    def _summed_weights(self):
        """The factors of the losses of all outputs, summed."""
        auxiliary = len(self.model.outputs) - 1
        if not auxiliary:
            return 1.0
        return 1.0 + auxiliary * self.model.architecture.auxiliary_weight

    def _say(self, message):
        self.message = message
        warnings.warn(message, stacklevel=2)


class StopBelow(keras.callbacks.Callback):
    """Ends the training after the first epoch with a value below a limit.

    Args:
        monitor: String, an error or a loss.
        value: Float.

    Raises:
        ValueError: If `monitor` is not among the logs.

    Example:

    >>> callbacks = [StopBelow("top1_error", 0.25)]
    """

    def __init__(self, monitor, value):
        super().__init__()
        self.monitor = monitor
        self.value = value

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor not in logs:
            raise ValueError(
                f"`monitor` must be one of {sorted(logs)}. "
                f"Received: monitor={self.monitor!r}"
            )
        if logs[self.monitor] <= self.value:
            self.model.stop_training = True


class Stopwatch(keras.callbacks.Callback):
    """Adds up how long a training takes, in all its processes.

    Validation is included. What is begun again after a resumption counts
    once: `ResumableBackup` keeps the time with the weights.

    Attributes:
        seconds: Float.

    Example:

    >>> Stopwatch().seconds
    0.0
    """

    state_names = ("seconds",)

    def __init__(self):
        super().__init__()
        self.seconds = 0.0

    def on_train_begin(self, logs=None):
        self.seconds = 0.0
        self._seen = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        # A backup may follow.
        self._look()

    def on_epoch_end(self, epoch, logs=None):
        self._look()

    def _look(self):
        now = time.monotonic()
        self.seconds += now - self._seen
        self._seen = now
