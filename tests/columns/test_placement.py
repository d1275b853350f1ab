import json

import keras
import numpy as np
import pytest
from keras import layers

from keras_alexnet.columns.placement import OnColumn
from keras_alexnet.columns.placement import column_device
from keras_alexnet.columns.placement import pin
from keras_alexnet.columns.placement import share
from keras_alexnet.layers import GroupedConv2D
from keras_alexnet.layers import LocalResponseNormalization

tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="devices of tf.distribute"
)
X = np.random.default_rng(0).normal(size=(2, 6, 6, 4)).astype("float32")


@pytest.mark.parametrize(
    "layer, attribute, value",
    [
        (GroupedConv2D(8, 3, groups=2), "filters", 4),
        (GroupedConv2D(8, 3, groups=2), "groups", 1),
        (GroupedConv2D(8, 3, groups=4), "groups", 2),
        (GroupedConv2D(8, 3), "groups", 1),
        (layers.Dense(10), "units", 5),
        (layers.Reshape((1, 1, 8)), "target_shape", (1, 1, 4)),
        (layers.Reshape((8,)), "target_shape", (4,)),
        (LocalResponseNormalization(groups=2), "groups", 1),
        (layers.Dropout(0.5, seed=3), "seed", 4),
        (layers.MaxPooling2D(2), "pool_size", (2, 2)),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_share_is_half_of_what_is_divided(layer, attribute, value):
    assert getattr(share(layer, column=1, columns=2), attribute) == value


@pytest.mark.parametrize("seed", [None, 3])
def test_columns_drop_different_units(seed):
    dropout = layers.Dropout(0.5, seed=seed)
    x = np.ones((4, 50), "float32")
    left, right = (
        keras.ops.convert_to_numpy(OnColumn(dropout, i, 2)(x, training=True))
        for i in range(2)
    )
    assert (left != right).any()
    assert set(np.unique(left)) == {0.0, 2.0}


def test_a_column_is_saved_with_its_whole_layer(tmp_path):
    conv2 = GroupedConv2D(8, 3, groups=2, name="conv2", dtype="mixed_bfloat16")
    column = OnColumn(conv2, column=1, columns=2, crop=(1, 2))
    inputs = keras.Input((6, 6, 2))
    model = keras.Model(inputs, column(inputs))
    assert model.output.shape == (None, 4, 4, 1)
    assert model.output.dtype == "bfloat16"
    model.save(tmp_path / "column.keras")
    loaded = keras.saving.load_model(tmp_path / "column.keras")
    configs = [c.get_config() for c in (loaded.layers[1], column)]
    # Pairs are lists in the file.
    saved, own = (json.dumps(c, sort_keys=True) for c in configs)
    assert saved == own
    assert loaded.layers[1].whole_layer().groups == 2
    y = model(X[..., :2])
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(keras.ops.cast(y, "float32")),
        keras.ops.convert_to_numpy(
            keras.ops.cast(loaded(X[..., :2]), "float32")
        ),
    )


def test_weights_are_named_after_the_whole_layer():
    column = OnColumn(layers.Dense(4, name="fc6"), column=1, columns=2)
    column.build((None, 3))
    assert column.name == "fc6_column1"
    assert column.weights[0].path == "fc6_column1/fc6/kernel"
    assert column.whole_layer().units == 4


def test_without_a_column_strategy_nothing_is_pinned():
    assert column_device(0) is None
    assert pin(None, lambda x: x + 1, 1) == 2


@tensorflow_only
def test_pinned_gradients_are_those_of_the_function():
    import tensorflow as tf

    x, w = tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])

    def function(x, w):
        return [x * w, tf.reduce_sum(x**3)]

    def gradients(function):
        with tf.GradientTape(persistent=True) as second:
            second.watch((x, w))
            with tf.GradientTape() as tape:
                tape.watch((x, w))
                products, cubes = function(x, w)
                y = tf.reduce_sum(products) ** 2 + cubes
            first = tape.gradient(y, (x, w))
            total = tf.add_n([tf.reduce_sum(g) for g in first])
        return *first, *second.gradient(total, (x, w))

    wanted = gradients(function)
    found = gradients(lambda *tensors: pin("/CPU:1", function, *tensors))
    for a, b in zip(wanted, found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@tensorflow_only
@pytest.mark.parametrize("jit", [False, None], ids=["graph", "eager"])
def test_forward_and_backward_are_on_the_column(jit):
    import tensorflow as tf

    x = tf.constant([2.0])
    seen = []

    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = pin("/CPU:2", tf.square, x)
        gradient = tape.gradient(y, x)
        seen.extend([y.device, gradient.device])
        return gradient

    gradient = step(x) if jit is None else tf.function(step)(x)
    assert float(gradient[0]) == 4.0
    assert all(device.lower().endswith("cpu:2") for device in seen)


@tensorflow_only
def test_state_of_a_column_is_updated_on_its_device():
    from keras_alexnet.distribution import ColumnParallelStrategy

    with ColumnParallelStrategy(["/CPU:0", "/CPU:3"]).scope():
        column = OnColumn(layers.BatchNormalization(), column=1, columns=2)
        plain = layers.BatchNormalization()
        wanted = plain(X, training=True)
        found = column(X, training=True)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    for a, b in zip(column.variables, plain.variables, strict=True):
        assert a.value.device.endswith("CPU:3")
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)
    assert column.variables[2].numpy().any()
