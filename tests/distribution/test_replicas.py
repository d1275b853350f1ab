import types

import pytest
import tensorflow as tf

from keras_alexnet.distribution import share_equally


@pytest.mark.parametrize(
    "count, sizes", [(8, [4, 4]), (5, [4, 2]), (6, [4, 2])]
)
def test_the_last_batch_is_filled(count, sizes):
    x = tf.reshape(tf.range(2 * count), (count, 2))
    dataset = tf.data.Dataset.from_tensor_slices((x, x[:, 0])).batch(4)
    strategy = types.SimpleNamespace(num_replicas_in_sync=2)
    equal = share_equally(dataset, strategy)
    assert equal.cardinality() == len(sizes)
    batches = list(equal)
    assert [len(x) for x, _ in batches] == sizes
    images, labels = batches[-1]
    assert labels[-1] == images[-1, 0] == 2 * (count - 1)
