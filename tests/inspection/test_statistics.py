"""Activations, dead units, the effect of LRN: counted by hand."""

import keras
import numpy as np
import pytest
from inspected_networks import small_network
from small_networks import outputs

from keras_alexnet.inspection import activations
from keras_alexnet.inspection import layer_statistics
from keras_alexnet.inspection import lrn_effect
from keras_alexnet.layers import LocalResponseNormalization

if keras.config.image_data_format() != "channels_last":
    pytest.skip("truths are channels last", allow_module_level=True)


def pictures(model, count=6):
    random = np.random.default_rng(0)
    shape = (count, *model.input_shape[1:])
    return random.normal(0, 2, shape).astype("float32")


def test_activations_are_what_the_layers_give():
    model = small_network("paper")
    images = pictures(model)
    names = ["conv1", "norm1", "fc7", "prob"]
    found = activations(model, images, names)
    assert list(found) == names
    for name, wanted in zip(names, outputs(model, images, names), strict=True):
        np.testing.assert_allclose(found[name], wanted, atol=1e-5)
    assert len(activations(model, images)) == len(model.layers) - 1
    with pytest.raises(ValueError, match="`layer` must be the name .*'conv7'"):
        activations(model, images, ["conv7"])


@pytest.mark.parametrize("preset", ["paper", "code_2012", "cifar_13"])
def test_statistics_of_batches_are_those_of_all(preset):
    model = small_network(preset)
    images = pictures(model, 5)
    batches = [(images[:2], np.zeros(2)), (images[2:], np.zeros(3))]
    found = layer_statistics(model, batches)
    names = ["conv2", "fc6"]
    for name, y in zip(names, outputs(model, images, names), strict=True):
        one = found[name]
        assert one.mean == pytest.approx(y.mean(), rel=1e-4)
        assert one.std == pytest.approx(y.std(), rel=1e-4)
        assert one.largest == pytest.approx(y.max(), rel=1e-5)
        assert one.zeros == pytest.approx((y == 0).mean())
        assert one.channels == y.shape[-1]
        if one.dead_units is not None:
            dead = (y <= 0).all(axis=0)
            assert one.dead_units == pytest.approx(dead.mean())
            silent = dead.reshape(-1, y.shape[-1]).all(axis=0)
            assert one.dead_channels == tuple(np.flatnonzero(silent))
    assert found[model.layers[-2].name].dead_units is None
    again = layer_statistics(model, images, batch_size=4)
    assert again["conv2"].mean == pytest.approx(found["conv2"].mean, rel=1e-4)


def test_dead_units_are_found():
    model = small_network("paper")
    kernel, bias = model.get_layer("conv2").get_weights()
    bias[[3, 5]] = -1e6
    model.get_layer("conv2").set_weights([kernel, bias])
    found = layer_statistics(model, pictures(model))
    assert set(found["conv2"].dead_channels) >= {3, 5}
    assert found["conv2"].dead_units >= 2 / 16
    # A unit that fires at one place for one image is not dead.
    assert found["conv1"].dead_channels == ()
    # A ReLU of its own, behind a norm and a pooling.
    model = small_network("code_2012")
    assert layer_statistics(model, pictures(model))["relu1"].dead_units < 1


def test_the_effect_of_lrn_by_hand():
    # One channel of two: 1 / (1 + 3**2) and so on, beta 1.
    norm = LocalResponseNormalization(
        k=2.0, n=3, alpha=1.0, beta=1.0, name="norm"
    )
    model = keras.Sequential([keras.Input((1, 1, 2)), norm])
    x = np.array([[1.0, 3.0], [0.0, 2.0]], "float32").reshape(2, 1, 1, 2)
    found = lrn_effect(model, x)["norm"]
    # b / a: 1 / 12 twice, and 1 / 6; times k: 1/6, 1/6, 1/3; zero is left out.
    suppressed = [5 / 6, 5 / 6, 2 / 3]
    assert found.mean == pytest.approx(np.mean(suppressed), rel=1e-5)
    assert found.largest == pytest.approx(5 / 6, rel=1e-5)
    left = (1 + 9) / 36 + 4 / 9
    assert found.energy == pytest.approx(1 - left / 14, rel=1e-5)


def test_lrn_that_does_nothing_is_told():
    model = small_network("paper")
    images = pictures(model)
    small, large = (lrn_effect(model, s * images) for s in (1e-3, 100))
    assert list(small) == ["norm1", "norm2"]
    assert small["norm1"].mean < 1e-3 < 0.2 < large["norm1"].mean
    assert 0 <= large["norm1"].energy <= 1
    silent = lrn_effect(model, np.zeros_like(images))
    assert silent["norm1"].mean < 1e-3
    assert lrn_effect(small_network("owt"), np.zeros((1, 95, 95, 3))) == {}


@pytest.mark.parametrize("function", [layer_statistics, lrn_effect])
def test_wrong_images_are_refused(function):
    model = small_network("cifar_26")
    with pytest.raises(ValueError, match="`images` must hold at least one"):
        function(model, [])
    with pytest.raises(ValueError, match="gone through again. Rec.*generator"):
        function(model, (x for x in [np.zeros((1, 32, 32, 3))]))
    with pytest.raises(ValueError, match="`images` must be finite"):
        function(model, np.full((1, 32, 32, 3), np.nan))
    with pytest.raises(ValueError, match="`images` must have shape"):
        function(model, [np.zeros((32, 32, 3))])
    for size in (0, 1.5, True):
        with pytest.raises(ValueError, match="`batch_size` must be a positive"):
            function(model, np.zeros((1, 32, 32, 3)), size)
