import keras
import numpy as np
import pytest
from checks import check_layer

from keras_alexnet.layers import CeilAveragePooling2D


def definition(x, size, stride):
    """Mean over the pixels of each window that exist, in NumPy."""
    count = 1 + -(-(x.shape[1] - size) // stride)
    starts = [stride * i for i in range(count)]
    rows = [
        [x[:, i : i + size, j : j + size].mean(axis=(1, 2)) for j in starts]
        for i in starts
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def test_by_hand():
    x = np.arange(1.0, 17.0, dtype="float32").reshape(1, 4, 4, 1)
    y = np.asarray(CeilAveragePooling2D(3, 2)(x))[0, :, :, 0]
    # Windows at rows and columns 0-2 and 2-3: of 9, 6, 6 and 4 pixels.
    np.testing.assert_allclose(y, [[6, 7.5], [12, 13.5]], rtol=1e-6)


@pytest.mark.parametrize("size", range(3, 20))
@pytest.mark.parametrize("pool_size, strides", [(3, 2), (2, 2), (3, 3), (3, 1)])
def test_matches_the_definition(size, pool_size, strides):
    x = np.random.default_rng(0).normal(size=(2, size, size, 3))
    x = x.astype("float32")
    layer = CeilAveragePooling2D(pool_size, strides)
    want = definition(x, pool_size, strides)
    assert layer.compute_output_shape(x.shape) == want.shape
    np.testing.assert_allclose(np.asarray(layer(x)), want, atol=1e-6)


@pytest.mark.parametrize("size", [4, 5, 6, 7, 13])
@pytest.mark.parametrize(
    "pool_size, strides, padding",
    [(3, 2, 0), (3, 2, 1), (3, 1, 1), (2, 2, 1), (5, 3, 2), (4, 3, 2)],
)
def test_padding_matches_pytorch(size, pool_size, strides, padding):
    torch = pytest.importorskip("torch", reason="PyTorch is a peer")
    x = np.random.default_rng(0).normal(size=(1, 2, size, size + 1))
    want = torch.nn.AvgPool2d(pool_size, strides, padding, ceil_mode=True)(
        torch.tensor(x, dtype=torch.float32)
    ).numpy()
    x = x.astype("float32").transpose(0, 2, 3, 1)
    layer = CeilAveragePooling2D(pool_size, strides, padding=padding)
    assert layer.compute_output_shape(x.shape)[1:3] == want.shape[2:]
    got = np.asarray(layer(x)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(got, want, atol=1e-6)
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, layer(inputs))
    got = model.predict(x, verbose=0).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_channels_first():
    x = np.random.default_rng(0).normal(size=(1, 2, 8, 7)).astype("float32")
    first = CeilAveragePooling2D(3, 2, data_format="channels_first")
    last = CeilAveragePooling2D(3, 2, data_format="channels_last")
    assert first.compute_output_shape(x.shape) == (1, 2, 4, 3)
    got = np.asarray(first(x)).transpose(0, 2, 3, 1)
    want = np.asarray(last(x.transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_sizes_that_are_known_only_at_run_time():
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, CeilAveragePooling2D(3, 2)(inputs))
    for size in (7, 8):
        x = np.random.default_rng(size).normal(size=(1, size, size, 1))
        np.testing.assert_allclose(
            model.predict(x.astype("float32"), verbose=0),
            definition(x, 3, 2),
            atol=1e-6,
        )


def test_layer_contract(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype("float32")
    arguments = {"pool_size": 3, "strides": 2}
    check_layer(CeilAveragePooling2D, arguments, x, tmp_path)


def test_strides_beyond_the_window():
    with pytest.raises(ValueError, match="must not exceed `pool_size`. .*3"):
        CeilAveragePooling2D(2, 3)
