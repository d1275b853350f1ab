"""Layouts, by outputs: the same sums over the same pixels."""

import numpy as np
import pytest

from keras_alexnet.weights.kernel_layouts import conv_from_oihw
from keras_alexnet.weights.kernel_layouts import conv_to_oihw
from keras_alexnet.weights.kernel_layouts import dense_from_oi
from keras_alexnet.weights.kernel_layouts import dense_to_oi


def test_a_dense_layer_sees_the_same_pixels():
    rng = np.random.default_rng(0)
    image = rng.normal(size=(5, 3, 3))
    kernel = rng.normal(size=(7, 45))
    ours = image.transpose(1, 2, 0).ravel() @ dense_from_oi(kernel, channels=5)
    np.testing.assert_allclose(ours, kernel @ image.ravel())


def test_a_window_sees_the_same_pixels():
    rng = np.random.default_rng(0)
    window = rng.normal(size=(4, 5, 5))
    kernel = rng.normal(size=(6, 4, 5, 5))
    theirs = np.tensordot(kernel, window, 3)
    ours = np.tensordot(window.transpose(1, 2, 0), conv_from_oihw(kernel), 3)
    np.testing.assert_allclose(ours, theirs)


@pytest.mark.parametrize("channels", [None, 5])
def test_inverses(channels):
    dense = np.arange(90.0).reshape(2, 45)
    there = dense_from_oi(dense, channels)
    np.testing.assert_array_equal(dense_to_oi(there, channels), dense)
    conv = np.arange(24.0).reshape(2, 3, 2, 2)
    np.testing.assert_array_equal(conv_to_oihw(conv_from_oihw(conv)), conv)


def test_a_map_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match="45 inputs .* map of 9 channels"):
        dense_from_oi(np.zeros((2, 45)), channels=9)
