import keras
import numpy as np
import pytest
from small_networks import build

from keras_alexnet.layers import MaxRMS
from keras_alexnet.models import ZFNET
from keras_alexnet.models import with_width
from keras_alexnet.training import AlexNetSGD


def rms(kernel):
    return np.sqrt((np.asarray(kernel) ** 2).mean(axis=(0, 1, 2)))


def test_each_filter_is_limited_by_itself():
    kernel = np.random.default_rng(0).normal(0, 1, (3, 3, 4, 5))
    wanted = np.array([0.05, 0.0999, 0.1, 0.2, 3.0])
    kernel *= wanted / rms(kernel)
    found = keras.ops.convert_to_numpy(MaxRMS(0.1)(kernel.astype("float32")))
    np.testing.assert_allclose(
        rms(found), [0.05, 0.0999, 0.1, 0.1, 0.1], rtol=1e-5
    )
    # Directions stay.
    np.testing.assert_allclose(
        found / rms(found), kernel / rms(kernel), rtol=1e-4, atol=1e-5
    )


def test_a_filter_of_zeros_stays():
    found = keras.ops.convert_to_numpy(MaxRMS()(np.zeros((3, 2), "float32")))
    assert (found == 0).all()


def test_zfnet_keeps_its_filters_small_in_training():
    model = build(with_width(ZFNET, 1 / 16), input_shape=(64, 64, 3))
    conv, dense = model.get_layer("conv2"), model.get_layer("fc6")
    assert dense.kernel_constraint is None
    conv.kernel.assign(conv.kernel + 0.5)
    model.compile(AlexNetSGD(1e-6), "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).normal(0, 50, (4, 64, 64, 3))
    model.fit(x, np.arange(4), verbose=0)
    np.testing.assert_allclose(
        rms(keras.ops.convert_to_numpy(conv.kernel)), 0.1, rtol=1e-5
    )
    # The others are as small as they began.
    assert rms(model.get_layer("conv3").get_weights()[0]).max() < 0.02


def test_it_is_saved_with_its_limit():
    config = keras.constraints.serialize(MaxRMS(0.3))
    assert keras.constraints.deserialize(config).max_value == 0.3


@pytest.mark.parametrize("value", [0, -1.0, float("nan")])
def test_impossible_limits(value):
    with pytest.raises(ValueError, match="`max_value` must be positive"):
        MaxRMS(value)
