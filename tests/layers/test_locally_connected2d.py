import keras
import numpy as np
import pytest
from checks import check_layer
from checks import value_and_gradient

from keras_alexnet.layers import LocallyConnected2D

GEOMETRIES = [
    # height, width, kernel_size, strides, padding
    (6, 6, 3, 1, "same"),
    (6, 6, 3, 1, "valid"),
    (5, 8, (2, 3), 1, "valid"),
    (5, 8, (2, 3), (2, 1), "same"),
    (7, 6, 4, 2, "same"),
    (7, 6, 3, (2, 3), "valid"),
    (4, 4, 1, 3, "same"),
    (3, 3, 5, 1, "same"),
]


def built(height, width, kernel_size, strides, padding, **options):
    """A layer with random weights and channels last, and an input for it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, height, width, 3)).astype("float32")
    options = {"data_format": "channels_last", **options}
    layer = LocallyConnected2D(4, kernel_size, strides, padding, **options)
    first = layer.data_format == "channels_first"
    layer.build(x.transpose(0, 3, 1, 2).shape if first else x.shape)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    return layer, x


def definition(x, kernel, bias, kernel_size, strides, padding):
    """A sum over each window, pixel by pixel."""
    rows, columns = np.broadcast_to(kernel_size, 2)
    down, right = np.broadcast_to(strides, 2)
    height, width, filters = bias.shape
    spare = (
        max(down * (height - 1) + rows - x.shape[1], 0),
        max(right * (width - 1) + columns - x.shape[2], 0),
    )
    if padding == "same":
        pads = [(side // 2, side - side // 2) for side in spare]
        x = np.pad(x, [(0, 0), *pads, (0, 0)])
    y = np.zeros((len(x), height, width, filters))
    for i in range(height):
        for j in range(width):
            window = x[
                :,
                down * i : down * i + rows,
                right * j : right * j + columns,
            ]
            flat = window.reshape(len(x), -1).astype("float64")
            y[:, i, j] = flat @ kernel[i * width + j] + bias[i, j]
    return y


def test_by_hand():
    layer = LocallyConnected2D(1, 2, data_format="channels_last")
    layer.build((None, 2, 3, 1))
    kernel = np.array([[1, 0, 0, 0], [0, 0, 0, 10]]).reshape(2, 4, 1)
    layer.set_weights([kernel, np.array([[[0.5], [0.25]]])])
    x = np.arange(1.0, 7.0, dtype="float32").reshape(1, 2, 3, 1)
    # The first window's upper left pixel; the second's lower right one.
    y = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_array_equal(y.ravel(), [1.5, 60.25])


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_matches_the_definition(geometry):
    layer, x = built(*geometry)
    want = definition(x, *layer.get_weights(), *geometry[2:])
    assert layer.compute_output_shape(x.shape) == want.shape
    y = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(y, want, atol=1e-5)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_channels_first_is_the_same_function_of_the_same_weights(geometry):
    last, x = built(*geometry)
    first, _ = built(*geometry, data_format="channels_first")
    first.set_weights(last.get_weights())
    x_first = x.transpose(0, 3, 1, 2)
    y = keras.ops.convert_to_numpy(first(x_first))
    assert first.compute_output_shape(x_first.shape) == y.shape
    want = keras.ops.convert_to_numpy(last(x))
    np.testing.assert_allclose(y.transpose(0, 2, 3, 1), want, atol=1e-5)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2])
def test_matches_unfolding_in_pytorch(strides, padding):
    torch = pytest.importorskip("torch", reason="PyTorch is a peer")
    # Odd, so that PyTorch's symmetric padding is "same".
    layer, x = built(7, 7, 3, strides, padding)
    kernel, bias = (torch.tensor(w) for w in layer.get_weights())
    images = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    windows = torch.nn.functional.unfold(
        images, 3, padding=int(padding == "same"), stride=strides
    )
    # Unfolding counts channels before pixels; the layer, after.
    windows = windows.reshape(len(x), 3, 9, -1).transpose(1, 2)
    windows = windows.reshape(len(x), 27, -1)
    want = torch.einsum("bkp,pkf->bpf", windows, kernel)
    want = want.reshape(len(x), *bias.shape) + bias
    upstream = np.random.default_rng(1).normal(size=want.shape)
    upstream = upstream.astype("float32")
    want.backward(torch.tensor(upstream))
    y, gradient = value_and_gradient(layer, x, upstream)
    np.testing.assert_allclose(y, want.detach().numpy(), atol=1e-5)
    want = images.grad.numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(gradient, want, atol=1e-5)


def test_matches_keras_2():
    tf_keras = pytest.importorskip("tf_keras", reason="Keras 2 is a peer")
    # Keras 2 has weights of this layout for padding "valid" alone.
    layer, x = built(6, 5, 3, 1, "valid")
    peer = tf_keras.layers.LocallyConnected2D(4, 3)
    peer.build(x.shape)
    peer.set_weights(layer.get_weights())
    y = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(y, np.asarray(peer(x)), atol=1e-5)


def test_equal_kernels_are_a_convolution():
    layer, x = built(6, 6, 3, 1, "same", use_bias=False)
    shared = layer.get_weights()[0][:1]
    layer.set_weights([np.repeat(shared, 36, axis=0)])
    convolution = keras.layers.Conv2D(
        4, 3, padding="same", use_bias=False, data_format="channels_last"
    )
    convolution.build(x.shape)
    convolution.set_weights([shared.reshape(3, 3, 3, 4)])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(layer(x)),
        keras.ops.convert_to_numpy(convolution(x)),
        atol=1e-5,
    )


def test_a_fan_is_that_of_one_window():
    layer = LocallyConnected2D(50, 3, kernel_initializer="he_normal")
    layer.build((None, 10, 10, 4) if _last() else (None, 4, 10, 10))
    std = layer.get_weights()[0].std()
    assert std == pytest.approx((2 / 36) ** 0.5, rel=0.02)


def test_other_initializers_are_as_given():
    initializer = keras.initializers.RandomNormal(stddev=0.04)
    layer = LocallyConnected2D(50, 3, kernel_initializer=initializer)
    layer.build((None, 10, 10, 4) if _last() else (None, 4, 10, 10))
    assert layer.get_weights()[0].std() == pytest.approx(0.04, rel=0.02)


def _last():
    return keras.config.image_data_format() == "channels_last"


def test_layer_contract(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype("float32")
    arguments = {
        "filters": 4,
        "kernel_size": (3, 2),
        "strides": (2, 1),
        "padding": "same",
        "activation": "relu",
        "kernel_regularizer": keras.regularizers.L2(0.1),
        "bias_constraint": keras.constraints.NonNeg(),
    }
    y = check_layer(LocallyConnected2D, arguments, x, tmp_path)
    assert (y >= 0).all()


def test_regularizers_are_losses():
    layer, x = built(
        4, 4, 3, 1, "valid", kernel_regularizer=keras.regularizers.L2(0.5)
    )
    want = 0.5 * (layer.get_weights()[0] ** 2).sum()
    layer(x)
    assert float(layer.losses[0]) == pytest.approx(want, rel=1e-5)


def test_trains():
    layer, x = built(6, 6, 3, 1, "same")
    y = keras.ops.convert_to_numpy(layer(x))
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            LocallyConnected2D(
                4, 3, padding="same", data_format="channels_last"
            ),
        ]
    )
    model.compile(keras.optimizers.SGD(0.5), "mse")
    losses = model.fit(x, y, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"filters": 0},
            "`filters` must be an integer, 1 or more. .*filters=0",
        ),
        ({"kernel_size": 1.5}, "`kernel_size` must be an integer.*=1.5"),
        ({"kernel_size": (1, 2, 3)}, "`kernel_size` must be .* a pair"),
        ({"strides": (1, 0)}, "`strides` must be an integer, 1 or more"),
        ({"padding": "ceil"}, "`padding` must be one of .*'ceil'"),
        ({"data_format": "last"}, "`data_format` must be one of .*'last'"),
    ],
)
def test_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        LocallyConnected2D(**{"filters": 4, "kernel_size": 3, **changes})


def test_images_of_no_fixed_size():
    with pytest.raises(ValueError, match="must have a fixed size.*None"):
        LocallyConnected2D(4, 3)(keras.Input((None, None, 3)))


def test_images_smaller_than_the_window():
    layer = LocallyConnected2D(4, 3, data_format="channels_last")
    with pytest.raises(ValueError, match="smaller than the window.*2, 5, 3"):
        layer.build((None, 2, 5, 3))
