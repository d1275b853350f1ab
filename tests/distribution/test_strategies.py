import pytest
import tensorflow as tf

from keras_alexnet.distribution import ColumnParallelStrategy
from keras_alexnet.distribution import Mirrored
from keras_alexnet.distribution import MirroredColumns
from keras_alexnet.distribution import MultiWorkerMirrored
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


def test_a_cpu_in_use_cannot_be_divided(monkeypatch):
    # Other tests have divided it, so this one has to forget that.
    monkeypatch.setattr(
        tf.config, "get_logical_device_configuration", lambda device: None
    )
    monkeypatch.setattr(
        tf.config,
        "list_physical_devices",
        lambda kind, found=tf.config.list_physical_devices: (
            found(kind) if kind == "CPU" else []
        ),
    )
    tf.zeros([])
    with pytest.raises(RuntimeError, match=r"`strategy_from_name\('columns'\)"):
        strategy_from_name("columns")


@pytest.mark.parametrize("text", [None, "", "{}"])
def test_a_worker_without_a_cluster_is_told(text, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.warns(UserWarning, match="has one worker, this one, because"):
        strategy_from_name("multiworker")


@pytest.mark.parametrize("kind", [Mirrored, MultiWorkerMirrored])
def test_what_replicas_give_is_reduced_part_by_part(kind):
    """Only the mean of whole batches, as Keras asks for it, is not."""
    strategy = kind(["/CPU:0", "/CPU:1"]) if kind is Mirrored else kind()
    count = strategy.num_replicas_in_sync

    def step():
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        number = tf.cast(number, "float32")
        return number + 1, tf.fill([2], number + 10)

    both = strategy.run(step)
    one, many = strategy.reduce("SUM", both, axis=None)
    assert float(one) == sum(range(1, count + 1))
    assert many.numpy().tolist() == [sum(10 + i for i in range(count))] * 2
    total = strategy.reduce(tf.distribute.ReduceOp.SUM, both[1], axis=0)
    assert float(total) == 2 * sum(10 + i for i in range(count))


def test_shares_of_unequal_size_have_no_sum():
    strategy = Mirrored(["/CPU:0", "/CPU:1"])
    shares = strategy.experimental_distribute_values_from_function(
        lambda context: tf.zeros([2 + context.replica_id_in_sync_group])
    )
    mean = strategy.reduce("MEAN", (shares,), axis=None)
    assert mean[0].shape == (2,)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        strategy.reduce("SUM", (shares,), axis=None)


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="one of none, columns.*'rows'"):
        strategy_from_name("rows")
