"""A check that all workers of a training are at one point of it."""

import keras
import tensorflow as tf


class WorkersAgree(keras.callbacks.Callback):
    """Stops a training whose workers have resumed from different steps.

    After `ResumableBackup` in the list of callbacks. Where its directory is
    not shared by all machines only the chief finds its backup; the others
    would begin at the beginning, and all wait for each other at the end.

    Raises:
        ValueError: At the beginning of training, if the number of steps that
            the optimizer has made is not the same everywhere.

    Example:

    >>> callbacks = [WorkersAgree()]
    """

    def on_train_begin(self, logs=None):
        iterations = int(self.model.optimizer.iterations.numpy())
        strategy = self.model.distribute_strategy
        found = strategy.gather(tf.constant([iterations]), axis=0).numpy()
        if len(set(found.tolist())) > 1:
            raise ValueError(
                "The workers must resume from the same step. Give "
                "`ResumableBackup` a directory that all machines share, and "
                "start them together. Received: "
                f"optimizer.iterations={found.tolist()}"
            )
