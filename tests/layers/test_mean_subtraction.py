import keras
import numpy as np
import pytest
from checks import check_layer

from keras_alexnet.layers import MeanSubtraction

COLOR = (10.0, 20.0, 30.0)


def test_by_hand():
    x = np.array([[[[12, 24, 36]]]], "uint8")
    layer = MeanSubtraction(COLOR, (1.0, 2.0, 3.0), "bgr")
    np.testing.assert_array_equal(np.ravel(layer(x)), [2.0, 2.0, 2.0])
    layer = MeanSubtraction(COLOR, channel_order="bgr")
    np.testing.assert_array_equal(np.ravel(layer(x)), [6.0, 4.0, 2.0])


def test_channels_first():
    x = np.full((1, 3, 2, 2), 30.0, "float32")
    layer = MeanSubtraction(COLOR, 2.0, data_format="channels_first")
    want = np.broadcast_to(np.reshape([10, 5, 0], (1, 3, 1, 1)), x.shape)
    np.testing.assert_array_equal(layer(x), want)


def test_mean_image_is_cropped_at_its_center_and_saved(tmp_path):
    image = np.arange(6 * 6 * 3, dtype="float32").reshape(6, 6, 3)
    layer = MeanSubtraction(COLOR, per_pixel=True)
    model = keras.Sequential([keras.Input((4, 4, 3)), layer])
    x = np.zeros((1, 4, 4, 3), "float32")
    np.testing.assert_array_equal(model(x)[0, 0, 0], np.negative(COLOR))
    layer.set_mean(image)
    np.testing.assert_array_equal(model(x)[0], -image[1:5, 1:5])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x)[0], -image[1:5, 1:5])
    layer.set_mean(COLOR)
    np.testing.assert_array_equal(model(x)[0, 3, 3], np.negative(COLOR))


def test_an_image_gives_its_color_to_a_layer_of_one_color():
    layer = MeanSubtraction(COLOR)
    layer.build((1, None, None, 3))
    layer.set_mean(
        np.stack(
            [np.zeros((2, 2)), np.ones((2, 2)), np.arange(4).reshape(2, 2)],
            axis=-1,
        )
    )
    y = layer(np.zeros((1, 1, 1, 3), "float32"))
    np.testing.assert_array_equal(np.ravel(y), [0.0, -1.0, -1.5])


def test_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layer = MeanSubtraction((100.3, 0.0, 0.0))
    finally:
        keras.config.set_dtype_policy("float32")
    y = np.asarray(layer(np.full((1, 1, 1, 3), 200.0, "float32")))
    assert y.dtype == np.float32
    assert y[0, 0, 0, 0] == pytest.approx(99.7, abs=1e-4)


@pytest.mark.parametrize(
    "options", [{}, {"per_pixel": True, "std": (1.0, 2.0, 3.0)}]
)
def test_layer_contract(options, tmp_path):
    x = np.random.default_rng(0).uniform(0, 255, (2, 4, 4, 3))
    check_layer(MeanSubtraction, options, x.astype("float32"), tmp_path)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"mean": (1.0, 2.0)}, "`mean` must be three values"),
        ({"std": 0.0}, "`std` must be a positive number or three.*std=0.0"),
        ({"channel_order": "gbr"}, '"rgb" or "bgr". Received: .*gbr'),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        MeanSubtraction(**arguments)


@pytest.mark.parametrize(
    "arguments, shape, message",
    [
        ({}, (None, 4, 4, 1), "RGB images"),
        ({}, (None, 3), "RGB images"),
        ({"per_pixel": True}, (None, None, 4, 3), "images of a fixed size"),
    ],
)
def test_bad_shapes(arguments, shape, message):
    with pytest.raises(ValueError, match=message):
        MeanSubtraction(**arguments).build(shape)


def test_mean_image_too_small():
    layer = MeanSubtraction(per_pixel=True)
    layer.build((None, 4, 4, 3))
    with pytest.raises(ValueError, match=r"at least as large .*\(3, 4, 3\)"):
        layer.set_mean(np.zeros((3, 4, 3)))


def test_a_mean_that_cannot_be_set_is_refused():
    layer = MeanSubtraction()
    with pytest.raises(ValueError, match="must be built before `set_mean`"):
        layer.set_mean([1.0, 2.0, 3.0])
    layer.build((None, 8, 8, 3))
    for mean, match in (
        (np.zeros(4), r"Received: shape \(4,\)"),
        (np.zeros((8, 8)), r"Received: shape \(8, 8\)"),
        (np.zeros((3, 8, 8)), r"Received: shape \(3, 8, 8\)"),
        ([1.0, np.nan, 2.0], "must be finite"),
    ):
        with pytest.raises(ValueError, match=match):
            layer.set_mean(mean)
    with pytest.raises(ValueError, match="`data_format` must be"):
        MeanSubtraction(data_format="channels_middle")
