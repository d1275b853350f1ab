"""VGG and GoogLeNet under every strategy, or an error that says why not."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from column_networks import LOSS
from column_networks import assert_same
from column_networks import assert_same_weights
from column_networks import batch
from column_networks import network
from column_networks import reference
from small_networks import small_inception
from test_train_example import ROOT
from test_train_example import pictures  # noqa: F401
from test_train_example import train

from keras_alexnet.distribution import ColumnParallelStrategy
from keras_alexnet.distribution import Mirrored
from keras_alexnet.distribution import on_one_device
from keras_alexnet.distribution import to_columns
from keras_alexnet.models import VGG_A
from keras_alexnet.models import VGG_A_LRN
from keras_alexnet.models import GoogLeNet
from keras_alexnet.models import with_width
from keras_alexnet.training import AlexNetSGD

DEVICES = ("/CPU:0", "/CPU:1")
INCEPTION = small_inception(
    dropout=0.0,
    auxiliary_dropout=0.0,
    # So small a network of Caffe's initial biases learns too fast to compare.
    initial_bias=0.0,
)
VGG = dataclasses.replace(
    with_width(VGG_A_LRN, 1 / 16),
    dropout=0.0,
    initial_stds=("he",) * 10 + (0.01,),
)


def build(kind):
    keras.utils.set_random_seed(1)
    if kind == "vgg":
        return network(VGG, side=40)
    return GoogLeNet(
        architecture=INCEPTION,
        input_shape=(40, 40, 3),
        classes=10,
        auxiliary=True,
    )


def fitted(model):
    x, y = batch(8, side=40)
    data = tf.data.Dataset.from_tensor_slices((x / 58, y)).batch(4)
    return model.fit(
        data, validation_data=data, epochs=2, shuffle=False, verbose=0
    ).history


@pytest.mark.parametrize("kind", ["vgg", "googlenet"])
def test_two_replicas_equal_one_process(kind):
    model = build(kind)
    model.compile(AlexNetSGD(), LOSS)
    wanted = fitted(model)
    strategy = Mirrored(DEVICES)
    with strategy.scope():
        replicas = build(kind)
        replicas.compile(AlexNetSGD(), LOSS)
    found = fitted(replicas)
    for name, values in wanted.items():
        assert found[name] == pytest.approx(values, rel=1e-4), name
    single = on_one_device(replicas)
    assert single.architecture == model.architecture
    assert_same(model.weights, single.weights, 1e-4)


def test_vgg_of_two_columns_equals_one_process():
    divided = dataclasses.replace(
        VGG, columns=2, cross=("conv3_1", "fc6", "fc7"), lrn_across_columns=True
    )
    model = reference(divided)
    strategy = ColumnParallelStrategy(DEVICES)
    with strategy.scope():
        columns = to_columns(model)
    x, y = batch(8)
    for each in (model, columns):
        each.fit(x, y, batch_size=4, shuffle=False, verbose=0)
    assert_same_weights(model, columns, tolerance=1e-4)
    names = {layer.name for layer in columns.layers}
    assert {"conv2_1_column0", "conv2_1_column1"} <= names


def test_what_has_no_columns_says_so():
    plain = build("vgg")
    inception = build("googlenet")
    with ColumnParallelStrategy(DEVICES).scope():
        with pytest.raises(ValueError, match="Train it under `Mirrored`"):
            build("googlenet")
        with pytest.raises(ValueError, match="1 inputs, 3 outputs"):
            to_columns(inception, 2)
        with pytest.raises(ValueError, match="`columns` must be given"):
            to_columns(plain)
        with pytest.warns(UserWarning, match="one column computes on the fir"):
            network(with_width(VGG_A, 1 / 32))
    with ColumnParallelStrategy(DEVICES).scope():
        with pytest.raises(ValueError, match="takes a chain of layers"):
            to_columns(keras.Model(inception.input, inception.outputs[0]), 2)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["vgg_a_lrn", "googlenet"])
def test_on_two_machines(architecture, pictures, tmp_path):  # noqa: F811
    size = {"vgg_a_lrn": 64, "googlenet": 80}[architecture]
    train(
        "multiworker",
        pictures,
        tmp_path,
        ROOT / "examples" / "launch_local.py",
        f"--logs={tmp_path / 'logs'}",
        "--restarts=0",
        "--timeout=380",
        "--",
        more=(f"--architecture={architecture}", f"--input_size={size}"),
    )
    path = tmp_path / "alexnet.keras"
    model = keras.saving.load_model(path, compile=False)
    assert model.architecture.name == architecture
    outputs = model.predict(np.zeros((1, size, size, 3)), verbose=0)
    assert outputs.shape == (1, 2)
    assert (tmp_path / "worker1" / "errors.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["vgg_a_lrn", "googlenet"])
def test_mirrored_from_a_script(architecture, pictures, tmp_path):  # noqa: F811
    size = {"vgg_a_lrn": 64, "googlenet": 80}[architecture]
    flags = (f"--architecture={architecture}", f"--input_size={size}")
    printed = train("mirrored", pictures, tmp_path, more=flags)
    assert "top-1 error" in printed
    assert (tmp_path / "alexnet.keras").exists()
