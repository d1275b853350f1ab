import pytest
import tensorflow as tf

from keras_alexnet.distribution import ColumnParallelStrategy
from keras_alexnet.distribution import Mirrored
from keras_alexnet.distribution import MirroredColumns
from keras_alexnet.distribution import strategy_from_name


@pytest.mark.parametrize(
    "name, kind, replicas",
    [
        ("none", tf.distribute.Strategy, 1),
        ("columns", ColumnParallelStrategy, 1),
        ("mirrored", Mirrored, 4),
        ("mirrored_columns", MirroredColumns, 2),
    ],
)
def test_a_name_takes_all_devices(name, kind, replicas):
    strategy = strategy_from_name(name)
    assert isinstance(strategy, kind)
    if not tf.config.list_physical_devices("GPU"):
        assert strategy.num_replicas_in_sync == replicas


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="one of none, columns.*'rows'"):
        strategy_from_name("rows")
