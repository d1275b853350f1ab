import pathlib
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from column_networks import LOSS
from column_networks import assert_same
from column_networks import batch
from column_networks import network

from keras_alexnet.distribution import ColumnParallelStrategy
from keras_alexnet.distribution import Mirrored
from keras_alexnet.distribution import MirroredColumns
from keras_alexnet.distribution import on_one_device
from keras_alexnet.distribution import share_equally
from keras_alexnet.distribution import strategy_from_name
from keras_alexnet.distribution import worker_folder


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


@pytest.mark.parametrize(
    "strategy",
    [
        ColumnParallelStrategy(["/CPU:0", "/CPU:1"]),
        Mirrored(["/CPU:0", "/CPU:1"]),
    ],
    ids=["columns", "mirrored"],
)
def test_a_trained_model_becomes_an_ordinary_one(strategy, tmp_path):
    with strategy.scope():
        model = network()
        model.compile(keras.optimizers.SGD(1e-3, momentum=0.9), LOSS)
    x, y = batch()
    model.fit(x, y, batch_size=4, verbose=0)
    ordinary = on_one_device(model)
    assert ordinary.distribute_strategy is tf.distribute.get_strategy()
    np.testing.assert_allclose(
        ordinary.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-4
    )
    velocities = ordinary.optimizer.variables[2:]
    assert any(np.any(v.numpy()) for v in velocities)
    ordinary.save(tmp_path / "ordinary.keras")
    loaded = keras.saving.load_model(tmp_path / "ordinary.keras")
    assert_same(ordinary.weights, loaded.weights, tolerance=0)


def test_workers_but_the_first_have_folders_of_their_own(tmp_path):
    def worker(task_id):
        return types.SimpleNamespace(
            extended=types.SimpleNamespace(should_checkpoint=task_id == 0),
            cluster_resolver=types.SimpleNamespace(task_id=task_id),
        )

    assert worker_folder(worker(0), tmp_path) == pathlib.Path(tmp_path)
    assert worker_folder(worker(2), tmp_path) == tmp_path / "worker2"
    assert (tmp_path / "worker2").is_dir()


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
