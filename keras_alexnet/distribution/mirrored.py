"""Replicas of the whole network on one machine."""

import tensorflow as tf

from keras_alexnet.distribution.column_parallel import check_devices
from keras_alexnet.distribution.column_parallel import default_devices
from keras_alexnet.distribution.replicas import KerasReplicas
from keras_alexnet.distribution.replicas import OwnCollectives


class Mirrored(KerasReplicas, OwnCollectives, tf.distribute.MirroredStrategy):
    """`tf.distribute.MirroredStrategy` with clear errors where `fit` fails.

    Each device has the whole network and trains on its share of a batch.

    Args:
        devices: List of strings. Defaults to all GPUs, or to all logical CPUs
            where there is no GPU.
        cross_device_ops: As in the parent.

    Raises:
        ValueError: If a device is named that TensorFlow does not see.

    Example:

    >>> Mirrored(["/CPU:0"]).num_replicas_in_sync
    1
    """

    def __init__(self, devices=None, cross_device_ops=None):
        devices = default_devices() if devices is None else devices
        check_devices(devices)
        super().__init__(devices, cross_device_ops=cross_device_ops)
