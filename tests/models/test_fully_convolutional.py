"""Dense layers as convolutions: equal at the native size, maps elsewhere."""

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import predict
from small_networks import small

from keras_alexnet.models import CIFARNet
from keras_alexnet.models import to_fully_convolutional

if keras.config.image_data_format() != "channels_last":
    pytest.skip("images are channels last", allow_module_level=True)

PRESETS = ["paper", "code_2012", "six_conv", "caffe", "owt"]


def pictures(side, other=None, count=2):
    random = np.random.default_rng(0)
    shape = (count, side, other or side, 3)
    return random.normal(0, 2, shape).astype("float32")


@pytest.mark.parametrize("preset", PRESETS)
def test_equal_at_the_native_size(preset):
    model = build(small(preset))
    images = pictures(model.input_shape[1])
    found = predict(to_fully_convolutional(model), images)
    assert found.shape == (2, 1, 1, 10)
    np.testing.assert_allclose(
        found[:, 0, 0], predict(model, images), atol=1e-5
    )


def test_dense_layers_of_columns():
    """`fc7` keeps to its columns: a convolution in groups, between reshapes."""
    model = build(small("paper", cross=("conv3",)))
    assert model.get_layer("fc7").groups == 2
    dense = to_fully_convolutional(model)
    images = pictures(99)
    np.testing.assert_allclose(
        predict(dense, images)[:, 0, 0], predict(model, images), atol=1e-5
    )
    assert predict(dense, pictures(99, 131)).shape == (2, 1, 2, 10)


@pytest.mark.parametrize("preset", ["cifar_26", "cifar_18"])
def test_cifar_networks(preset):
    model = CIFARNet(architecture=preset)
    dense = to_fully_convolutional(model)
    images = pictures(32)
    np.testing.assert_allclose(
        predict(dense, images)[:, 0, 0], predict(model, images), atol=1e-5
    )
    assert predict(dense, pictures(48)).shape == (2, 3, 3, 10)


def test_a_map_over_a_large_image_is_that_of_its_windows():
    """Without padding each place is what the model says of its window."""
    model = build(small("paper", paddings=("valid",) * 5, input_size=227))
    dense = to_fully_convolutional(model)
    large = pictures(227 + 64, 227 + 32, count=1)
    found = predict(dense, large)
    assert found.shape == (1, 3, 2, 10)
    for row, column in ((0, 0), (1, 1), (2, 0)):
        top, left = 32 * row, 32 * column
        window = large[:, top : top + 227, left : left + 227]
        np.testing.assert_allclose(
            found[:, row, column], predict(model, window), atol=1e-5
        )


def test_pooling_over_the_whole_map():
    image = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(image)
    for pool in (
        keras.layers.GlobalAveragePooling2D,
        keras.layers.GlobalMaxPooling2D,
    ):
        y = keras.layers.Dense(3, activation="softmax")(pool()(x))
        model = keras.Model(image, y)
        dense = to_fully_convolutional(model)
        large = pictures(18, count=1)
        found = predict(dense, large)
        assert found.shape == (1, 3, 3, 3)
        np.testing.assert_allclose(
            found[:, 2, 1], predict(model, large[:, 2:, 1:17]), atol=1e-5
        )


def test_a_mean_image_becomes_its_color():
    model = build(small("paper"), include_preprocessing=True)
    images = np.random.default_rng(0).uniform(0, 255, (1, 99, 99, 3))
    np.testing.assert_allclose(
        predict(to_fully_convolutional(model), images)[:, 0, 0],
        predict(model, images),
        atol=1e-5,
    )
    mean = np.full((99, 99, 3), 90.0)
    mean[:50] = 140.0
    model.get_layer("preprocessing").set_mean(mean)
    with pytest.warns(UserWarning, match="'preprocessing' subtracts a mean im"):
        dense = to_fully_convolutional(model)
    offset = np.ravel(dense.get_layer("preprocessing").get_weights()[0])
    np.testing.assert_allclose(offset, mean.mean(axis=(0, 1)), rtol=1e-5)


def test_the_model_is_not_changed_and_shares_nothing():
    model = build(small("owt"))
    dense = to_fully_convolutional(model)
    before = [np.array(w) for w in model.get_weights()]
    for weight in dense.weights:
        weight.assign(np.zeros(weight.shape))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_training_it_leaves_the_model_alone():
    # JAX deletes the arrays that a training step replaces.
    model = build(small("owt"), classes=2)
    images = pictures(model.input_shape[1])
    wanted = predict(model, images)
    dense = to_fully_convolutional(model)
    dense.compile("sgd", "sparse_categorical_crossentropy")
    dense.train_on_batch(images, np.zeros((2, 1, 1)))
    np.testing.assert_array_equal(predict(model, images), wanted)


def test_saved_and_loaded(tmp_path):
    dense = to_fully_convolutional(build(small("paper")))
    dense.save(tmp_path / "dense.keras")
    images = pictures(131, 99)
    loaded = keras.saving.load_model(tmp_path / "dense.keras")
    np.testing.assert_array_equal(
        predict(loaded, images), predict(dense, images)
    )


def test_what_cannot_slide_is_refused():
    with pytest.raises(ValueError, match="'conv3' has another kernel at every"):
        to_fully_convolutional(CIFARNet(architecture="cifar_13"))
    image = keras.Input((8, 8, 3))
    shape = keras.layers.Reshape((16, 4, 3), name="shape")(image)
    with pytest.raises(ValueError, match="'shape' must turn a map into a vec"):
        to_fully_convolutional(keras.Model(image, shape))


def test_what_follows_a_flattened_map_is_elementwise_or_refused():
    image = keras.Input((8, 8, 3))
    flat = keras.layers.Flatten()(keras.layers.Conv2D(4, 3, strides=2)(image))
    for layer in (
        keras.layers.Softmax(name="wrong"),
        keras.layers.Activation("log_softmax", name="wrong"),
        keras.layers.BatchNormalization(name="wrong"),
        keras.layers.LayerNormalization(name="wrong"),
    ):
        model = keras.Model(image, keras.layers.Dense(3)(layer(flat)))
        with pytest.raises(ValueError, match="'wrong' must be dense, dropout"):
            to_fully_convolutional(model)
    x = keras.layers.Activation("tanh")(keras.layers.ReLU()(flat))
    x = keras.layers.Dense(3)(keras.layers.Dropout(0.5)(x))
    model = keras.Model(image, x)
    images = pictures(8)
    np.testing.assert_allclose(
        predict(to_fully_convolutional(model), images)[:, 0, 0],
        predict(model, images),
        atol=1e-5,
    )


def test_maps_of_two_sizes_are_flattened_side_by_side():
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 3, name="conv")(image)
    parts = [
        keras.layers.Dense(3)(keras.layers.Flatten()(y))
        for y in (x, keras.layers.MaxPooling2D(2)(x))
    ]
    model = keras.Model(image, keras.layers.Add()(parts))
    images = pictures(8)
    np.testing.assert_allclose(
        predict(to_fully_convolutional(model), images)[:, 0, 0],
        predict(model, images),
        atol=1e-5,
    )
