"""Pipelines of fixed parallelism, which `fit` need not wait for."""

import os

import tensorflow as tf


def without_autotuning(dataset):
    """A dataset whose iterators can be deleted at once.

    TensorFlow tunes parallelism and buffers while a dataset is iterated over,
    in a thread that sleeps between its measurements, longer and longer, up to
    a minute. Deleting the iterator, which `fit` does after each epoch, waits
    until that thread wakes up: in TensorFlow 2.21 up to 29 seconds. Without
    autotuning there is no such thread; `tf.data.AUTOTUNE` then stands for as
    many parallel calls as there are processors, 16 at most.

    Args:
        dataset: A `tf.data.Dataset`.

    Returns:
        A `tf.data.Dataset`; the same one if its options say whether it is to
        be tuned.

    Example:

    >>> dataset = without_autotuning(tf.data.Dataset.range(3))
    >>> dataset.options().autotune.enabled
    False
    """
    if dataset.options().autotune.enabled is not None:
        return dataset
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def parallel_calls():
    """How many elements a pipeline of images computes at a time.

    Returns:
        Integer: the processors that this process may use, at least 2.

    Example:

    >>> parallel_calls() >= 2
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return max(len(os.sched_getaffinity(0)), 2)
    return max(os.cpu_count() or 2, 2)
