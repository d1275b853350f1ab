import random

import keras
import numpy as np
import pytest

from keras_alexnet.undivided import undivided

if keras.backend.backend() != "tensorflow":
    pytest.skip("strategies are TensorFlow's", allow_module_level=True)

from column_networks import network  # noqa: E402

from keras_alexnet import AlexNet  # noqa: E402
from keras_alexnet.distribution import strategy_from_name  # noqa: E402


@pytest.mark.parametrize("name", ["columns", "mirrored", "mirrored_columns"])
def test_a_copy_answers_as_the_model(name):
    with strategy_from_name(name).scope():
        model = network()
        model.compile("sgd", "mse")
    random.seed(7)
    copy = undivided(model)
    assert random.random() == random.Random(7).random()
    assert {x.name for x in copy.layers} >= {"conv1", "conv2", "fc7"}
    shape = 4, *copy.input_shape[1:]
    images = np.random.default_rng(0).uniform(0, 255, shape)
    np.testing.assert_allclose(
        copy.predict_on_batch(images),
        model.predict(images, batch_size=4, verbose=0),
        rtol=1e-4,
        atol=1e-6,
    )


def test_a_model_on_one_device_is_not_copied():
    model = AlexNet(input_shape=(67, 67, 3), classes=3)
    assert undivided(model) is model
