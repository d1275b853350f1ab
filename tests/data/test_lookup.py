import numpy as np
import tensorflow as tf

from keras_alexnet.data.lookup import lookup
from keras_alexnet.data.lookup import own_variable


def test_rows_are_looked_up_in_graphs():
    row = lookup(np.array([[1, 2], [3, 4], [5, 6]]))
    rows = tf.data.Dataset.from_tensor_slices([2, 0]).map(row)
    np.testing.assert_array_equal(list(rows), [[5, 6], [1, 2]])


def test_the_scope_of_a_strategy_does_not_distribute_what_is_looked_up():
    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        assert isinstance(tf.Variable(1), tf.distribute.DistributedValues)
        row = lookup(["a", "b"])
    assert not isinstance(row.__self__, tf.distribute.DistributedValues)
    assert row(1) == b"b"


def test_a_variable_of_ones_own_in_the_scope_of_a_strategy():
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        epoch = own_variable(tf.constant(3, tf.int64))
        epoch.assign_add(1)
    assert not isinstance(epoch, tf.distribute.DistributedValues)
    assert (int(epoch), epoch.dtype) == (4, tf.int64)
