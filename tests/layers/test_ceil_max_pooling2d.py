import keras
import numpy as np
import pytest
from checks import check_layer

from keras_alexnet.layers import CeilMaxPooling2D


def test_by_hand():
    x = -np.arange(1.0, 17.0, dtype="float32").reshape(1, 4, 4, 1)
    y = np.asarray(CeilMaxPooling2D(3, 2)(x))[0, :, :, 0]
    # Windows at rows and columns 0-2 and 2-3; what hangs over is no zero.
    np.testing.assert_array_equal(y, [[-1, -3], [-9, -11]])


@pytest.mark.parametrize("size", range(2, 20))
@pytest.mark.parametrize("pool_size, strides", [(3, 2), (2, 2), (3, 3), (3, 1)])
def test_matches_pytorch(size, pool_size, strides):
    torch = pytest.importorskip("torch", reason="PyTorch is a peer")
    if size < pool_size:
        pytest.skip("PyTorch refuses images smaller than the window")
    x = np.random.default_rng(0).normal(size=(1, 2, size, size))
    want = torch.nn.MaxPool2d(pool_size, strides, ceil_mode=True)(
        torch.tensor(x, dtype=torch.float32)
    ).numpy()
    x = x.astype("float32").transpose(0, 2, 3, 1)
    layer = CeilMaxPooling2D(pool_size, strides)
    got = np.asarray(layer(x)).transpose(0, 3, 1, 2)
    assert layer.compute_output_shape(x.shape)[1] == want.shape[2]
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("size", [4, 5, 6, 7, 13])
@pytest.mark.parametrize(
    "pool_size, strides, padding",
    [(3, 2, 1), (3, 1, 1), (2, 2, 1), (5, 3, 2), (4, 3, 2), (3, 3, 1)],
)
def test_padding_matches_pytorch(size, pool_size, strides, padding):
    torch = pytest.importorskip("torch", reason="PyTorch is a peer")
    x = np.random.default_rng(0).normal(size=(1, 2, size, size + 1)) - 3
    want = torch.nn.MaxPool2d(pool_size, strides, padding, ceil_mode=True)(
        torch.tensor(x, dtype=torch.float32)
    ).numpy()
    x = x.astype("float32").transpose(0, 2, 3, 1)
    layer = CeilMaxPooling2D(pool_size, strides, padding=padding)
    got = np.asarray(layer(x)).transpose(0, 3, 1, 2)
    assert layer.compute_output_shape(x.shape)[1:3] == want.shape[2:]
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("size", [(7, 7), (8, 8), (8, 11)])
def test_sizes_that_only_the_graph_knows(size):
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, CeilMaxPooling2D(3, 2)(inputs))
    x = np.random.default_rng(0).normal(size=(2, *size, 2)).astype("float32")
    np.testing.assert_array_equal(
        model.predict(x, verbose=0),
        keras.ops.convert_to_numpy(CeilMaxPooling2D(3, 2)(x)),
    )


def test_layer_contract(tmp_path):
    x = np.random.default_rng(0).normal(size=(2, 8, 6, 3)).astype("float32")
    arguments = {"pool_size": 3, "strides": 2}
    check_layer(CeilMaxPooling2D, arguments, x, tmp_path)
    padded = {**arguments, "padding": (1, 2)}
    check_layer(CeilMaxPooling2D, padded, x, tmp_path)


@pytest.mark.parametrize("padding", ["same", 3, -1, 0.5, (1, 1, 1)])
def test_paddings_that_are_none(padding):
    with pytest.raises(ValueError, match="`padding` must be an integer .*Rec"):
        CeilMaxPooling2D(3, 2, padding=padding)


def test_strides_beyond_the_window():
    with pytest.raises(ValueError, match="must not exceed `pool_size`. .*3"):
        CeilMaxPooling2D(2, 3)
