"""Strategies by name, for scripts that run under any of them."""

import tensorflow as tf

from keras_alexnet.distribution.column_parallel import ColumnParallelStrategy
from keras_alexnet.distribution.mirrored import Mirrored
from keras_alexnet.distribution.mirrored_columns import MirroredColumns
from keras_alexnet.distribution.multi_worker import MultiWorkerColumns
from keras_alexnet.distribution.multi_worker import MultiWorkerMirrored

# Each with the number of logical devices that the CPU is divided into on a
# machine without GPUs.
STRATEGIES = {
    "none": (tf.distribute.get_strategy, 1),
    "columns": (ColumnParallelStrategy, 2),
    "mirrored": (Mirrored, 2),
    "mirrored_columns": (MirroredColumns, 4),
    "multiworker": (MultiWorkerMirrored, 1),
    "multiworker_columns": (MultiWorkerColumns, 2),
}


def strategy_from_name(name):
    """Makes the strategy that a name stands for, over all devices.

    Call it before any other TensorFlow operation. Where there is no GPU, the
    CPU is divided into two logical devices, or four for `"mirrored_columns"`.

    Args:
        name: `"none"`, `"columns"`, `"mirrored"`, `"mirrored_columns"`,
            `"multiworker"` or `"multiworker_columns"`. The last two read
            `TF_CONFIG`.

    Returns:
        A `tf.distribute.Strategy`; TensorFlow's default one for `"none"`.

    Raises:
        ValueError: If the name is none of these.

    Example:

    >>> strategy_from_name("columns").column_device(1) != ""
    True
    """
    if name not in STRATEGIES:
        raise ValueError(
            f"`name` must be one of {', '.join(STRATEGIES)}. Received: {name!r}"
        )
    make, parts = STRATEGIES[name]
    if parts > 1 and not tf.config.list_physical_devices("GPU"):
        _divide_cpu(parts)
    return make()


def _divide_cpu(parts):
    (cpu,) = tf.config.list_physical_devices("CPU")
    if tf.config.get_logical_device_configuration(cpu) is None:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * parts
        )
