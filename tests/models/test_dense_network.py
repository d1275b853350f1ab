import dataclasses

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import predict
from small_networks import small
from small_networks import small_inception

from keras_alexnet.models import CIFAR_13
from keras_alexnet.models import CIFAR_18
from keras_alexnet.models import PAPER
from keras_alexnet.models import VGG_A
from keras_alexnet.models import dense_network
from keras_alexnet.models import with_width

VGG = dataclasses.replace(
    with_width(VGG_A, 1 / 16), initial_stds=("he",) * 10 + (5e-4,)
)
NETWORKS = {
    # One fully connected layer in two groups.
    "paper": small("paper", cross=("conv3", "fc6")),
    "vgg_a": dataclasses.replace(VGG, input_size=64),
    "cifar_18": dataclasses.replace(
        CIFAR_18, initial_stds=("he",) * 3 + (1e-3,)
    ),
}


def images(size, count=2):
    x = np.random.default_rng(0).integers(0, 256, (count, size, size, 3))
    return x.astype("float32")


@pytest.mark.parametrize("name", NETWORKS)
def test_one_position_gives_the_outputs_of_the_network(name):
    model = build(NETWORKS[name], include_preprocessing=True)
    # A mean image of one color, so that nothing changes but the size.
    x = images(NETWORKS[name].input_size)
    wanted = predict(model, x)
    assert wanted.std() > 1e-4
    np.testing.assert_allclose(
        predict(dense_network(model), x), wanted, atol=5e-6
    )


def test_scores_are_averaged_over_positions_before_the_softmax():
    # Five poolings by 2, so crops 32 pixels apart are positions of the map,
    # but for what convolutions see beyond the borders of a crop.
    pointwise = dataclasses.replace(
        VGG, kernel_sizes=(1,) * len(VGG.kernel_sizes), input_size=64
    )
    model = build(pointwise)
    x = images(96)[:, :, :64] - 120
    logits = keras.Model(model.input, model.get_layer("fc8").output)
    scores = [predict(logits, x[:, top : top + 64]) for top in (0, 32)]
    mean = np.mean(scores, axis=0)
    wanted = np.exp(mean) / np.exp(mean).sum(axis=1, keepdims=True)
    assert np.abs(scores[0] - scores[1]).max() > 1e-3
    np.testing.assert_allclose(
        predict(dense_network(model), x), wanted, atol=5e-6
    )


def test_googlenet_at_all_positions():
    model = build(small_inception(auxiliary_after=()))
    dense = dense_network(model)
    x = images(40) - 120
    np.testing.assert_allclose(predict(dense, x), predict(model, x), atol=5e-6)
    found = predict(dense, images(61))
    np.testing.assert_allclose(
        dense.predict_on_batch(images(61)), found, atol=5e-6
    )


def test_auxiliary_classifiers_are_left_out():
    model = build(small_inception(), auxiliary=True)
    x = images(40) - 120
    np.testing.assert_allclose(
        predict(dense_network(model), x),
        keras.ops.convert_to_numpy(model(x)[0]),
        atol=5e-6,
    )


def chain(*last, size=8):
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((size, size, 3)),
            keras.layers.Conv2D(4, 3, strides=2, name="conv"),
            keras.layers.Flatten(),
            *last,
        ]
    )


@pytest.mark.parametrize(
    "last",
    [
        lambda: [keras.layers.Dense(3, activation="softmax")],
        lambda: [keras.layers.Dense(3), keras.layers.Softmax(name="prob")],
        lambda: [keras.layers.Dense(3), keras.layers.Activation("softmax")],
    ],
)
def test_softmax_is_applied_once_however_the_model_ends(last):
    model = chain(*last())
    x = images(8) / 64
    wanted = predict(model, x)
    # A softmax of these would be nearly even.
    assert wanted.max() > 0.5
    np.testing.assert_allclose(
        predict(dense_network(model), x), wanted, atol=5e-6
    )


def test_scores_get_a_softmax():
    model = chain(keras.layers.Dense(3))
    x = images(8) / 64
    np.testing.assert_allclose(
        predict(dense_network(model), x),
        keras.ops.convert_to_numpy(keras.ops.softmax(model(x))),
        atol=5e-6,
    )


def test_another_ending_is_refused():
    for last in (
        [keras.layers.Dense(3, activation="sigmoid", name="last")],
        [keras.layers.Dense(3), keras.layers.Activation("tanh", name="last")],
        [keras.layers.Dense(3), keras.layers.ReLU(name="last")],
    ):
        with pytest.raises(ValueError, match="scores.*the last layer 'last'"):
            dense_network(chain(*last))


def test_scores_are_averaged_in_their_own_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        dense = dense_network(build(NETWORKS["cifar_18"]))
    finally:
        keras.config.set_dtype_policy("float32")
    assert dense.get_layer("conv1").compute_dtype == "float16"
    for name in ("positions", "prob"):
        assert dense.get_layer(name).compute_dtype == "float32"


def test_what_is_no_convolution_is_refused():
    with pytest.raises(ValueError, match="'conv3' has another kernel at every"):
        dense_network(build(CIFAR_13))
    with pytest.raises(ValueError, match="`model` must have its top"):
        dense_network(build(with_width(PAPER, 1 / 16), include_top=False))
