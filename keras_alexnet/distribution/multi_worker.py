"""Replicas on many machines, whole on each device or a column on each."""

import tensorflow as tf

from keras_alexnet.distribution.column_parallel import check_devices
from keras_alexnet.distribution.column_parallel import check_list
from keras_alexnet.distribution.replicas import KerasReplicas
from keras_alexnet.distribution.replicas import ReplicaColumns
from keras_alexnet.distribution.replicas import is_mean


class MultiWorkerMirrored(
    KerasReplicas, tf.distribute.MultiWorkerMirroredStrategy
):
    """`tf.distribute.MultiWorkerMirroredStrategy` that Keras 3 can `fit`.

    Start the same program on each machine, with `TF_CONFIG` set or a cluster
    resolver; make the strategy before any other TensorFlow operation. It
    waits until all workers have started. Give `fit`, `evaluate` and `predict`
    the same data on every worker; the batch size is that of all workers
    together. All workers must call `save` and `export`, each with a path of its
    own, see `worker_folder`: Keras writes on every worker.

    Args:
        cluster_resolver: A `tf.distribute.cluster_resolver`. Defaults to the
            one that reads `TF_CONFIG`.
        communication_options: As in the parent.

    Example:

    >>> strategy = MultiWorkerMirrored()  # doctest: +SKIP
    >>> with strategy.scope():  # doctest: +SKIP
    ...     model = AlexNet()

    Reference: https://github.com/keras-team/keras/issues/20585
    """

    def experimental_distribute_dataset(self, dataset, options=None):
        # TensorFlow would have each worker compute all of each batch, and
        # throw most of it away.
        share = getattr(dataset, "share", None)
        if share is None:
            return super().experimental_distribute_dataset(dataset, options)
        if options is None and "GPU" not in self.extended.worker_devices[0]:
            # Nothing is to be copied to a CPU in advance.
            options = tf.distribute.InputOptions(
                experimental_per_replica_buffer_size=0
            )
        return self.distribute_datasets_from_function(
            lambda context: share(
                context.num_input_pipelines,
                context.input_pipeline_id,
                context.num_replicas_in_sync,
            ),
            options,
        )

    def reduce(self, reduce_op, value, axis):
        if tf.nest.is_nested(value):
            # TensorFlow cannot reduce several tensors between workers.
            return tf.nest.map_structure(
                lambda part: self._reduce_part(reduce_op, part, axis), value
            )
        # Keras reduces scalars along an axis that they do not have.
        axis = None if self._rank(value) == 0 else axis
        return super().reduce(reduce_op, value, axis)

    def _reduce_part(self, reduce_op, part, axis):
        # While Keras builds a model it averages whole batches, for their
        # shapes: those of any replica will do, without communication.
        if is_mean(reduce_op, axis) and self._rank(part) != 0:
            return self._first(part)
        return self.reduce(reduce_op, part, axis)

    def _rank(self, value):
        return getattr(getattr(self._first(value), "shape", None), "rank", None)


class MultiWorkerColumns(ReplicaColumns, MultiWorkerMirrored):
    """Data parallelism over machines, columns within each machine.

    As `MultiWorkerMirrored`, with one replica per machine whose columns are
    on devices of their own.

    Args:
        devices: List of this machine's devices, one per column, such as
            `["/GPU:0", "/GPU:1"]`. The first must be the first of its kind.
            Defaults to all GPUs, or to all logical CPUs where there is no
            GPU.
        cluster_resolver: A `tf.distribute.cluster_resolver`. Defaults to the
            one that reads `TF_CONFIG`.
        communication_options: As in `MultiWorkerMirrored`.

    Raises:
        ValueError: If a device is named that TensorFlow does not see, or the
            first is not the first of its kind.

    Example:

    >>> strategy = MultiWorkerColumns(["/GPU:0", "/GPU:1"])  # doctest: +SKIP
    """

    def __init__(
        self, devices=None, cluster_resolver=None, communication_options=None
    ):
        resolver = cluster_resolver
        if resolver is None:
            resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        # Slurm's decides here which GPUs are visible.
        resolver.cluster_spec()
        devices = _configured_devices() if devices is None else devices
        check_list(devices)
        head = tf.DeviceSpec.from_string(devices[0])
        if head.device_index != 0:
            raise ValueError(
                "`devices` must begin with the first of its kind, such as "
                "/GPU:0: TensorFlow makes it the worker's replica. "
                f"Received: devices={devices}"
            )
        self._set_groups([tuple(devices)])
        resolver = _OneReplica(resolver, head.device_type)
        super().__init__(resolver, communication_options)
        # Not before: it would initialize TensorFlow too early.
        check_devices(devices)


class _OneReplica(tf.distribute.cluster_resolver.ClusterResolver):
    """A resolver by which each worker is one replica.

    Otherwise TensorFlow makes a replica of each GPU of a machine.
    """

    def __init__(self, resolver, kind):
        self._resolver = resolver
        self._kind = kind

    # Slurm's knows them once it was asked for the cluster.

    @property
    def task_type(self):
        return self._resolver.task_type

    @property
    def task_id(self):
        return self._resolver.task_id

    @property
    def rpc_layer(self):
        return self._resolver.rpc_layer

    def cluster_spec(self):
        return self._resolver.cluster_spec()

    def master(self, task_type=None, task_id=None, rpc_layer=None):
        return self._resolver.master(task_type, task_id, rpc_layer)

    @property
    def environment(self):
        return self._resolver.environment

    def num_accelerators(self, *args, **kwargs):
        return {"GPU": 1} if self._kind == "GPU" else {}


def _configured_devices():
    """All GPUs or all logical CPUs, without initializing TensorFlow."""
    for kind in ("GPU", "CPU"):
        physical = tf.config.list_physical_devices(kind)
        count = sum(
            len(tf.config.get_logical_device_configuration(device) or [None])
            for device in physical
        )
        if count:
            return [f"/{kind}:{index}" for index in range(count)]
    return []
