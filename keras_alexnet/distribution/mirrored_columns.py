"""Replicas of columns on one machine."""

import tensorflow as tf

from keras_alexnet.distribution.column_parallel import check_devices
from keras_alexnet.distribution.column_parallel import default_devices
from keras_alexnet.distribution.replicas import KerasReplicas
from keras_alexnet.distribution.replicas import OwnCollectives
from keras_alexnet.distribution.replicas import ReplicaColumns


class MirroredColumns(
    KerasReplicas,
    ReplicaColumns,
    OwnCollectives,
    tf.distribute.MirroredStrategy,
):
    """Data parallelism over groups of devices, columns within each group.

    Each group is a replica that trains on its share of a batch with its
    columns on their own devices, as in `ColumnParallelStrategy`; gradients
    are summed over the replicas. What belongs to no column is on the first
    device of the group, which also sums the gradients for the whole group.

    The batch size of `fit` is that of all replicas together, and must be
    divisible by their number.

    Args:
        groups: List of lists of devices, such as `[["/GPU:0", "/GPU:1"],
            ["/GPU:2", "/GPU:3"]]`. Defaults to all GPUs, or all logical CPUs
            where there is no GPU, `columns` neighbors each.
        columns: Integer, the length of the default groups. Defaults to `2`.
        cross_device_ops: As in `tf.distribute.MirroredStrategy`.

    Raises:
        ValueError: If a device is named that TensorFlow does not see, or
            twice, or the groups are of different lengths.

    Example:

    >>> strategy = MirroredColumns([["/CPU:0"]])
    >>> strategy.num_replicas_in_sync
    1

    Reference: [Krizhevsky, 2014](https://arxiv.org/abs/1404.5997) for data
    and model parallelism together.
    """

    def __init__(self, groups=None, columns=2, cross_device_ops=None):
        if groups is None:
            groups = _runs(default_devices(), columns)
        if not groups or any(isinstance(group, str) for group in groups):
            raise ValueError(
                "`groups` must be a list of lists of device names, one list "
                f"per replica. Received: groups={groups}"
            )
        groups = [tuple(group) for group in groups]
        devices = [device for group in groups for device in group]
        check_devices(devices)
        if len({len(group) for group in groups}) > 1:
            raise ValueError(
                "`groups` must be of equal lengths, one device per column. "
                f"Received: groups={groups}"
            )
        if len(set(devices)) < len(devices):
            raise ValueError(
                "`groups` must not name a device twice. "
                f"Received: groups={groups}"
            )
        self._set_groups(groups)
        super().__init__(
            [group[0] for group in groups], cross_device_ops=cross_device_ops
        )


def _runs(devices, columns):
    if len(devices) % columns:
        raise ValueError(
            "The number of devices must be divisible by `columns`, or give "
            f"`groups`. Received: {len(devices)} devices, columns={columns}"
        )
    return [
        devices[start : start + columns]
        for start in range(0, len(devices), columns)
    ]
