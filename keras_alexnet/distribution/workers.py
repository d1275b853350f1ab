"""What concerns one of several workers of a training."""

import pathlib

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


def worker_folder(strategy, folder):
    """Where this process writes what every worker has.

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
