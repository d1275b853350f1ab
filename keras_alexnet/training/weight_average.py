"""The mean of a network's weights over the end of a training."""

import os

import keras
import numpy as np
from keras import ops

from keras_alexnet.disk import replacing
from keras_alexnet.fields import check_shares
from keras_alexnet.training.chief import is_chief


class WeightAverage(keras.callbacks.Callback):
    """Averages the weights after each of the last epochs.

    ```
    mean <- mean + (weights - mean) / n,  n = 1, 2, …
    ```

    This is Polyak averaging, by which GoogLeNet's final weights were made.
    Convention: `use_ema=True` of Keras's optimizers forgets old weights
    exponentially; this weighs all epochs from `start` on alike. The paper does
    not say how often it averaged. Training itself goes on from the weights,
    not from their mean. Call `restore` after it.

    Args:
        start: Float in [0, 1). The share of the epochs after which averaging
            begins. Defaults to `0.5`.
        path: Path of an `.npz` file that outlives the process, or `None`.
            Defaults to `None`.

    Raises:
        ValueError: If `start` is out of its range.

    Example:

    >>> WeightAverage(start=0.8).start
    0.8

    Reference: Polyak and Juditsky, 1992; [Szegedy et al., 2015](
    https://arxiv.org/abs/1409.4842), section 6.
    """

    def __init__(self, start=0.5, path=None):
        super().__init__()
        self.start = start
        check_shares(self, "start")
        self.path = path
        self._mean = None

    def on_train_begin(self, logs=None):
        self._mean, self._count, self._last = None, 0, -1
        if self.path is None or not os.path.exists(self.path):
            return
        with np.load(self.path) as arrays:
            found = dict(arrays)
        # The second half of more epochs begins later.
        if found.pop("epochs", None) != self.params["epochs"]:
            return
        self._count, self._last = found.pop("count"), found.pop("last")
        self._mean = [found[str(i)] for i in range(len(found))]

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 0:
            # What was read is another training's.
            self._mean, self._count, self._last = None, 0, -1

    def on_epoch_end(self, epoch, logs=None):
        # What is repeated after an interruption was counted already.
        if epoch + 1 <= self.start * self.params["epochs"]:
            return
        if epoch <= self._last:
            return
        weights = [ops.convert_to_numpy(w) for w in self.model.weights]
        if self._mean is None:
            self._mean = [np.array(w, "float64") for w in weights]
        self._count, self._last = self._count + 1, epoch
        for mean, weight in zip(self._mean, weights, strict=True):
            mean += (weight - mean) / self._count
        if self.path is not None and is_chief(self.model):
            self._save()

    def restore(self):
        """Gives the model the mean, if an epoch was averaged."""
        if self._mean is None:
            return
        for weight, mean in zip(self.model.weights, self._mean, strict=True):
            # Seeds of dropout and other integers stay as they are.
            if "float" in keras.backend.standardize_dtype(weight.dtype):
                weight.assign(mean)

    def _save(self):
        arrays = {str(i): mean for i, mean in enumerate(self._mean)}
        with replacing(self.path) as temporary:
            with open(temporary, "wb") as file:
                np.savez(
                    file,
                    count=self._count,
                    last=self._last,
                    epochs=self.params["epochs"],
                    **arrays,
                )
