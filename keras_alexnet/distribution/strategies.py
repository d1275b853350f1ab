"""Strategies by name, for scripts that run under any of them."""

import tensorflow as tf

from keras_alexnet.distribution.cluster import cluster_resolver
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
OF_WORKERS = ("multiworker", "multiworker_columns")


def strategy_from_name(name, cluster="none", port=None):
    """Makes the strategy that a name stands for, over all devices.

    Call it before any other TensorFlow operation. Where there is no GPU, the
    CPU is divided into two logical devices, or four for `"mirrored_columns"`.

    Args:
        name: `"none"`, `"columns"`, `"mirrored"`, `"mirrored_columns"`,
            `"multiworker"` or `"multiworker_columns"`.
        cluster, port: How the workers of the last two find each other, see
            `cluster_resolver`. Defaults to `"none"`: those of `TF_CONFIG`,
            if it is set.

    Returns:
        A `tf.distribute.Strategy`; TensorFlow's default one for `"none"`.

    Raises:
        ValueError: If the name is none of these, if a strategy of one machine
            is given a cluster, or what describes the cluster is wrong.
        RuntimeError: If the CPU is to be divided and TensorFlow is at work.

    Example:

    >>> strategy_from_name("columns").column_device(1) != ""
    True
    """
    if name not in STRATEGIES:
        raise ValueError(
            f"`name` must be one of {', '.join(STRATEGIES)}. Received: {name!r}"
        )
    make, parts = STRATEGIES[name]
    resolver = None
    if name in OF_WORKERS:
        # Before TensorFlow is asked for GPUs, of which Slurm's tasks may have
        # to see a part only.
        resolver = cluster_resolver(cluster, port)
    elif cluster != "none":
        raise ValueError(
            f"`cluster` is of the strategies {' and '.join(OF_WORKERS)}. "
            f"Received: cluster={cluster!r}, name={name!r}"
        )
    if parts > 1 and not tf.config.list_physical_devices("GPU"):
        _divide_cpu(name, parts)
    return make(cluster_resolver=resolver) if resolver else make()


def _divide_cpu(name, parts):
    (cpu,) = tf.config.list_physical_devices("CPU")
    if tf.config.get_logical_device_configuration(cpu) is not None:
        return
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * parts
        )
    except RuntimeError as error:
        raise RuntimeError(
            "There is no GPU, and TensorFlow has begun to use the CPU, so it "
            f"cannot be divided any more. Call `strategy_from_name({name!r})` "
            "first, before images are opened and networks built, and give "
            "what it returns as the strategy."
        ) from error
