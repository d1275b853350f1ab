"""Stops a training that does worse than half of those before it."""

import keras
import numpy as np


class MedianStop(keras.callbacks.Callback):
    """Stops a training whose error is above the median of other trainings.

    ```
    stop after epoch e if  min(error_1 … error_e) >
                           median over the others of mean(error_1 … error_e)
    ```

    Args:
        curves: List of sequences of floats: the errors after each epoch of
            other trainings of as many epochs.
        monitor: String. Defaults to `"val_top1_error"`.
        grace: Integer, epochs after which the first stop is possible. Defaults
            to `1`.
        least: Integer, the number of curves without which nothing is stopped.
            Defaults to `3`.

    Attributes:
        hopeless: Boolean, whether it stopped the training.

    Example:

    >>> MedianStop([[0.9, 0.5], [0.8, 0.4], [0.9, 0.6]]).hopeless
    False

    Reference: [Golovin et al., 2017](
    https://dl.acm.org/doi/10.1145/3097983.3098043), section 3.2.2.
    """

    state_names = ("best", "hopeless")

    def __init__(self, curves, monitor="val_top1_error", grace=1, least=3):
        super().__init__()
        self.curves = curves
        self.monitor = monitor
        self.grace = grace
        self.least = least
        self.hopeless = False

    def on_train_begin(self, logs=None):
        self.best = np.inf
        self.hopeless = False

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor not in logs:
            raise ValueError(
                f"`monitor` must be one of {sorted(logs)}; a validation "
                'error needs a source with a split "holdout". Received: '
                f"monitor={self.monitor!r}"
            )
        done = epoch + 1
        self.best = min(self.best, logs[self.monitor])
        others = [np.mean(c[:done]) for c in self.curves if len(c) >= done]
        if done < self.grace or len(others) < self.least:
            return
        if done < self.params["epochs"] and self.best > np.median(others):
            self.hopeless = True
            self.model.stop_training = True
