"""Helpers for a training with several workers."""

import pathlib

import keras
import numpy as np
import tensorflow as tf


class WorkersAgree(keras.callbacks.Callback):
    """Stops a training whose workers have resumed from different steps.

    `train` and `fit` have it. Elsewhere, put it after `ResumableBackup` in the
    list of callbacks. If not all machines share the directory of the backups,
    only the chief finds one. The others would start from the beginning, and in
    the end all would wait for each other.

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


def place_among_workers(strategy):
    """How many processes share a strategy, and which of them this one is.

    Args:
        strategy: A `tf.distribute.Strategy`, or `None`.

    Returns:
        Tuple of two integers, the number of workers and the place of this one,
        from 0; the chief is the first.

    Example:

    >>> place_among_workers(tf.distribute.get_strategy())
    (1, 0)
    """
    resolver = getattr(strategy, "cluster_resolver", None)
    if resolver is None:
        return 1, 0
    jobs = resolver.cluster_spec().as_dict()
    tasks = [
        (job, number)
        for job in ("chief", "worker")
        for number in range(len(jobs.get(job, ())))
    ]
    if len(tasks) < 2:
        return 1, 0
    return len(tasks), tasks.index((resolver.task_type, resolver.task_id))


def gather_rows(strategy, rows):
    """The rows that all workers give, sorted by their first element.

    All workers must call it, or those that do wait for the others.

    Args:
        strategy: A `tf.distribute.Strategy`.
        rows: Integer array of shape `(n, m)`, with an `n` of this worker, 1 or
            more. Of rows with the same first element one is kept.

    Returns:
        int64 array of shape `(all, m)`.

    Example:

    >>> gather_rows(tf.distribute.get_strategy(), [[7, 1], [3, 0]]).tolist()
    [[3, 0], [7, 1]]
    """
    rows = tf.constant(np.asarray(rows, "int64"))
    found = strategy.gather(rows, axis=0).numpy()
    _, first = np.unique(found[:, 0], return_index=True)
    return found[first]


def wait_for_workers(strategy):
    """Returns when all workers have called it.

    Args:
        strategy: A `tf.distribute.Strategy`.

    Example:

    >>> wait_for_workers(tf.distribute.get_strategy())
    """
    if place_among_workers(strategy)[0] > 1:
        strategy.gather(tf.constant([0]), axis=0)
