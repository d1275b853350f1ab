"""Maps of networks whose channels come first, on backends that have them."""

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import small

from keras_alexnet import inspection
from keras_alexnet.models import to_fully_convolutional

if keras.backend.backend() == "tensorflow":
    pytest.skip("TensorFlow has none on CPUs", allow_module_level=True)


@pytest.fixture
def pair():
    """The same network in both layouts, and images of the second."""
    last = build(small("paper"))
    keras.config.set_image_data_format("channels_first")
    try:
        first = build(small("paper"))
        first.set_weights(last.get_weights())
        shape = (2, 99, 99, 3)
        images = np.random.default_rng(0).normal(0, 2, shape)
        yield first, last, images.astype("float32")
    finally:
        keras.config.set_image_data_format("channels_last")


def in_last(function, *arguments):
    """Calls a function with the other layout in force."""
    keras.config.set_image_data_format("channels_last")
    try:
        return function(*arguments)
    finally:
        keras.config.set_image_data_format("channels_first")


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: inspection.gradient(m, x, "conv3", None, (2, 1)),
        lambda m, x: inspection.deconvnet(m, x, "conv5", 5),
        lambda m, x: inspection.guided_backpropagation(m, x, "conv4"),
    ],
)
def test_signals_sent_back(function, pair):
    first, last, images = pair
    found = function(first, images.transpose(0, 3, 1, 2))
    wanted = in_last(function, last, images)
    assert np.abs(wanted).max() > 0
    np.testing.assert_allclose(
        found.transpose(0, 2, 3, 1),
        wanted,
        atol=1e-4 * np.abs(wanted).max(),
    )


def test_other_maps(pair):
    first, last, images = pair
    x = images.transpose(0, 3, 1, 2)

    def cam(model, x):
        return inspection.grad_cam(model, x, 5, layer="conv5", maps="conv2")

    np.testing.assert_allclose(
        cam(first, x), in_last(cam, last, images), atol=1e-4
    )
    assert inspection.receptive_fields(first) == in_last(
        inspection.receptive_fields, last
    )
    found = inspection.top_patches(first, x, "conv2", [3], count=2)
    wanted = in_last(inspection.top_patches, last, images, "conv2", [3], 2)
    np.testing.assert_allclose(found.patches, wanted.patches, atol=1e-6)
    assert inspection.occlusion(first, x[0], stride=40).label.shape == (3, 3)
    dense = to_fully_convolutional(first)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(dense(x))[:, :, 0, 0],
        keras.ops.convert_to_numpy(first(x)),
        atol=1e-5,
    )
