import contextlib
import dataclasses

import keras
import numpy as np
import pytest
from column_networks import LOSS
from column_networks import SMALL
from column_networks import batch
from column_networks import network

from keras_alexnet.data import TrainingData
from keras_alexnet.data import load_source
from keras_alexnet.distribution import ColumnParallelStrategy
from keras_alexnet.distribution import Mirrored
from keras_alexnet.distribution import MirroredColumns
from keras_alexnet.models import build_network
from keras_alexnet.training import SMALL_DATA_RECIPE
from keras_alexnet.training import AlexNetSGD
from keras_alexnet.training import fit as fit_by_recipe

DEVICES = ["/CPU:0", "/CPU:1"]
BOTH = pytest.mark.parametrize("kind", [ColumnParallelStrategy, Mirrored])


def scope(strategy, inside):
    return strategy.scope() if inside else contextlib.nullcontext()


def fit(strategy, built, compiled, optimizer, trained=False):
    with scope(strategy, built):
        model = network()
    with scope(strategy, compiled):
        model.compile(optimizer(), LOSS)
    with scope(strategy, trained):
        model.fit(*batch(4), batch_size=4, verbose=0)


@BOTH
@pytest.mark.parametrize("optimizer", [AlexNetSGD, lambda: "sgd"])
@pytest.mark.parametrize("trained", [False, True])
def test_a_model_built_outside_and_compiled_inside_is_refused(
    kind, optimizer, trained
):
    """With SGD, which has no slots, it was trained on one device."""
    message = "under one strategy's `scope\\(\\)`. conv1/.* was created outside"
    with pytest.raises(ValueError, match=message):
        fit(kind(DEVICES), False, True, optimizer, trained)


@BOTH
@pytest.mark.parametrize("trained", [False, True])
def test_an_optimizer_made_outside_is_refused(kind, trained):
    """TensorFlow says "Mixing different tf.distribute.Strategy objects"."""
    message = "under one strategy's `scope.*an optimizer made outside of it"
    with pytest.raises(ValueError, match=message):
        fit(kind(DEVICES), True, False, AlexNetSGD, trained)


@pytest.mark.parametrize(
    "strategy",
    [
        lambda: ColumnParallelStrategy(DEVICES),
        lambda: MirroredColumns([DEVICES, ["/CPU:2", "/CPU:3"]]),
    ],
)
def test_a_grouped_network_under_a_column_strategy_is_told(strategy, tmp_path):
    path = tmp_path / "grouped.keras"
    network().save(path)
    with strategy().scope():
        model = keras.saving.load_model(path)
        model.compile(AlexNetSGD(), LOSS)
    with pytest.warns(
        UserWarning,
        match="No layer of .* is divided into columns: all of it is on "
        "/CPU:0, and nothing on /CPU:1.*to_columns",
    ):
        model.fit(*batch(4), batch_size=4, verbose=0)


def test_a_call_outside_of_the_scope_is_told(recwarn):
    strategy = ColumnParallelStrategy(DEVICES)
    with strategy.scope():
        model = network()
        model(batch(4)[0])
    assert not [w for w in recwarn if "outside of the `scope" in str(w.message)]
    with pytest.warns(UserWarning, match="outside of the .scope.* of its stra"):
        model(batch(4)[0])


def test_a_cleared_session_within_a_scope_is_told():
    """TensorFlow says "pop from empty list"."""
    with (
        pytest.raises(RuntimeError, match="clear_session.*`distribution_strat"),
        ColumnParallelStrategy(DEVICES).scope(),
    ):
        keras.backend.clear_session()


def test_keras_tuner_searches_with_a_column_strategy(tmp_path):
    """What the message above advises."""
    keras_tuner = pytest.importorskip("keras_tuner")
    built = []

    def build(space):
        space.Float("unused", 0.1, 0.2)
        model = network()
        model.compile(AlexNetSGD(), LOSS)
        built.append([layer.name for layer in model.layers])
        return model

    tuner = keras_tuner.RandomSearch(
        build,
        objective=keras_tuner.Objective("loss", "min"),
        max_trials=1,
        directory=tmp_path,
        distribution_strategy=ColumnParallelStrategy(DEVICES),
    )
    tuner.search(*batch(4), epochs=1, verbose=0)
    assert "conv2_column1" in built[-1]


@BOTH
def test_a_scope_can_be_entered_again(kind):
    again = kind(DEVICES).scope()
    for _ in range(2):
        with again:
            assert keras.Variable([1.0]).value.shape == (1,)


@pytest.mark.parametrize("kind", [None, ColumnParallelStrategy, Mirrored])
def test_all_of_it_within_the_scope(kind, tmp_path):
    """As Keras's guides write it; the usual place of `fit` is outside."""
    strategy = kind(DEVICES) if kind else None
    recipe = dataclasses.replace(SMALL_DATA_RECIPE, epochs=1, batch_size=240)
    with strategy.scope() if strategy else contextlib.nullcontext():
        source = load_source("digits", holdout=0.2)
        data = TrainingData(
            source, "holdout", input_size=35, cache="memory", batch_size=240
        )
        model = build_network(
            SMALL,
            input_shape=(35, 35, 3),
            classes=10,
            include_preprocessing=True,
        )
        history = fit_by_recipe(
            model,
            recipe,
            data,
            directory=tmp_path,
            mismatch="ignore",
            verbose=0,
        ).history
    assert np.isfinite(history["loss"]).all()
