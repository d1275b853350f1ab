"""What a training script needs to run under any strategy."""

import pathlib

import keras
import tensorflow as tf

from keras_alexnet.distribution.column_parallel import ColumnParallelStrategy
from keras_alexnet.distribution.column_state import transfer
from keras_alexnet.distribution.conversion import has_columns
from keras_alexnet.distribution.conversion import to_grouped
from keras_alexnet.distribution.mirrored import Mirrored
from keras_alexnet.distribution.mirrored_columns import MirroredColumns
from keras_alexnet.distribution.multi_worker import MultiWorkerColumns
from keras_alexnet.distribution.multi_worker import MultiWorkerMirrored

# Each with the number of devices of a machine without GPUs: how many parts
# of the CPU stand in for them.
STRATEGIES = {
    "none": (tf.distribute.get_strategy, 1),
    "columns": (ColumnParallelStrategy, 2),
    "mirrored": (Mirrored, 2),
    "mirrored_columns": (MirroredColumns, 4),
    "multiworker": (MultiWorkerMirrored, 1),
    "multiworker_columns": (MultiWorkerColumns, 2),
}


def strategy_from_name(name):
    """The strategy of a name, over all devices of the machine.

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


def on_one_device(model):
    """The trained network as an ordinary model, for saving and evaluation.

    Args:
        model: A `keras.Model` of any strategy.

    Returns:
        A grouped model on the first device, with the state of the optimizer;
        `model` itself if it was built without a strategy.

    Example:

    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> on_one_device(model) is model
    True
    """
    if has_columns(model):
        return to_grouped(model)
    if not _has_strategy(model):
        return model
    copy = keras.models.clone_model(model)
    transfer(model.weights, copy.weights)
    if model.compiled:
        copy.compile_from_config(model.get_compile_config())
    if model.compiled and model.optimizer.built:
        # Built twice, a `LossScaleOptimizer` has its variables twice.
        if not copy.optimizer.built:
            copy.optimizer.build(copy.trainable_variables)
        transfer(model.optimizer.variables, copy.optimizer.variables)
    return copy


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


def share_equally(dataset, strategy):
    """Batches that all replicas can share, for validation.

    In a last batch whose size is not divisible by their number the last
    example is repeated, so it counts a few times. Exact errors come from
    `on_one_device`.

    Args:
        dataset: A batched `tf.data.Dataset`.
        strategy: A `tf.distribute.Strategy`.

    Returns:
        A `tf.data.Dataset`; the same one for a single replica.

    Example:

    >>> dataset = tf.data.Dataset.range(5).batch(3)
    >>> same = share_equally(dataset, tf.distribute.get_strategy())
    >>> [len(batch) for batch in same]
    [3, 2]
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return dataset

    def fill(part):
        rest = -tf.shape(part)[0] % replicas
        return tf.concat([part, tf.repeat(part[-1:], rest, axis=0)], axis=0)

    return dataset.map(lambda *batch: tf.nest.map_structure(fill, batch))


def _has_strategy(model):
    return model.distribute_strategy is not tf.distribute.get_strategy()


def _divide_cpu(parts):
    (cpu,) = tf.config.list_physical_devices("CPU")
    if tf.config.get_logical_device_configuration(cpu) is None:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * parts
        )
