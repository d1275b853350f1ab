import keras
import numpy as np
import pytest
from colored_pictures import network
from small_networks import build
from small_networks import predict
from small_networks import small

from keras_alexnet.evaluation import Ensemble
from keras_alexnet.models import CIFARNet
from keras_alexnet.retrieval import layer_features


def images(count=3, side=113):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, side, side, 3), "uint8")


@pytest.mark.parametrize(
    "model, side, size, layer",
    [
        (lambda: network(), 113, 99, "fc7"),
        (lambda: network("owt"), 109, 95, "pool5"),
        (
            lambda: CIFARNet(
                architecture="cifar_18", include_preprocessing=True
            ),
            32,
            32,
            "pool3",
        ),
    ],
    ids=["paper", "owt", "cifar_18"],
)
def test_the_layer_of_the_center_view(model, side, size, layer):
    model, x = model(), images(side=side)
    low = (side - size) // 2
    crop = x[:, low : low + size, low : low + size].astype("float32")
    part = keras.Model(model.input, model.get_layer(layer).output)
    want = predict(part, crop)
    got = layer_features(model, x, layer, batch_size=2)
    assert got.std() > 0 and got.dtype == "float32"
    np.testing.assert_allclose(got, want.reshape(3, -1), rtol=1e-4, atol=1e-4)


def test_columns_say_the_same():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("columns are TensorFlow's")
    from keras_alexnet.distribution import ColumnParallelStrategy
    from keras_alexnet.distribution import to_columns

    model, x = network(), images()
    with ColumnParallelStrategy(["/CPU:0", "/CPU:1"]).scope():
        columns = to_columns(model)
    want = layer_features(model, x)
    np.testing.assert_allclose(layer_features(columns, x), want, rtol=1e-4)


def test_images_of_any_shape():
    x = images(1, 150)[0]
    both = layer_features(network(), [x, x[:, 20:130].astype("float64")])
    assert both.shape == (2, 24) and not np.array_equal(*both)


def without_finite_weights():
    model = network()
    kernel = model.get_layer("fc6").kernel
    kernel.assign(keras.ops.full(kernel.shape, np.nan))
    return model


@pytest.mark.parametrize(
    "model, layer, message",
    [
        (lambda: network(), "fc9", "`layer` must name.*layer='fc9', .*'fc7'"),
        (lambda: Ensemble([network()]), "fc7", "functional.*Ensemble of lay"),
        (lambda: "net.keras", "fc7", r"functional.*str of layers \[\]"),
        (lambda: build(small("paper")), "fc7", "`include_preprocessing=True"),
        (without_finite_weights, "fc7", "must be finite.*fc6/kernel"),
    ],
)
def test_models_that_give_no_features(model, layer, message):
    with pytest.raises(ValueError, match=message):
        layer_features(model(), images(), layer)


@pytest.mark.parametrize(
    "image, message",
    [
        (np.zeros((8, 8), "uint8"), r"RGB array.*shape=\(8, 8\)"),
        (np.zeros((0, 8, 3), "uint8"), r"RGB array.*shape=\(0, 8, 3\)"),
        (np.full((8, 8, 3), 0.5), "0-255. Received: floats of at most 0.5"),
        (np.full((8, 8, 3), np.nan), "0-255. Received: from nan"),
        (np.full((8, 8, 3), 300), "0-255. Received: from 300 to 300"),
    ],
)
def test_arrays_that_are_no_images(image, message):
    with pytest.raises(ValueError, match=message):
        layer_features(network(), [image])


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`images` must be one or more"):
        layer_features(network(), [])
    with pytest.raises(ValueError, match="positive integer.*batch_size=0"):
        layer_features(network(), images(), batch_size=0)
