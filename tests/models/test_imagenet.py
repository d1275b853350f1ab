import dataclasses

import keras
import numpy as np
import pytest
from small_networks import predict

from keras_alexnet.models import AlexNet
from keras_alexnet.models import resolve_architecture
from keras_alexnet.models.imagenet import decode_predictions
from keras_alexnet.models.imagenet import preprocess_input

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 99, 99, 3), "uint8")


@pytest.mark.parametrize("name", ["paper", "caffe", "caffenet", "owt"])
def test_preprocessing_inside_and_outside_agree(name):
    architecture = dataclasses.replace(
        resolve_architecture(name),
        filters=(4,) * 5,
        fc_units=(6, 6),
        input_size=99,
        initial_stds=(0.1,) * 8,
    )
    keras.utils.set_random_seed(3)
    outside = AlexNet(architecture=architecture, classes=5)
    inside = AlexNet(
        architecture=architecture, classes=5, include_preprocessing=True
    )
    for ours, theirs in zip(inside.layers[2:], outside.layers[1:], strict=True):
        ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(
        predict(inside, IMAGES),
        predict(outside, preprocess_input(IMAGES, architecture)),
        rtol=1e-5,
    )


def test_caffe_gets_bgr_minus_its_mean():
    y = preprocess_input(IMAGES, "caffe")
    wanted = IMAGES[..., ::-1] - np.array([104.01, 116.67, 122.68])
    np.testing.assert_allclose(y, wanted, rtol=1e-6, atol=1e-5)
    assert y.dtype == "float32"


def test_torchvision_gets_unit_variance():
    y = preprocess_input(IMAGES[0], "owt")
    wanted = (IMAGES[0] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)
    assert y.shape == (99, 99, 3)


def test_channels_first():
    first = preprocess_input(
        IMAGES.transpose(0, 3, 1, 2), "caffe", "channels_first"
    )
    last = preprocess_input(IMAGES, "caffe", "channels_last")
    np.testing.assert_array_equal(first, last.transpose(0, 3, 1, 2))


def test_a_vector_is_refused():
    with pytest.raises(ValueError, match=r"rank 3 or 4.*\(3,\)"):
        preprocess_input(np.zeros(3))


def test_predictions_are_decoded(monkeypatch):
    index = {str(i): [f"n{i:08}", f"class {i}"] for i in range(1000)}
    module = keras.src.applications.imagenet_utils
    monkeypatch.setattr(module, "CLASS_INDEX", index)
    (best,) = decode_predictions(np.arange(1000.0)[None] / 1000, top=2)
    assert best == [
        ("n00000999", "class 999", 0.999),
        ("n00000998", "class 998", 0.998),
    ]
    with pytest.raises(ValueError, match="1000"):
        decode_predictions(np.zeros((1, 10)))
