"""The color of kernels, and whether columns differ in it."""

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import small

from keras_alexnet.inspection import chromatic_share
from keras_alexnet.inspection import color_specialization
from keras_alexnet.inspection import first_kernels


def two_columns(first, second):
    """A network whose columns have kernels of the given share of color."""
    model = build(small("paper", filters=(16, 16, 24, 12, 16)))
    layer = model.get_layer("conv1")
    random = np.random.default_rng(0)
    grey = random.normal(size=(11, 11, 1, 16))
    color = random.normal(size=(11, 11, 3, 16))
    color -= color.mean(axis=2, keepdims=True)
    for part in (grey, color):
        part /= np.sqrt((part**2).sum(axis=(0, 1, 2)))
    grey = np.repeat(grey, 3, axis=2) / np.sqrt(3)
    share = np.repeat([first, second], 8) + random.uniform(-0.04, 0.04, 16)
    kernel = np.sqrt(share) * color + np.sqrt(1 - share) * grey
    layer.set_weights([kernel.astype("float32"), layer.get_weights()[1]])
    return model, share


def test_the_share_of_random_kernels_is_two_thirds():
    random = np.random.default_rng(0)
    shares = chromatic_share(random.normal(size=(11, 11, 3, 4000)))
    assert shares.mean() == pytest.approx(2 / 3, abs=2e-3)
    # Neither the size of weights nor the order of channels matters.
    kernels = random.normal(size=(5, 5, 3, 4))
    np.testing.assert_allclose(
        chromatic_share(kernels), chromatic_share(-7 * kernels[:, :, ::-1])
    )
    assert np.isnan(chromatic_share(np.zeros((5, 5, 3, 1)))).all()
    with pytest.raises(ValueError, match="must have shape .*3, filters.*Rec"):
        chromatic_share(np.zeros((5, 5, 1, 4)))


def test_columns_that_differ_are_found():
    model, share = two_columns(0.2, 0.8)
    found = color_specialization(model, permutations=199)
    np.testing.assert_allclose(found.shares.ravel(), share, atol=1e-5)
    assert found.means == pytest.approx((0.2, 0.8), abs=0.03)
    assert found.ordered == 1
    assert found.p_value == pytest.approx(1 / 200)
    assert found.initial_mean == pytest.approx(2 / 3, abs=0.03)
    text = str(found)
    assert "column 1: mean 0.8" in text and "8 of 8 above 1/2" in text
    assert "p = 0.0050 (199 permutations)" in text
    np.testing.assert_array_equal(
        first_kernels(model), model.get_layer("conv1").get_weights()[0]
    )


def test_columns_that_do_not_differ_are_not():
    model, _ = two_columns(0.5, 0.5)
    found = color_specialization(model, permutations=199)
    assert found.p_value > 0.05
    assert 0.2 < found.ordered < 0.9
    again = color_specialization(model, permutations=199)
    assert (again.p_value, str(again)) == (found.p_value, str(found))


def test_p_values_are_uniform_without_specialization():
    random = np.random.default_rng(1)
    from keras_alexnet.inspection.kernels import _permutation_test

    values = [
        _permutation_test(random.uniform(size=(2, 8)), 49, random)
        for _ in range(300)
    ]
    # 300 draws: a standard error of 0.012 at one in twenty.
    assert np.mean(np.array(values) <= 0.1) == pytest.approx(0.1, abs=0.05)
    assert np.mean(values) == pytest.approx(0.51, abs=0.06)


def test_one_column_has_nothing_to_compare():
    found = color_specialization(build(small("owt")), permutations=9)
    assert found.shares.shape == (1, 8)
    assert found.p_value is None and found.ordered is None
    assert "permutation" not in str(found)


def test_what_has_no_color_is_refused():
    with pytest.raises(ValueError, match="`permutations` must be a positive"):
        color_specialization(build(small("owt")), permutations=0)
    model = build(small("owt"))
    kernel, bias = model.get_layer("conv1").get_weights()
    kernel[..., 0] = 0
    model.get_layer("conv1").set_weights([kernel, bias])
    with pytest.raises(ValueError, match="not zero. Received: 1 that are not"):
        color_specialization(model)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="must have a convolution. Received"):
        first_kernels(model)
