import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from column_networks import LOSS
from column_networks import SMALL
from column_networks import assert_same
from column_networks import batch
from column_networks import network
from column_networks import reference

from keras_alexnet.columns.conversion import has_columns
from keras_alexnet.columns.shares import transfer
from keras_alexnet.distribution import ColumnParallelStrategy
from keras_alexnet.distribution import Mirrored
from keras_alexnet.distribution import on_one_device
from keras_alexnet.distribution import to_columns
from keras_alexnet.distribution import to_grouped
from keras_alexnet.distribution.scopes import undivided
from keras_alexnet.models import load_weights
from keras_alexnet.training import AlexNetSGD

DEVICES = ("/CPU:1", "/CPU:2")


@pytest.fixture
def scope():
    return ColumnParallelStrategy(DEVICES).scope


@pytest.mark.parametrize(
    "optimizer, changes",
    [
        (AlexNetSGD(use_ema=True, ema_momentum=0.5), {}),
        pytest.param(
            AlexNetSGD(gradient_accumulation_steps=2),
            {},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            keras.optimizers.AdamW(),
            {"normalization": "batch"},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["ema", "accumulation", "adamw"],
)
def test_there_and_back_nothing_is_lost_and_training_goes_on(
    optimizer, changes, scope
):
    model = reference(dataclasses.replace(SMALL, **changes), optimizer)
    x, y = batch()
    model.train_on_batch(x, y)
    with scope():
        columns = to_columns(model)
    again = to_grouped(columns)
    for name in ("weights", "optimizer"):
        old, new = getattr(model, name), getattr(again, name)
        if name == "optimizer":
            old, new = old.variables, new.variables
            assert old[0].numpy() == 1
            assert any(np.any(v.numpy()) for v in old[2:])
        assert [v.path for v in old] == [v.path for v in new]
        assert_same(old, new, tolerance=0)
    for other in (model, columns):
        for _ in range(2):
            other.train_on_batch(x, y)
    assert_same(model.weights, to_grouped(columns).weights, 1e-5)
    assert_same(
        model.optimizer.variables, to_grouped(columns).optimizer.variables, 1e-4
    )


@pytest.mark.parametrize("to", ["columns", "grouped"])
@pytest.mark.parametrize("of", ["columns", "grouped"])
def test_a_checkpoint_of_either_loads_in_either(of, to, scope, tmp_path):
    model = reference()
    model.train_on_batch(*batch())
    source = model
    if of == "columns":
        with scope():
            source = to_columns(model)
    source.save_weights(tmp_path / "one.weights.h5")
    architecture = dataclasses.replace(SMALL, dropout=0.0)
    if to == "columns":
        with scope():
            target = network(architecture)
            target.compile(AlexNetSGD(), LOSS)
            target.optimizer.build(target.trainable_variables)
            load_weights(target, tmp_path / "one.weights.h5")
        target = to_grouped(target)
    else:
        target = network(architecture)
        target.compile(AlexNetSGD(), LOSS)
        target.optimizer.build(target.trainable_variables)
        load_weights(target, tmp_path / "one.weights.h5")
    assert_same(model.weights, target.weights, tolerance=0)
    assert_same(
        model.optimizer.variables, target.optimizer.variables, tolerance=0
    )


def test_both_ways_keep_the_dtype_policy(scope):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = network()
    keras.config.set_dtype_policy("float32")
    with scope():
        columns = to_columns(model)
    assert columns.get_layer("conv2_column1").layer.compute_dtype == "bfloat16"
    assert to_grouped(columns).get_layer("conv2").compute_dtype == "bfloat16"


def test_without_a_strategy_there_are_no_columns():
    with pytest.raises(ValueError, match="Call `to_columns` under the `scope"):
        to_columns(network())


def test_what_cannot_be_converted_is_refused(scope):
    model = network()
    with pytest.raises(ValueError, match="takes a model of columns"):
        to_grouped(model)
    with scope():
        with pytest.raises(ValueError, match="takes a chain of layers"):
            to_columns(to_columns(model))
        a, b = keras.Input((2,)), keras.Input((2,))
        two = keras.Model([a, b], keras.layers.add([a, b]))
        with pytest.raises(ValueError, match="Received: 2 inputs, 1 outputs"):
            to_columns(two, 2)
        one = network(dataclasses.replace(SMALL, columns=1))
        with pytest.raises(ValueError, match="layers in no groups"):
            to_columns(one)
    # It does not name its variables after the weights.
    model.compile(keras.optimizers.Adafactor(), LOSS)
    model.optimizer.build(model.trainable_variables)
    with scope():
        with pytest.raises(ValueError, match="Two variables are called"):
            to_columns(model)


def _head(kind, base):
    """What somebody puts behind, or around, a network of columns."""
    layers, x = keras.layers, base.output
    if kind == "temperature":
        return keras.Model(base.input, keras.ops.softmax(x / 10.0))
    if kind == "branches":
        both = layers.Concatenate()([layers.Dense(4)(x), layers.Dense(3)(x)])
        return keras.Model(base.input, layers.Dense(2)(both))
    if kind == "twice":
        # As when columns are joined, but of one tensor.
        return keras.Model(base.input, layers.Concatenate()([x, x]))
    if kind == "residual":
        return keras.Model(base.input, [x + layers.Dense(10)(x), 1 - x])
    image = keras.Input(base.input_shape[1:])
    return keras.Model(image, layers.Dense(2)(base(image / 2)))


@pytest.mark.parametrize(
    "kind", ["temperature", "branches", "twice", "residual", "nested"]
)
def test_what_stands_around_the_columns_is_kept(kind, scope):
    whole = reference()
    with scope():
        model = _head(kind, to_columns(whole))
    assert undivided(model, DEVICES) is None
    x, _ = batch()
    ordinary = on_one_device(model)
    assert not has_columns(ordinary)
    wanted, found = model.predict(x, verbose=0), ordinary.predict(x, verbose=0)
    for a, b in zip(
        keras.tree.flatten(wanted), keras.tree.flatten(found), strict=True
    ):
        assert a.shape == b.shape and np.ptp(a) > 0
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_one_column_alone_cannot_be_converted(scope):
    whole = reference()
    with scope():
        columns = to_columns(whole)
        one = columns.get_layer("conv1_column1").output
        half = keras.Model(columns.input, keras.layers.Flatten()(one))
    message = "'flatten.*' takes the channels of column 1 alone"
    with pytest.raises(ValueError, match=message):
        to_grouped(half)


def test_frozen_layers_stay_frozen(scope):
    model = reference()
    last = [layer.name for layer in model.layers if layer.weights][-1]
    for layer in model.layers:
        layer.trainable = layer.name == last
    x, y = batch()
    with scope():
        columns = to_columns(model)
        columns.compile(AlexNetSGD(), LOSS)
    columns.fit(x, y, batch_size=2, epochs=2, verbose=0)
    model.fit(x, y, batch_size=2, epochs=2, verbose=0, shuffle=False)
    again = to_grouped(columns)
    assert len(again.trainable_variables) == 2
    np.testing.assert_allclose(
        columns.predict(x, verbose=0), again.predict(x, verbose=0), rtol=1e-5
    )
    changed = [
        v.path
        for v, w in zip(again.weights, reference().weights, strict=True)
        if v.path.startswith(last) and not np.array_equal(v, w)
    ]
    assert changed == [f"{last}/kernel", f"{last}/bias"]
    for v, w in zip(again.weights, model.weights, strict=True):
        if not v.path.startswith(last):
            np.testing.assert_array_equal(v, w, v.path)


def test_functions_that_keras_cannot_find_are_named(scope):
    model = reference()
    model.compile(AlexNetSGD(), lambda y, p: keras.ops.sum(p, axis=-1))
    with scope():
        with pytest.raises(ValueError, match="The loss, a metric or the optim"):
            to_columns(model)


def test_the_file_of_another_network_is_refused(scope, tmp_path):
    network(dataclasses.replace(SMALL, columns=1)).save_weights(
        tmp_path / "one.weights.h5"
    )
    with scope():
        model = network()
        with pytest.raises(ValueError, match=r"conv2|shape"):
            load_weights(model, tmp_path / "one.weights.h5")


def test_numbers_of_other_shapes_are_refused():
    with keras.name_scope("fc6_column0"), keras.name_scope("fc6"):
        first = keras.Variable(np.zeros((3, 2)), name="kernel")
    with keras.name_scope("fc6_column1"), keras.name_scope("fc6"):
        second = keras.Variable(np.zeros((3, 2)), name="kernel")
    with keras.name_scope("fc6"):
        whole = keras.Variable(np.zeros((3, 3)), name="kernel")
    with pytest.raises(ValueError, match="fc6/kernel cannot be divided"):
        transfer([whole], [first, second])
    with pytest.raises(ValueError, match="fc6/kernel is not in the model"):
        transfer([], [first, second])


def test_a_scaled_loss_goes_with_the_model(scope):
    """As Keras wraps the optimizer in float16; `fit` builds it."""
    scaled = keras.optimizers.LossScaleOptimizer(
        AlexNetSGD(), initial_scale=8.0
    )
    model = reference(optimizer=scaled)
    model.fit(*batch(), batch_size=2, verbose=0)
    with scope():
        columns = to_columns(model)
    again = to_grouped(columns)
    assert type(columns.optimizer).__name__ == "LossScaleOptimizer"
    assert model.optimizer.iterations.numpy() == 2
    for name in ("weights", "optimizer"):
        old, new = getattr(model, name), getattr(again, name)
        if name == "optimizer":
            old, new = old.variables, new.variables
        assert_same(old, new, tolerance=0)


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
