import collections
import dataclasses
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from column_networks import LOSS
from column_networks import SMALL
from column_networks import assert_same
from column_networks import assert_same_weights
from column_networks import batch
from column_networks import network
from column_networks import reference

from keras_alexnet.distribution import Mirrored
from keras_alexnet.distribution import MirroredColumns
from keras_alexnet.distribution import placed_step
from keras_alexnet.distribution import to_columns
from keras_alexnet.distribution import to_grouped
from keras_alexnet.training import AlexNetSGD

GROUPS = [("/CPU:0", "/CPU:1"), ("/CPU:2", "/CPU:3")]


@pytest.fixture(scope="module")
def strategy():
    return MirroredColumns(GROUPS)


def columns_of(model, strategy, **options):
    with strategy.scope():
        columns = to_columns(model)
        if options:
            columns.compile(AlexNetSGD(), LOSS, **options)
    return columns


def test_two_replicas_of_two_columns_equal_one_process(strategy, tmp_path):
    model = reference()
    columns = columns_of(model, strategy)
    # The last batch, of 2, is shared equally too.
    x, y = batch(18)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    options = {"epochs": 2, "shuffle": False, "verbose": 0}
    wanted = model.fit(data, validation_data=data, **options).history
    found = columns.fit(data, validation_data=data, **options).history
    for name, values in wanted.items():
        assert found[name] == pytest.approx(values, rel=1e-4)
    assert_same_weights(model, columns, tolerance=1e-5)
    np.testing.assert_allclose(
        columns.predict(x, batch_size=8, verbose=0),
        model.predict(x, verbose=0),
        rtol=1e-3,
    )
    columns.save(tmp_path / "columns.keras")
    loaded = keras.saving.load_model(tmp_path / "columns.keras")
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-3
    )


def test_batch_normalization_is_over_all_replicas(strategy):
    """With LRN's place taken by it, replicas equal one device, too."""
    architecture = dataclasses.replace(
        SMALL, normalization="batch", dropout=0.0
    )
    model = reference(architecture)
    columns = columns_of(model, strategy)
    x, y = batch(8)
    for each in (model, columns):
        each.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    again = to_grouped(columns)
    assert_same(model.weights, again.weights, 1e-4)
    norms = [
        layer.synchronized
        for layer in (*columns.layers, *again.layers)
        for layer in [getattr(layer, "layer", layer)]
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert norms == [True, True, False]


def test_one_batch_of_arrays_is_trained_on(strategy):
    """`train_on_batch` passes on that there are no weights of images."""
    model = reference()
    columns = columns_of(model, strategy, metrics=["accuracy"])
    x, y = batch(8)
    wanted = model.train_on_batch(x, y, return_dict=True)
    found = columns.train_on_batch(x, y, return_dict=True)
    assert found["loss"] == pytest.approx(wanted["loss"], rel=1e-4)
    assert_same_weights(model, columns, tolerance=1e-5)


def test_each_column_of_each_replica_is_on_its_device(strategy):
    columns = columns_of(reference(), strategy)
    ops, _ = placed_step(columns, batch())
    found = collections.defaultdict(set)
    count = collections.Counter()
    for op in ops:
        column = re.search(r"column(\d)", op.name)
        if column:
            found[int(column[1])].add(op.device)
        if op.type.startswith("Conv2D"):
            count[op.type, op.device] += 1
    assert found == {0: {"CPU:0", "CPU:2"}, 1: {"CPU:1", "CPU:3"}}
    kinds = ("Conv2D", "Conv2DBackpropFilter", "Conv2DBackpropInput")
    assert count == {
        (kind, f"CPU:{index}"): 3 for kind in kinds for index in range(4)
    }
    for variable in columns.weights + columns.optimizer.variables:
        if "multiplier" in variable.path:
            continue
        column = int("column1" in variable.path)
        devices = [part.device[-5:] for part in variable.value.values]
        assert devices == [group[column][1:] for group in GROUPS]


@pytest.mark.parametrize("known", [True, False])
def test_training_on_a_batch_that_cannot_be_shared_is_refused(strategy, known):
    columns = columns_of(reference(), strategy)
    x, y = batch(7)
    # A rest of 3 after a batch of 4, or a batch of 7 alone.
    data = tf.data.Dataset.from_tensor_slices((x, y))
    data = data.batch(7, drop_remainder=True) if known else data.batch(4)
    before = [w.numpy() for w in columns.weights]
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match="must be divisible by 2.*drop_remainder",
    ):
        columns.fit(data, verbose=0)
    after = [w.numpy() for w in columns.weights]
    same = all(map(np.array_equal, before, after))
    # The first of two batches has been trained on, no part of a wrong one.
    assert same == known


# A first batch of 3; and one image, or three, left for two replicas.
@pytest.mark.parametrize(
    "count",
    [
        3,
        pytest.param(
            5,
            marks=pytest.mark.xfail(
                reason="oneDNN's convolution of no images has a wrong shape"
            ),
        ),
        7,
    ],
)
def test_any_batch_is_predicted_and_evaluated(strategy, count):
    model = reference()
    columns = columns_of(model, strategy, metrics=["accuracy"])
    model.compile(AlexNetSGD(), LOSS, metrics=["accuracy"])
    x, y = batch(count)
    np.testing.assert_allclose(
        columns.predict(x, batch_size=4, verbose=0),
        model.predict(x, verbose=0),
        rtol=1e-3,
    )
    np.testing.assert_allclose(
        columns.evaluate(x, y, batch_size=4, verbose=0),
        model.evaluate(x, y, batch_size=4, verbose=0),
        rtol=1e-4,
    )


@pytest.mark.parametrize(
    "accumulate, options, message",
    [
        (None, {"steps_per_execution": 2}, "`steps_per_execution` must be 1"),
        (None, {"jit_compile": True}, "`jit_compile` must be `False` with"),
        (2, {}, "`gradient_accumulation_steps` must be `None` with several"),
    ],
)
def test_what_replicas_cannot_do_is_refused(accumulate, options, message):
    strategy = Mirrored(["/CPU:0", "/CPU:1"])
    with strategy.scope():
        model = network()
        sgd = keras.optimizers.SGD(gradient_accumulation_steps=accumulate)
        model.compile(sgd, LOSS, **options)
    with pytest.raises(ValueError, match=message):
        model.fit(*batch(8), batch_size=4, verbose=0)


def test_xla_is_declined(strategy):
    with pytest.warns(UserWarning, match="Proceeding with `jit_compile=False`"):
        columns_of(reference(), strategy, jit_compile=True)


@pytest.mark.parametrize(
    "groups, columns, message",
    [
        ([["/CPU:0", "/CPU:1"], ["/CPU:2"]], 2, "must be of equal lengths"),
        ([["/CPU:0"], ["/CPU:0"]], 1, "must not name a device twice"),
        ([["/CPU:8"]], 1, "Received: '/CPU:8'"),
        (None, 3, "divisible by `columns`.*Received: 4 devices, columns=3"),
        ([], 2, "`groups` must be a list of lists"),
        (["/CPU:0", "/CPU:1"], 2, "`groups` must be a list of lists"),
    ],
)
def test_impossible_groups_are_refused(groups, columns, message):
    with pytest.raises(ValueError, match=message):
        MirroredColumns(groups, columns)


def test_groups_default_to_runs_of_all_devices():
    strategy = MirroredColumns()
    assert strategy.num_replicas_in_sync == 2
    with strategy.scope():
        assert strategy.column_device(1).endswith("CPU:1")
