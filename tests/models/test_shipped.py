"""The weights that are part of the package do what their cards say."""

import json
import pathlib
import re

import keras
import numpy as np
import pytest

from keras_alexnet.data import evaluation_data
from keras_alexnet.data import load_source
from keras_alexnet.evaluation import evaluate
from keras_alexnet.models import AlexNet
from keras_alexnet.models import CIFARNet
from keras_alexnet.models import load_network
from keras_alexnet.models import load_weights
from keras_alexnet.weights import SHIPPED

CIFAR10 = SHIPPED["cifar10"]
# What the network said when it was made part of the package.
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


def test_outputs_are_those_that_were_stored():
    network = load_network("cifar10")
    found = keras.ops.convert_to_numpy(network(smooth_images()))
    wanted = json.loads(STORED.read_text())
    np.testing.assert_allclose(found, wanted, atol=2e-4)
    # They are no constants.
    assert np.ptp(wanted, axis=0).max() > 0.2


def test_all_ways_to_load_it():
    x = smooth_images()
    network = CIFARNet(weights="cifar10", include_preprocessing=True)
    wanted = keras.ops.convert_to_numpy(network(x))
    other = CIFARNet(include_preprocessing=True)
    load_weights(other, "cifar10")
    for model in (other, load_network("cifar10", "cifar_13")):
        found = keras.ops.convert_to_numpy(model(x))
        np.testing.assert_array_equal(found, wanted)
    assert AlexNet(weights="cifar10").architecture == network.architecture
    features = CIFARNet(include_top=False, weights="cifar10")
    assert len(features.output_shape) == 4
    again = CIFARNet(weights="cifar10", include_top=False, pooling="avg")
    assert again.output_shape == (None, features.output_shape[-1])


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="`classes` must be 10. .*classes=7"):
        CIFARNet(weights="cifar10", classes=7)
    with pytest.raises(ValueError, match="'cifar_13'.*'cifar_11', which has"):
        CIFARNet(weights="cifar10", architecture="cifar_11")


def test_the_files_are_small_and_have_cards():
    folder = CIFAR10.path.parent
    assert sum(path.stat().st_size for path in folder.iterdir()) < 6e6
    for shipped in SHIPPED.values():
        card = shipped.path.with_suffix(".md").read_text()
        assert ", ".join(shipped.class_names) in card
        assert "Apache-2.0" in card


@pytest.mark.parametrize(
    "views",
    ["center", pytest.param("ten", marks=pytest.mark.slow)],
)
def test_the_error_is_that_of_the_card(views, shared_tfds):
    card = CIFAR10.path.with_suffix(".md").read_text()
    name = {"center": "central view", "ten": "ten views"}[views]
    stated = float(re.search(rf"error, {name} \| ([\d.]+)%", card)[1])
    source = load_source("cifar10", shared_tfds)
    assert tuple(source.class_names) == CIFAR10.class_names
    data = evaluation_data(source, resize=32)
    errors = evaluate(load_network("cifar10"), data, views)
    assert len(errors.labels) == 10_000
    # Rounding may turn some images of nearly equal probabilities.
    assert 100 * errors.top1_error == pytest.approx(stated, abs=0.05)
