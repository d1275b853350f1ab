"""The weights that are part of the package do what their cards say."""

import dataclasses
import json
import pathlib
import re
import zlib

import keras
import numpy as np
import pytest

from keras_alexnet.data import evaluation_data
from keras_alexnet.data import load_source
from keras_alexnet.evaluation import evaluate
from keras_alexnet.models import CIFAR_11
from keras_alexnet.models import AlexNet
from keras_alexnet.models import CIFARNet
from keras_alexnet.models import load_network
from keras_alexnet.models import load_weights
from keras_alexnet.weights import SHIPPED

CIFAR10 = SHIPPED["cifar10"]
EACH = pytest.mark.parametrize("preset", list(CIFAR10.paths))
# What each network said when it was made part of the package.
STORED = pathlib.Path(__file__).parent / "shipped_outputs.json"

if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)


def smooth_images():
    """Eight images of colored waves, which are the same everywhere."""
    row, column = np.mgrid[:24, :24] / 24
    images = [
        [
            np.sin(6 * (k + 1) * row + c) + np.cos(5 * k * column + 2 * c)
            for c in range(3)
        ]
        for k in range(8)
    ]
    return np.moveaxis(127 + 60 * np.array(images), 1, -1).astype("float32")


@EACH
def test_outputs_are_those_that_were_stored(preset):
    network = load_network("cifar10", preset)
    assert network.architecture.name == preset
    found = keras.ops.convert_to_numpy(network(smooth_images()))
    wanted = json.loads(STORED.read_text())[preset]
    np.testing.assert_allclose(found, wanted, atol=2e-4)
    # They are no constants.
    assert np.ptp(wanted, axis=0).max() > 0.2


@EACH
def test_all_ways_to_load_it(preset):
    x = smooth_images()
    options = {"architecture": preset, "include_preprocessing": True}
    network = CIFARNet(weights="cifar10", **options)
    wanted = keras.ops.convert_to_numpy(network(x))
    other = CIFARNet(**options)
    load_weights(other, "cifar10")
    for model in (other, load_network("cifar10", preset)):
        found = keras.ops.convert_to_numpy(model(x))
        np.testing.assert_array_equal(found, wanted)


def test_without_an_architecture_it_is_the_13_percent_net():
    network = CIFARNet(weights="cifar10")
    assert network.architecture.name == "cifar_13"
    assert load_network("cifar10").architecture == network.architecture
    assert AlexNet(weights="cifar10").architecture == network.architecture
    features = CIFARNet(include_top=False, weights="cifar10")
    assert len(features.output_shape) == 4
    again = CIFARNet(weights="cifar10", include_top=False, pooling="avg")
    assert again.output_shape == (None, features.output_shape[-1])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="`classes` must be 10. .*classes=7"):
        CIFARNet(weights="cifar10", classes=7)
    with pytest.raises(
        ValueError,
        match="'cifar_13'.*Received: 'cifar_18'. 'cifar_13' has another",
    ):
        CIFARNet(weights="cifar10", architecture="cifar_18")
    other = dataclasses.replace(CIFAR_11, lrn_n=5)
    with pytest.raises(
        ValueError, match="'cifar_11' has another lrn_n: 9, not 5"
    ):
        CIFARNet(weights="cifar10", architecture=other)


def test_the_files_are_small_and_have_cards():
    paths = [path for kind in SHIPPED.values() for path in kind.paths.values()]
    assert sorted(paths) == sorted(paths[0].parent.glob("*.safetensors"))
    # As they are in a wheel, which is a zip file.
    assert sum(len(zlib.compress(p.read_bytes())) for p in paths) < 6e6
    for shipped in SHIPPED.values():
        for preset, path in shipped.paths.items():
            card = path.with_suffix(".md").read_text()
            assert f'CIFARNet(architecture="{preset}")' in card
            assert ", ".join(shipped.class_names) in card
            assert "Apache-2.0" in card


@pytest.mark.parametrize(
    "views",
    ["center", pytest.param("ten", marks=pytest.mark.slow)],
)
@EACH
def test_the_error_is_that_of_the_card(preset, views, shared_tfds):
    card = CIFAR10.paths[preset].with_suffix(".md").read_text()
    name = {"center": "central view", "ten": "ten views"}[views]
    stated = float(re.search(rf"error, {name} \| ([\d.]+)%", card)[1])
    source = load_source("cifar10", shared_tfds)
    assert tuple(source.class_names) == CIFAR10.class_names
    data = evaluation_data(source, resize=32)
    errors = evaluate(load_network("cifar10", preset), data, views)
    assert len(errors.labels) == 10_000
    # Rounding may turn some images of nearly equal probabilities.
    assert 100 * errors.top1_error == pytest.approx(stated, abs=0.05)
