"""Helpers for a training with several workers."""

import pathlib

import keras
import tensorflow as tf


class WorkersAgree(keras.callbacks.Callback):
    """Stops a training whose workers have resumed from different steps.

    `train` and `fit` have it. Elsewhere, put it after `ResumableBackup` in the
    list of callbacks. If not all machines
    share the directory of the backups, only the chief finds one. The others
    would start from the beginning, and in the end all would wait for each
    other.

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
                "The workers must resume from the same step. Give the "
                "backups a directory that all machines share, and start the "
                "workers together. Received: "
                f"optimizer.iterations={found.tolist()}"
            )


def worker_folder(strategy, folder):
    """The folder for what every worker writes, such as pictures.

    Args:
        strategy: A `tf.distribute.Strategy`.
        folder: Path.

    Returns:
        `pathlib.Path`: the folder itself for the first or only worker, and
        `worker1` and so on in it, which is made, for the others.

    Example:

    >>> worker_folder(tf.distribute.get_strategy(), "runs").name
    'runs'
    """
    folder = pathlib.Path(folder)
    if strategy.extended.should_checkpoint:
        return folder
    folder /= f"worker{strategy.cluster_resolver.task_id}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
