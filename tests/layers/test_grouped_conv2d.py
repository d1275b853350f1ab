import keras
import numpy as np
import pytest
from checks import check_layer
from checks import value_and_gradient

from keras_alexnet.layers import GroupedConv2D


def images(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def definition(x, kernel, bias, stride, pads, groups):
    """Convolution of each group, channels last, in float64."""
    x = np.pad(x.astype("float64"), ((0, 0), *pads, (0, 0)))
    height, width, inputs, filters = kernel.shape
    rows = (x.shape[1] - height) // stride + 1
    columns = (x.shape[2] - width) // stride + 1
    y = np.zeros((len(x), rows, columns, filters))
    share = filters // groups
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride, column * stride
            window = x[:, top : top + height, left : left + width]
            for filter_index in range(filters):
                first = filter_index // share * inputs
                y[:, row, column, filter_index] = (
                    window[..., first : first + inputs]
                    * kernel[..., filter_index]
                ).sum(axis=(1, 2, 3))
    return y + bias


@pytest.mark.parametrize("groups", [1, 2, 4, 12])
@pytest.mark.parametrize(
    "padding, stride, pads",
    [
        ("valid", 1, ((0, 0), (0, 0))),
        ("valid", 2, ((0, 0), (0, 0))),
        ("same", 1, ((1, 1), (1, 1))),
        # (7 - 3) / 3 is 1.33, (8 - 3) / 3 is 1.67: up to 2, so 2 and 1 zeros.
        ("ceil", 3, ((0, 2), (0, 1))),
        (2, 2, ((2, 2), (2, 2))),
        (0, 1, ((0, 0), (0, 0))),
    ],
)
def test_matches_the_definition(padding, stride, pads, groups):
    x = images(2, 7, 8, 12)
    layer = GroupedConv2D(
        24,
        3,
        strides=stride,
        padding=padding,
        groups=groups,
        bias_initializer="random_normal",
    )
    y = keras.ops.convert_to_numpy(layer(x))
    kernel, bias = map(keras.ops.convert_to_numpy, layer.weights)
    want = definition(x, kernel, bias, stride, pads, groups)
    np.testing.assert_allclose(y, want, atol=1e-4)
    assert layer.compute_output_shape(x.shape) == want.shape


@pytest.mark.parametrize(
    "options",
    [
        {"groups": 2},
        {"groups": 4, "strides": 2, "padding": "same"},
        {"groups": 2, "dilation_rate": 2},
        {"groups": 1, "padding": "same", "activation": "relu"},
    ],
)
def test_weights_interchange_with_keras(options):
    x = images(2, 9, 9, 8)
    ours, stock = (
        GroupedConv2D(16, 3, **options),
        keras.layers.Conv2D(16, 3, **options),
    )
    ours.build(x.shape), stock.build(x.shape)
    stock.set_weights(ours.get_weights())
    upstream = images(*stock.compute_output_shape(x.shape))
    for a, b in zip(
        value_and_gradient(ours, x, upstream),
        value_and_gradient(stock, x, upstream),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-4)
    ours.set_weights(stock.get_weights())


@pytest.mark.parametrize("padding", ["ceil", "same", 1])
def test_channels_first_is_the_transpose(padding):
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            pytest.skip("TensorFlow convolves channels first on GPUs only")
    x = images(2, 7, 8, 4)
    options = {"strides": 2, "padding": padding, "groups": 2}
    last = GroupedConv2D(6, 3, data_format="channels_last", **options)
    first = GroupedConv2D(6, 3, data_format="channels_first", **options)
    last.build(x.shape)
    first.build((2, 4, 7, 8))
    first.set_weights(last.get_weights())
    y, want = map(
        keras.ops.convert_to_numpy, (first(x.transpose(0, 3, 1, 2)), last(x))
    )
    np.testing.assert_allclose(y.transpose(0, 2, 3, 1), want, atol=1e-5)


@pytest.mark.parametrize(
    "size, kernel, stride, want",
    [(224, 11, 4, 55), (227, 11, 4, 55), (55, 3, 2, 27), (56, 3, 2, 28)],
)
def test_ceil_sizes(size, kernel, stride, want):
    layer = GroupedConv2D(1, kernel, strides=stride, padding="ceil")
    assert layer.compute_output_shape((1, size, size, 1))[1:3] == (want, want)


def test_ceil_agrees_with_valid_where_both_look_at_pixels():
    x = images(1, 224, 224, 3)
    up = GroupedConv2D(2, 11, strides=4, padding="ceil")
    down = GroupedConv2D(2, 11, strides=4, padding="valid")
    up.build(x.shape), down.build(x.shape)
    down.set_weights(up.get_weights())
    more, fewer = map(keras.ops.convert_to_numpy, (up(x), down(x)))
    np.testing.assert_allclose(more[:, :54, :54], fewer, atol=1e-4)


def test_unknown_image_size():
    layer = GroupedConv2D(4, 3, strides=2, padding="ceil", groups=2)
    model = keras.Sequential([keras.Input((None, None, 4)), layer])
    x = images(1, 8, 9, 4)
    assert model(x).shape == (1, 4, 4, 4)


@pytest.mark.parametrize(
    "options",
    [
        {"groups": 2},
        {"padding": "ceil", "strides": 2, "groups": 2},
        {"padding": 3, "activation": "relu"},
    ],
)
def test_layer_contract(options, tmp_path):
    arguments = {"filters": 4, "kernel_size": 3, **options}
    check_layer(GroupedConv2D, arguments, images(2, 8, 8, 4), tmp_path)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"padding": "full"}, '"valid", "same", "ceil" or an integer.*full'),
        ({"padding": -1}, "must be an integer, 0 or more. .*padding=-1"),
        ({"padding": 1.5}, "must be an integer, 0 or more. .*padding=1.5"),
        ({"groups": 3}, "groups"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        GroupedConv2D(4, 3, **arguments)


@pytest.mark.parametrize("padding", [None, (1, 1), -1, 0.5])
def test_padding_that_is_none(padding):
    with pytest.raises(ValueError, match="`padding` in pixels must be"):
        GroupedConv2D(4, 3, padding=padding)
