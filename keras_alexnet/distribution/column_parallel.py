"""One replica, one device per column."""

import warnings

import keras
import tensorflow as tf

from keras_alexnet.autotuning import without_autotuning
from keras_alexnet.distribution.scopes import ClearScope
from keras_alexnet.distribution.scopes import undivided
from keras_alexnet.distribution.unplaced_ops import place_with_data


class ColumnParallelStrategy(ClearScope, tf.distribute.Strategy):
    """Puts each column of AlexNet on a device of its own.

    Under its `scope()`, `AlexNet` builds one branch per column. A column's
    variables and optimizer slots, its forward and its backward ops are on the
    column's device; the columns meet where the architecture says so. What
    belongs to no column (the input, `fc8`, the loss) is on the first device,
    the head. There is one replica, so no gradients are summed between devices.

    Train by plain Keras: `compile`, `fit`, `evaluate`, `predict`, `save`.
    `jit_compile=True` is not possible: XLA compiles for one device.

    Args:
        devices: List of strings such as `["/GPU:0", "/GPU:1"]`, one per
            column. Defaults to all GPUs, or to all logical CPUs where there
            is no GPU. If there are more columns than devices, the first
            device gets the next column, and so on.

    Raises:
        ValueError: If a device is named that TensorFlow does not see.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> strategy = ColumnParallelStrategy(["/CPU:0", "/CPU:0"])
    >>> with strategy.scope():
    ...     model = AlexNet(input_shape=(67, 67, 3), classes=10)
    >>> model.get_layer("conv2_column1").output.shape
    (None, 7, 7, 128)

    Reference: [Krizhevsky et al., 2012](https://papers.nips.cc/paper/4824),
    section 3.2.
    """

    def __init__(self, devices=None):
        if devices is None:
            devices = default_devices()
        check_devices(devices)
        super().__init__(_Extended(self, devices))

    def run(self, fn, args=(), kwargs=None, options=None):
        check_optimizer(fn, self)
        warn_if_undivided(fn, self.devices)
        return super().run(fn, args=args, kwargs=kwargs, options=options)

    @property
    def devices(self):
        """Tuple of the columns' devices, column 0's first."""
        return self.extended.parameter_devices

    def column_device(self, column):
        """The device of a column, a string."""
        return self.devices[column % len(self.devices)]

    def column(self, column):
        """Context in which variables and ops are on a column's device."""
        return tf.device(self.column_device(column))


def default_devices():
    """All logical GPUs, or all logical CPUs where there is no GPU."""
    found = tf.config.list_logical_devices("GPU")
    found = found or tf.config.list_logical_devices("CPU")
    return [device.name for device in found]


def check_list(devices):
    """Raises a `ValueError` unless the devices are a list, not empty."""
    if isinstance(devices, str) or not devices:
        raise ValueError(
            "`devices` must be a list of device names, such as "
            f"['/GPU:0', '/GPU:1']. Received: devices={devices!r}"
        )


def check_devices(devices):
    """Raises a `ValueError` unless TensorFlow sees each of the devices."""
    check_list(devices)
    visible = {
        (
            device.device_type,
            tf.DeviceSpec.from_string(device.name).device_index,
        )
        for device in tf.config.list_logical_devices()
    }
    for device in devices:
        spec = tf.DeviceSpec.from_string(device)
        if (spec.device_type, spec.device_index) not in visible:
            names = ", ".join(f"/{kind}:{i}" for kind, i in sorted(visible))
            raise ValueError(
                f"`devices` must be among {names}. Received: {device!r}. "
                "For tests, `tf.config.set_logical_device_configuration` "
                "divides a CPU or a GPU into several."
            )


def check_optimizer(step, strategy):
    """Refuses a model's step if its optimizer was made under no `scope()`.

    Args:
        step: Function, perhaps a method of a `keras.Model`.
        strategy: The `tf.distribute.Strategy` that is to run it.

    Raises:
        ValueError: If the optimizer is of another strategy.

    Example:

    >>> check_optimizer(print, tf.distribute.get_strategy())
    """
    optimizer = getattr(getattr(step, "__self__", None), "optimizer", None)
    # Keras keeps the strategy that an optimizer was made under there and
    # nowhere else: a model knows its own strategy only.
    owner = getattr(optimizer, "_distribution_strategy", strategy)
    if owner is not strategy:
        raise ValueError(
            "Make the optimizer and call `compile` under the `scope()` of the "
            "model's strategy. Received: an optimizer made outside of it"
        )


def warn_if_undivided(step, devices):
    """Warns where a column strategy runs a model that has no columns.

    Args:
        step: Function, perhaps a method of a `keras.Model`.
        devices: List of strings, the columns' devices.
    """
    model = getattr(step, "__self__", None)
    message = None
    if isinstance(model, keras.Model):
        message = undivided(model, devices)
    if message:
        warnings.warn(message, stacklevel=3)


class _ReplicaContext(tf.distribute.ReplicaContext):
    def __init__(self, strategy):
        super().__init__(strategy, replica_id_in_sync_group=0)

    @property
    def devices(self):
        return self._strategy.extended.worker_devices

    def all_reduce(self, reduce_op, value, options=None):
        # The base class sends each gradient through an identity op on the
        # head: a round trip for those of the other columns.
        return value


class _Extended(tf.distribute.StrategyExtended):
    """The methods that `tf.distribute` needs of a strategy of one replica.

    The methods with an underscore are those that TensorFlow's own strategies
    define and its public methods call. Public ways were tried: to wrap
    `OneDeviceStrategy`, whose updates all run on its one device, and
    `MirroredStrategy` of one replica, which sends each gradient to the head
    and back.
    """

    def __init__(self, strategy, devices):
        super().__init__(strategy)
        self._devices = tuple(devices)
        self._head = self._devices[0]
        self._default_device = self._head  # entered by `scope()`

    # Variables: the innermost `tf.device` decides, else the head.

    def _create_variable(self, next_creator, **kwargs):
        colocate_with = kwargs.pop("colocate_with", None)
        if colocate_with is None:
            return next_creator(**kwargs)
        with tf.device(colocate_with.device):
            return next_creator(**kwargs)

    def _validate_colocate_with_variable(self, variable):
        # `ClearScope` has checked it.
        pass

    def value_container(self, value):
        return value

    # Running.

    def call_for_each_replica(self, fn, args=(), kwargs=None):
        replica = _ReplicaContext(self._container_strategy())
        with place_with_data(self._head), replica:
            return fn(*args, **(kwargs or {}))

    def _update(self, var, fn, args, kwargs, group):
        with tf.device(var.device):
            result = fn(var, *args, **kwargs)
        return result if group else tf.nest.map_structure(_local, result)

    def _update_non_slot(self, colocate_with, fn, args, kwargs, group):
        result = fn(*args, **kwargs)
        return result if group else tf.nest.map_structure(_local, result)

    def _use_merge_call(self):
        return False

    def _reduce_to(self, reduce_op, value, destinations, options):
        return value

    def _replica_ctx_all_reduce(self, reduce_op, value, options=None):
        return value

    def _gather_to_implementation(self, value, destinations, axis, options):
        return value

    def _local_results(self, value):
        return (value,)

    def non_slot_devices(self, var_list):
        return (self._head,)

    # Input: that of the one replica.

    def _experimental_distribute_dataset(self, dataset, options):
        return without_autotuning(dataset)

    def _distribute_datasets_from_function(self, dataset_fn, options):
        return dataset_fn(tf.distribute.InputContext())

    def _experimental_distribute_values_from_function(self, value_fn):
        return value_fn(tf.distribute.experimental.ValueContext())

    # Facts.

    @property
    def worker_devices(self):
        return (self._head,)

    @property
    def parameter_devices(self):
        return self._devices

    @property
    def _num_replicas_in_sync(self):
        return 1

    def _in_multi_worker_mode(self):
        return False

    @property
    def should_checkpoint(self):
        return True

    @property
    def should_save_summary(self):
        return True

    def _get_local_replica_id(self, replica_id_in_sync_group):
        return replica_id_in_sync_group


def _local(value):
    return (value,)
