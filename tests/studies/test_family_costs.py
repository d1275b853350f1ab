import keras
import numpy as np
import pytest

from keras_alexnet.models import CIFARNet
from keras_alexnet.models import activation_bytes
from keras_alexnet.models import multiply_adds
from keras_alexnet.studies import FAMILY
from keras_alexnet.studies import measure
from keras_alexnet.studies import time_ratios


def test_members_have_their_published_errors():
    errors = {m.name: (m.top1_error, m.top5_error) for m in FAMILY}
    assert len(errors) == len(FAMILY)
    # VGG's Table 3: "does not improve on the model A".
    assert errors["vgg_a"] == (29.6, 10.4)
    assert errors["vgg_a_lrn"] == (29.7, 10.5)
    assert errors["paper"] == (40.7, 18.2)
    assert all(m.protocol and m.source for m in FAMILY)


def test_keras_own_network_is_a_member():
    resnet = FAMILY[-1].build(input_shape=(32, 32, 3), classes=10)
    assert sum(multiply_adds(resnet).values()) > 0
    paper = FAMILY[0].build(input_shape=(67, 67, 3), classes=10)
    assert paper.architecture.name == "paper"


def test_costs_of_a_network_by_hand(tmp_path):
    inputs = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(2, 3, activation="relu")(inputs)
    x = keras.layers.Dropout(0.5)(x)
    x = keras.layers.Flatten()(x)
    model = keras.Model(inputs, keras.layers.Dense(5)(x))
    # 4 * 4 pixels of 2 maps, and 5 units.
    assert activation_bytes(model) == 4 * (32 + 5)
    found = measure(model, batch_size=2, repeats=1)
    assert found["parameters"] == 3 * 3 * 2 + 2 + 32 * 5 + 5
    assert found["multiply_adds"] == 16 * 9 * 2 + 32 * 5
    assert found["file_bytes"] > 4 * found["parameters"]
    assert found["latency"] > 0 and np.isfinite(found["images_per_second"])


def test_times_are_compared_in_turn(monkeypatch):
    from keras_alexnet.studies import family

    first = CIFARNet(architecture="cifar_26")
    second = CIFARNet(architecture="cifar_19")
    order = []

    def seconds(model, images):
        assert images.shape == (2, 32, 32, 3)
        order.append(model)
        return 3.0 if model is second else 2.0

    monkeypatch.setattr(family, "_time", seconds)
    assert time_ratios(first, second, 2, repeats=3) == [1.5] * 3
    assert order == [first, second] * 5
    with pytest.raises(ValueError, match="must take images of one shape"):
        time_ratios(first, CIFARNet(architecture="cifar_13"))


@pytest.mark.parametrize("options", [{"batch_size": 0}, {"repeats": 1.5}])
def test_impossible_measurements(options):
    with pytest.raises(ValueError, match="must be a positive integer"):
        measure(CIFARNet(architecture="cifar_26"), **options)
