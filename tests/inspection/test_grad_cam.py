"""Grad-CAM: the definition, and its errors."""

import keras
import numpy as np
import pytest
from inspected_networks import small_network

from keras_alexnet.inspection import activations
from keras_alexnet.inspection import grad_cam

if keras.config.image_data_format() != "channels_last":
    pytest.skip("truths are channels last", allow_module_level=True)


def test_with_averaged_maps_it_is_the_class_activation_map():
    """Zhou's CAM: the weights of the last layer times the maps, by hand."""
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense(3, name="classes")
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            keras.layers.Conv2D(5, 3, activation="relu", name="conv"),
            keras.layers.GlobalAveragePooling2D(),
            dense,
        ]
    )
    images = np.random.default_rng(0).normal(size=(2, 12, 12, 3))
    found = grad_cam(model, images.astype("float32"), unit=[2, 0])
    maps = activations(model, images, ["conv"])["conv"]
    weights = keras.ops.convert_to_numpy(dense.kernel)[:, [2, 0]].T / 100
    wanted = np.maximum(np.einsum("nrcf,nf->nrc", maps, weights), 0)
    np.testing.assert_allclose(found, wanted, atol=1e-6)


@pytest.mark.parametrize(
    "preset, shape", [("six_conv", (2, 2)), ("cifar_13", (6, 6))]
)
def test_the_last_convolution_of_a_network(preset, shape):
    model = small_network(preset)
    images = np.random.default_rng(0).normal(0, 2, (2, *model.input_shape[1:]))
    found = grad_cam(model, images, unit=1)
    assert found.shape == (2, *shape) and found.min() >= 0
    earlier = grad_cam(model, images, unit=1, maps="conv2")
    assert earlier.shape[1] > shape[0] - 1
    assert np.abs(earlier).max() > 0


def test_other_maps_are_refused():
    model = small_network("paper")
    images = np.zeros((1, 99, 99, 3))
    for options, match in (
        ({"maps": "fc6"}, "`maps` must be a layer of maps. Rec.*'fc6'"),
        ({"maps": "conv9"}, "`layer` must be the name .*'conv9'"),
        (
            {"layer": "conv2", "maps": "conv3"},
            "`maps` must come before 'conv2'",
        ),
        ({"unit": 10}, "`unit` must be in 0 to 9"),
    ):
        with pytest.raises(ValueError, match=match):
            grad_cam(model, images, **options)
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="`maps` must be given for a model wi"):
        grad_cam(model, np.zeros((1, 4, 4, 3)))
