import math

import keras
import numpy as np
import pytest

from keras_alexnet.models.top_k import is_missed
from keras_alexnet.training import TopKError


def value(metric):
    return float(keras.ops.convert_to_numpy(metric.result()))


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("one_hot", [False, True])
def test_matches_sorting(k, one_hot):
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((60, 10)).astype("float32")
    labels = rng.integers(10, size=60)
    best = np.argsort(-scores, axis=1)[:, :k]
    want = 1 - (best == labels[:, None]).any(axis=1).mean()
    metric = TopKError(k)
    y_true = np.eye(10)[labels] if one_hot else labels
    for part in (slice(0, 20), slice(20, 60)):
        metric.update_state(y_true[part], scores[part])
    assert value(metric) == pytest.approx(want, abs=1e-6)


def test_by_hand():
    metric = TopKError(2)
    metric.update_state([[0], [1], [2]], [[0.5, 0.3, 0.2]] * 3)
    assert value(metric) == pytest.approx(1 / 3)
    metric.reset_state()
    metric.update_state([0, 2], [[0.5, 0.3, 0.2]] * 2, sample_weight=[3, 1])
    assert value(metric) == pytest.approx(1 / 4)


def test_equal_scores_are_not_always_right():
    metric = TopKError(3)
    metric.update_state(np.arange(10), np.full((10, 10), 0.1))
    assert value(metric) == pytest.approx(0.7)


def test_nan_is_wrong():
    metric = TopKError(5)
    metric.update_state(np.arange(10), np.full((10, 10), np.nan))
    assert value(metric) == 1.0


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="of TensorFlow's graphs"
)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_nan_is_wrong_in_graphs(jit_compile):
    """TensorFlow replaces `not (a <= b)` by `a > b` there."""
    import tensorflow as tf

    missed = tf.function(is_missed, jit_compile=jit_compile)
    scores = tf.fill((3, 4), math.nan)
    assert missed(scores, tf.constant([0, 1, 2]), 1).numpy().all()


def test_two_classes_sparse_and_one_hot():
    scores = np.array([[0.9, 0.1], [0.9, 0.1]])
    for labels in ([0, 1], [[0], [1]], [[1.0, 0.0], [0.0, 1.0]]):
        metric = TopKError(1)
        metric.update_state(np.array(labels), scores)
        assert value(metric) == 0.5


def test_name_and_config():
    assert TopKError(1).name == "top1_error"
    assert TopKError().name == "top5_error"
    metric = TopKError(3, name="e", dtype="float64")
    config = keras.saving.serialize_keras_object(metric)
    copy = keras.saving.deserialize_keras_object(config)
    assert (copy.k, copy.name, copy.dtype) == (3, "e", "float64")


def test_plain_compile_and_fit(tmp_path):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(6, activation="softmax")]
    )
    model.compile(
        "sgd",
        "sparse_categorical_crossentropy",
        metrics=[TopKError(1), TopKError(5)],
        run_eagerly=True,
    )
    x, y = np.ones((12, 4), "float32"), np.arange(12) % 6
    logs = model.fit(x, y, validation_data=(x, y), verbose=0).history
    # Equal images: right for one class of six, wrong for one class of six.
    assert logs["val_top1_error"][0] == pytest.approx(5 / 6)
    assert logs["val_top5_error"][0] == pytest.approx(1 / 6)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    got = loaded.evaluate(x, y, verbose=0, return_dict=True)
    assert got["top5_error"] == pytest.approx(1 / 6)


def test_early_stopping_knows_that_less_is_better():
    # Keras asks the metric for its direction.
    stopping = keras.callbacks.EarlyStopping("top1_error", patience=0)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(6, activation="softmax")]
    )
    model.compile(
        "sgd",
        "sparse_categorical_crossentropy",
        metrics=[TopKError(1)],
        run_eagerly=True,
    )
    x, y = np.ones((12, 4), "float32"), np.arange(12) % 6
    model.fit(x, y, epochs=3, callbacks=[stopping], verbose=0)
    assert stopping.monitor_op(0.1, 0.2)


@pytest.mark.parametrize("k", [0, -1, 1.5])
def test_k_is_checked(k):
    with pytest.raises(ValueError, match=f"`k` must be a pos.* k={k}"):
        TopKError(k)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_class_that_does_not_exist_is_missed(label):
    scores = np.array([[0.1, 0.2, 0.7], [0.7, 0.2, 0.1]], "float32")
    found = keras.ops.convert_to_numpy(is_missed(scores, [label, 0], 3))
    assert found.tolist() == [True, False]
