"""The JAX side is tested in `tests/distribution/test_sharding.py`."""

import keras
import pytest

from keras_alexnet.layers.column_sharding import column_distribution


@pytest.mark.parametrize("groups", [1, 2])
def test_without_a_distribution_nothing_is_sharded(groups):
    assert keras.distribution.distribution() is None
    assert column_distribution(groups) is None
