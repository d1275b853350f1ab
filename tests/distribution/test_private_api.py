"""What is used of TensorFlow and Keras though it is not public."""

import keras
import tensorflow as tf

from keras_alexnet.distribution import ColumnParallelStrategy
from keras_alexnet.distribution import Mirrored
from keras_alexnet.distribution import column_parallel
from keras_alexnet.distribution import replicas


def test_an_optimizer_knows_its_strategy():
    strategy = ColumnParallelStrategy(["/CPU:0"])
    with strategy.scope():
        optimizer = keras.optimizers.SGD()
    assert getattr(optimizer, "_distribution_strategy", None) is strategy, (
        "Keras changed `Optimizer._distribution_strategy`, by which "
        "`check_optimizer` sees where an optimizer was made"
    )


def test_strategies_have_the_methods_that_ours_defines():
    theirs = tf.distribute.OneDeviceStrategy("/CPU:0").extended
    # Its own attributes, which TensorFlow does not know.
    own = {"__module__", "__doc__", "__init__"}
    missing = [
        name
        for name in vars(column_parallel._Extended)
        if name not in own and not hasattr(theirs, name)
    ]
    assert not missing, f"TensorFlow changed `StrategyExtended`: no {missing}"


def test_a_scope_enters_the_head():
    with ColumnParallelStrategy(["/CPU:1", "/CPU:0"]).scope():
        device = tf.zeros([]).device
    assert device.endswith("CPU:1"), (
        "TensorFlow changed `StrategyExtended._default_device`, the device "
        "that a scope enters"
    )


def test_reductions_of_a_strategy_begin_at_its_own_number():
    first, second = (Mirrored(["/CPU:0"]) for _ in range(2))
    numbers = [s.extended._collective_key_base for s in (first, second)]
    changed = (
        "TensorFlow changed `_collective_key_base`, the number with which the "
        "reductions of a strategy begin"
    )
    assert numbers[1] - numbers[0] == replicas.MOST_COLLECTIVES, changed
    keys = [s.extended._collective_keys for s in (first, second)]
    starts = [each._group_key for each in keys]
    assert starts[1] - starts[0] == replicas.MOST_COLLECTIVES, changed
