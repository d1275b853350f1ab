import types

import keras
import pytest

from keras_alexnet.training.backup import ResumableBackup
from keras_alexnet.training.chief import has_workers
from keras_alexnet.training.chief import is_chief


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="workers of tf.distribute"
)
@pytest.mark.parametrize("chief", [True, False])
def test_only_the_chief_writes(chief, tmp_path, monkeypatch):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    strategy = types.SimpleNamespace(
        extended=types.SimpleNamespace(should_checkpoint=chief)
    )
    backup = ResumableBackup(tmp_path / "backup")
    x = keras.ops.ones((4, 2))
    model.fit(x, x[:, :1], callbacks=[backup], verbose=0)
    written = tmp_path / "backup" / "backup.npz"
    assert written.exists()
    written.unlink()
    monkeypatch.setattr(
        type(model), "distribute_strategy", strategy, raising=False
    )
    assert is_chief(model) == chief
    backup._saved = False
    backup._save()
    assert written.exists() == chief


def test_one_process_is_the_chief():
    assert is_chief(keras.Sequential())
    assert not has_workers(keras.Sequential())


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="workers of tf.distribute"
)
@pytest.mark.parametrize(
    ("jobs", "several"),
    [
        ({}, False),
        ({"worker": ["a:1"]}, False),
        ({"worker": ["a:1", "b:1"]}, True),
        ({"chief": ["a:1"], "worker": ["b:1"]}, True),
        ({"worker": ["a:1"], "evaluator": ["b:1"]}, False),
    ],
)
def test_workers_are_counted(jobs, several):
    import tensorflow as tf

    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(jobs), task_type="worker", task_id=0
    )
    strategy = types.SimpleNamespace(cluster_resolver=resolver)
    model = types.SimpleNamespace(distribute_strategy=strategy)
    assert has_workers(model) == several
