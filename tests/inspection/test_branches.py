"""What is looked at in GoogLeNet, whose layers branch and are put together."""

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import small_inception

from keras_alexnet import inspection

if keras.backend.backend() != "tensorflow":
    pytest.skip("the gradients are TensorFlow's", allow_module_level=True)
if keras.config.image_data_format() != "channels_last":
    pytest.skip("images are channels last", allow_module_level=True)


@pytest.fixture(scope="module")
def network():
    return build(small_inception(), classifier_activation=None)


@pytest.fixture(scope="module")
def image(network):
    shape = (1, *network.input_shape[1:])
    return np.random.default_rng(0).normal(0, 50, shape).astype("float32")


def test_gradient_is_tensorflows(network, image):
    import tensorflow as tf

    x = tf.constant(image)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = network(x)[0, 3]
    wanted = tape.gradient(y, x).numpy()
    found = inspection.gradient(network, image, unit=3)
    np.testing.assert_allclose(
        found, wanted, rtol=1e-3, atol=1e-5 * np.abs(wanted).max()
    )


def test_integrated_gradients_add_up_to_the_difference(network, image):
    found = inspection.integrated_gradients(network, image, unit=3, steps=64)
    y = network(np.concatenate([image, np.zeros_like(image)]))
    y = keras.ops.convert_to_numpy(y)[:, 3]
    assert found.sum() == pytest.approx(y[0] - y[1], rel=0.1)


@pytest.mark.parametrize("method", ["deconvnet", "guided_backpropagation"])
def test_nothing_outside_the_receptive_field(method, network, image):
    layer = "inception_3b_3x3"
    field = inspection.receptive_fields(network)[layer]
    found = getattr(inspection, method)(
        network, image, layer, unit=1, position=(0, 0)
    )
    ends = [o + s for o, s in zip(field.offset, field.size, strict=True)]
    assert not found[:, ends[0] :].any() and not found[:, :, ends[1] :].any()
    assert found.any()


def test_maps_and_statistics(network, image):
    # Where all weights of a unit's maps are negative, its map is 0.
    found = [inspection.grad_cam(network, image, unit=u) for u in range(10)]
    assert {maps.shape for maps in found} == {(1, 5, 5)}
    assert np.min(found) == 0 and np.max(found) > 0
    statistics = inspection.layer_statistics(network, [image])
    assert "inception_4a_5x5" in statistics
    effect = inspection.lrn_effect(network, [image])
    assert list(effect) == ["pool1_norm1", "conv2_norm2"]
    # A plain average of the squares around each map.
    norm = network.get_layer("pool1_norm1")
    before = keras.ops.convert_to_numpy(
        keras.Model(network.input, norm.input)(image)
    )
    after = keras.ops.convert_to_numpy(norm(before))
    active = np.abs(before) > 0
    taken = 1 - after[active] / before[active]
    assert effect["pool1_norm1"].mean == pytest.approx(taken.mean(), rel=1e-3)
