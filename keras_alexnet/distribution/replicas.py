"""What the strategies of several replicas have in common."""

import contextlib
import itertools
import threading

import keras
import tensorflow as tf

from keras_alexnet.autotuning import without_autotuning
from keras_alexnet.distribution.column_parallel import check_optimizer
from keras_alexnet.distribution.column_parallel import warn_if_undivided
from keras_alexnet.distribution.device_iterators import stop_device_autotuning
from keras_alexnet.distribution.scopes import ClearScope

# Larger than the number of collectives that one strategy uses.
MOST_COLLECTIVES = 100_000


class OwnCollectives:
    """Mixin: gives each strategy of a process its own collective numbers.

    Mirrored strategies number their reductions, and all begin with the same
    number; a second strategy over other devices would fail.
    """

    _started = itertools.count()

    def __init__(self, *args, **kwargs):
        # TensorFlow's own tests set it. No public way is known: the
        # constructors and `tf.distribute.experimental.CommunicationOptions`
        # take no such number.
        self._collective_key_base = MOST_COLLECTIVES * next(self._started)
        super().__init__(*args, **kwargs)


class KerasReplicas(ClearScope):
    """Mixin: explains what `fit` cannot do with several replicas, and why.

    It stands before a `tf.distribute.Strategy` in the list of bases. The data
    that it distributes are not autotuned, so `fit` need not wait at the end of
    epochs, see `keras_alexnet.autotuning`.
    """

    def __init__(self, *args, **kwargs):
        stop_device_autotuning()
        super().__init__(*args, **kwargs)

    def run(self, fn, args=(), kwargs=None, options=None):
        # `fn` is a step method of the model in training and evaluation.
        model = getattr(fn, "__self__", None)
        if isinstance(model, keras.Model):
            check_optimizer(fn, self)
            _check_options(model, self.num_replicas_in_sync)
            groups = getattr(self, "column_groups", None)
            if groups:
                warn_if_undivided(fn, groups[0])
            if fn == model.train_step and self.num_replicas_in_sync > 1:
                fn = _with_equal_shares(fn, self.num_replicas_in_sync)
        return super().run(fn, args=args, kwargs=kwargs, options=options)

    def experimental_distribute_dataset(self, dataset, options=None):
        dataset = without_autotuning(dataset)
        return super().experimental_distribute_dataset(dataset, options)

    def reduce(self, reduce_op, value, axis):
        # While Keras builds a model it averages the first batch over
        # replicas, for its shapes only. Unequal shares have no average.
        if (
            is_mean(reduce_op, axis)
            and tf.nest.is_nested(value)
            and any(map(self._are_unequal, tf.nest.flatten(value)))
        ):
            return tf.nest.map_structure(self._first, value)
        return super().reduce(reduce_op, value, axis)

    def _are_unequal(self, value):
        parts = self.experimental_local_results(value)
        return len({tuple(getattr(part, "shape", ())) for part in parts}) > 1

    def _first(self, value):
        return self.experimental_local_results(value)[0]


def is_mean(reduce_op, axis):
    """Whether a reduction is the mean over replicas, not along an axis."""
    name = getattr(reduce_op, "value", reduce_op)
    return axis is None and name.upper() == "MEAN"


def _check_options(model, replicas):
    if model.steps_per_execution > 1:
        raise ValueError(
            "`steps_per_execution` must be 1 with a strategy of replicas: "
            "TensorFlow cannot distribute a loop of steps. Received: "
            f"steps_per_execution={model.steps_per_execution}"
        )
    if replicas == 1:
        return
    if model.jit_compile:
        raise ValueError(
            "`jit_compile` must be `False` with several replicas: XLA "
            "compiles for one device. Received: jit_compile=True"
        )
    accumulated = getattr(model.optimizer, "gradient_accumulation_steps", None)
    if accumulated:
        raise ValueError(
            "`gradient_accumulation_steps` must be `None` with several "
            "replicas: TensorFlow cannot reduce gradients within a condition. "
            "Give each replica a smaller share of the batch instead, or use "
            "`ColumnParallelStrategy`. Received: "
            f"gradient_accumulation_steps={accumulated}"
        )


def _with_equal_shares(step, replicas):
    """A training step that refuses batches which replicas share unequally.

    Gradients are averaged over replicas, so images of a smaller share would
    count more. Evaluation adds up images, and takes any batch.
    """
    message = (
        f"{replicas} replicas cannot share a batch equally: to train, its "
        f"size must be divisible by {replicas}. Batch with "
        "`drop_remainder=True`, or choose a batch size that leaves no rest."
    )

    def equal_step(data):
        size = tf.cast(tf.shape(tf.nest.flatten(data)[0])[0], tf.float64)
        replica = tf.distribute.get_replica_context()
        # Mean of squares and square of the mean are equal only if all are.
        total, squares = replica.all_reduce(
            tf.distribute.ReduceOp.SUM, [size, size * size]
        )
        equal = tf.debugging.assert_equal(
            replicas * squares, total * total, message
        )
        with tf.control_dependencies([] if equal is None else [equal]):
            # `train_on_batch` passes `None` for weights that are not given.
            data = tf.nest.map_structure(
                lambda part: None if part is None else tf.identity(part), data
            )
        return step(data)

    return equal_step


class ReplicaColumns:
    """Mixin: each replica has a group of devices, one per column.

    It stands before a mirrored strategy in the list of bases. The devices of
    that strategy's replicas are the first of each group.
    """

    _local = threading.local()

    def _set_groups(self, groups):
        self._groups = {_kind_and_index(group[0]): group for group in groups}

    @property
    def column_groups(self):
        """List of tuples, each replica's devices on this machine."""
        return list(self._groups.values())

    def scope(self):
        @contextlib.contextmanager
        def scope():
            # Outside of the strategy's scope, so that it calls the creator
            # once for the part of each replica.
            with tf.variable_creator_scope(self._create), outer.scope():
                yield self

        outer = super()
        return scope()

    def column_device(self, column):
        """The device of a column in the current replica, a string."""
        group = self._current_group()
        return group[column % len(group)]

    @contextlib.contextmanager
    def column(self, column):
        """Context in which variables are on a column's devices."""
        before = getattr(self._local, "column", None)
        self._local.column = column
        try:
            yield
        finally:
            self._local.column = before

    def _current_group(self):
        groups = self.column_groups
        replica = tf.distribute.get_replica_context()
        if replica is None or len(groups) == 1:
            return groups[0]
        # Numbered worker by worker.
        number = tf.get_static_value(replica.replica_id_in_sync_group)
        return groups[int(number) % len(groups)]

    def _create(self, next_creator, **kwargs):
        column = getattr(self._local, "column", None)
        if column is None:
            return next_creator(**kwargs)
        with tf.init_scope():
            head = tf.zeros([]).device
        group = self._groups[_kind_and_index(head)]
        with tf.device(group[column % len(group)]):
            return next_creator(**kwargs)


def _kind_and_index(device):
    spec = tf.DeviceSpec.from_string(device)
    return spec.device_type, spec.device_index
