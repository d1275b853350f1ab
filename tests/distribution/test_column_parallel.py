import dataclasses
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from column_networks import LOSS
from column_networks import SMALL
from column_networks import assert_same_weights
from column_networks import batch
from column_networks import reference

from keras_alexnet import AlexNet
from keras_alexnet.columns import placement
from keras_alexnet.distribution.column_parallel import ColumnParallelStrategy
from keras_alexnet.distribution.conversion import to_columns
from keras_alexnet.distribution.placed_graph import placed_step
from keras_alexnet.models import PAPER
from keras_alexnet.training import AlexNetSGD

# Not the first device, which TensorFlow takes where it is not told.
DEVICES = ("/CPU:1", "/CPU:2")
TINY = dataclasses.replace(
    PAPER, filters=(8, 16, 24, 24, 16), fc_units=(32, 32)
)
EACH_COLUMN = {
    "Conv2D": 5,
    "Conv2DBackpropFilter": 5,
    "Conv2DBackpropInput": 5,  # that of the image is unused, and cut later
    "MaxPool": 3,
    "MaxPoolGrad": 3,
    "Relu": 7,
    "ReluGrad": 7,
    "PartitionedCall": 2,  # the compiled backward passes of the norms
}


def build(
    architecture=SMALL, policy="float32", side=35, optimizer=None, **options
):
    keras.config.set_dtype_policy(policy)
    with ColumnParallelStrategy(DEVICES).scope():
        model = AlexNet(
            input_shape=(side, side, 3), classes=10, architecture=architecture
        )
        optimizer = AlexNetSGD(**(optimizer or {}))
        model.compile(optimizer, "sparse_categorical_crossentropy", **options)
    keras.config.set_dtype_policy("float32")
    return model


def misplaced(ops):
    """Ops of a column that are elsewhere than on its device."""
    found = []
    for op in ops:
        column = re.search(r"column(\d)", op.name)
        if column and op.device != DEVICES[int(column[1])].strip("/"):
            found.append(op)
    return found


def count(ops, device):
    return {
        kind: sum(op.type == kind and op.device == device for op in ops)
        for kind in EACH_COLUMN
    }


@pytest.mark.parametrize(
    "architecture, policy, compiled_norms",
    # The first norm of the paper's width is large enough to be compiled.
    [(PAPER, "float32", 1), (TINY, "mixed_float16", 0)],
)
def test_each_column_is_on_its_device_forward_and_backward(
    architecture, policy, compiled_norms
):
    model = build(architecture, policy, side=67)
    ops, transfers = placed_step(model, batch(side=67))
    calls = EACH_COLUMN["PartitionedCall"] + compiled_norms
    for device in ("CPU:1", "CPU:2"):
        assert count(ops, device) == {**EACH_COLUMN, "PartitionedCall": calls}
    # Two norms' sums, unless they are compiled; fc6 and fc7, their kernels'
    # gradients and their inputs'; on the head also those of fc8.
    for device, number in (("CPU:1", 11), ("CPU:2", 8)):
        found = [op for op in ops if op.type == "MatMul"]
        assert (
            sum(op.device == device for op in found) == number - compiled_norms
        )
    assert not misplaced(ops)
    assert not [op for op in ops if op.device not in ("CPU:1", "CPU:2")]
    # Between the columns: own part of pool2, pool5 and fc6 to the other and
    # the gradients back; fc7 to the head and its gradient back.
    between = [
        t
        for t in transfers
        if t.source != "CPU:0" and (t.bytes is None or t.bytes > 16)
    ]
    assert len(between) == 14
    size = {"float32": 4, "mixed_float16": 2}[policy]
    pool2 = next(t for t in between if re.match(r"alexnet\w*/pool2", t.tensor))
    assert pool2.bytes == 4 * 3 * 3 * architecture.filters[1] // 2 * size


def test_what_is_misplaced_is_seen(monkeypatch):
    """The check must not pass columns that are all on the first device."""

    def on_the_first(device, function, *tensors):
        with tf.device(DEVICES[0] if device else None):
            return function(*tensors)

    monkeypatch.setattr(placement, "pin", on_the_first)
    ops, _ = placed_step(build(), batch())
    assert any("gradient_tape" in op.name for op in misplaced(ops))


@pytest.mark.parametrize(
    "options",
    [
        {"use_ema": True},
        {"global_clipnorm": 1.0},
        {"gradient_accumulation_steps": 2},
    ],
    ids=lambda options: next(iter(options)),
)
def test_state_and_gradients_stay_with_their_column(options):
    model = build(optimizer=options)
    ops, transfers = placed_step(model, batch())
    assert not misplaced(ops)
    large = [t.tensor for t in transfers if t.bytes is None or t.bytes > 64]
    weights = "ReadVariableOp|Backprop|BiasAddGrad|MatMul|Cast|input|kernel"
    assert [name for name in large if re.search(weights, name)] == []
    for variable in model.weights + model.optimizer.variables:
        # An optimizer's scalars, such as rates of layers, are the head's.
        column = len(variable.shape) and re.search(r"column(\d)", variable.path)
        device = DEVICES[int(column[1]) if column else 0]
        assert variable.value.device.endswith(device.strip("/"))


def columns_of(model):
    with ColumnParallelStrategy(DEVICES).scope():
        return to_columns(model)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        pytest.param({"cross": ()}, marks=pytest.mark.slow),
        # Windows that reach into the next column, and beyond it.
        {"columns": 4, "lrn_across_columns": True, "lrn_n": 6},
        pytest.param(
            {
                "stages": (
                    ("norm", "pool", "activation"),
                    ("spatial_norm", "activation"),
                    ("pool", "activation"),
                ),
                "dropout_position": "before",
            },
            marks=pytest.mark.slow,
        ),
    ],
    ids=["paper", "private", "across", "stages"],
)
def test_outputs_and_a_step_equal_the_grouped_graph(changes):
    architecture = dataclasses.replace(SMALL, **changes)
    model = reference(architecture)
    columns = columns_of(model)
    x, y = batch()
    wanted = model.predict(x, verbose=0)
    assert wanted.std(axis=0).max() > 1e-4
    found = columns.predict(x, verbose=0)
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()
    for network in (model, columns):
        network.train_on_batch(x, y)
    assert_same_weights(model, columns)


def test_training_evaluation_saving_and_export(tmp_path):
    model = reference()
    columns = columns_of(model)
    with columns.distribute_strategy.scope():
        columns.compile(
            AlexNetSGD(),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            steps_per_execution=2,
        )
    x, y = batch(16)
    options = {"batch_size": 4, "shuffle": False, "verbose": 0}
    for network in (model, columns):
        network.fit(x, y, **options)
    assert_same_weights(model, columns)
    wanted = model.predict(x, verbose=0)
    loss, _ = columns.evaluate(x, y, verbose=0)
    assert loss == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)
    columns.save(tmp_path / "columns.keras")
    columns.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")
    strategy = ColumnParallelStrategy(DEVICES[::-1])
    with strategy.scope():
        inside = keras.saving.load_model(tmp_path / "columns.keras")
    # Without a column strategy it is an ordinary model.
    outside = keras.saving.load_model(tmp_path / "columns.keras")
    kernel = inside.get_layer("conv2_column0").weights[0]
    assert kernel.value.device.endswith(DEVICES[1].strip("/"))
    for result in (
        columns.predict(x, verbose=0),
        inside.predict(x, verbose=0),
        outside.predict(x, verbose=0),
        exported.serve(x).numpy(),
    ):
        np.testing.assert_allclose(result, wanted, rtol=1e-4)


@pytest.mark.slow
def test_eager_steps_equal_those_of_a_graph():
    model = reference()
    columns = columns_of(model)
    with columns.distribute_strategy.scope():
        columns.compile(
            AlexNetSGD(), "sparse_categorical_crossentropy", run_eagerly=True
        )
    for network in (model, columns):
        network.train_on_batch(*batch())
    assert_same_weights(model, columns)


def test_without_a_top_the_columns_are_joined():
    with ColumnParallelStrategy(DEVICES).scope():
        model = AlexNet(
            include_top=False, input_shape=(35, 35, 3), architecture=SMALL
        )
        pooled = AlexNet(
            include_top=False,
            input_shape=(35, 35, 3),
            architecture=SMALL,
            pooling="avg",
        )
    x, _ = batch(2)
    assert model.predict(x, verbose=0).shape == (2, 4, 4, 16)
    assert pooled.predict(x, verbose=0).shape == (2, 16)


def test_one_column_needs_no_branches():
    with ColumnParallelStrategy(DEVICES).scope():
        model = AlexNet(
            input_shape=(35, 35, 3),
            classes=10,
            architecture=dataclasses.replace(SMALL, columns=1),
        )
    assert model.get_layer("conv2").kernel.value.device.endswith("CPU:1")


def test_more_columns_than_devices_share_them():
    four = dataclasses.replace(SMALL, columns=4)
    with ColumnParallelStrategy(DEVICES).scope():
        with pytest.warns(UserWarning, match="4 columns share 2 device"):
            model = AlexNet(
                input_shape=(35, 35, 3), classes=10, architecture=four
            )
    devices = [
        model.get_layer(f"conv2_column{i}").weights[0].value.device[-5:]
        for i in range(4)
    ]
    assert devices == ["CPU:1", "CPU:2", "CPU:1", "CPU:2"]
    assert model.predict(batch(2)[0], verbose=0).shape == (2, 10)


def test_devices_default_to_all_logical_ones():
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    devices = ColumnParallelStrategy().devices
    assert len(devices) == len(tf.config.list_logical_devices(kind))


def test_xla_is_declined():
    with pytest.warns(UserWarning, match="Proceeding with `jit_compile=False`"):
        build(jit_compile=True)


@pytest.mark.parametrize(
    "devices, message",
    [
        ("/CPU:0", "`devices` must be a list of device names"),
        ([], "`devices` must be a list of device names"),
        (["/CPU:0", "/CPU:9"], "must be among .*/CPU:0.* Received: '/CPU:9'"),
        (["/GPU:7"], "Received: '/GPU:7'"),
    ],
)
def test_impossible_devices_are_refused(devices, message):
    with pytest.raises(ValueError, match=message):
        ColumnParallelStrategy(devices)


def test_a_variable_of_elsewhere_is_refused():
    elsewhere = keras.Variable([1.0])
    strategy = ColumnParallelStrategy(DEVICES)
    with strategy.scope():
        optimizer = keras.optimizers.SGD(momentum=0.9)
        with pytest.raises(ValueError, match="created outside of it"):
            optimizer.build([elsewhere])


def test_an_optimizer_made_outside_of_the_scope_is_refused():
    model = build()
    model.compile("sgd", LOSS)
    with pytest.raises(ValueError, match="call `compile` under the `scope"):
        model.fit(*batch(), verbose=0)


@pytest.mark.gpu
def test_two_gpus():
    gpus = [gpu.name[-5:] for gpu in tf.config.list_logical_devices("GPU")]
    if len(gpus) < 2:
        pytest.skip("needs two GPUs, or one that is divided into two")
    model = reference()
    with ColumnParallelStrategy([f"/{gpu}" for gpu in gpus[:2]]).scope():
        columns = to_columns(model)
    ops, _ = placed_step(columns, batch())
    for column, gpu in enumerate(gpus[:2]):
        named = [op for op in ops if f"column{column}" in op.name]
        assert named and {op.device for op in named} == {gpu}
    for other in (model, columns):
        other.train_on_batch(*batch())
    assert_same_weights(model, columns, tolerance=1e-3)
