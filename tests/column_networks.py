"""Small networks of two columns, and their comparison."""

import dataclasses

import keras
import numpy as np

from keras_alexnet import AlexNet
from keras_alexnet.distribution import to_grouped
from keras_alexnet.models import PAPER
from keras_alexnet.training import AlexNetSGD

# Three convolutions, of which the second keeps to its column.
SMALL = dataclasses.replace(
    PAPER,
    filters=(8, 8, 16),
    kernel_sizes=(5, 3, 3),
    strides=(2, 1, 1),
    paddings=("ceil", "same", "same"),
    stages=(
        ("activation", "norm", "pool"),
        ("activation",),
        ("activation", "pool"),
    ),
    fc_units=(32,),
    initial_stds=(0.1,) * 5,
    initial_biases=(0.1,) * 5,
)
LOSS = "sparse_categorical_crossentropy"


def network(architecture=SMALL, side=35):
    return AlexNet(
        input_shape=(side, side, 3), classes=10, architecture=architecture
    )


def reference(architecture=SMALL, optimizer=None, **options):
    """A compiled grouped model with weights of a size that shows."""
    model = network(dataclasses.replace(architecture, dropout=0.0))
    for variable in model.trainable_weights:
        fan_in = np.prod(variable.shape[:-1]) + 1
        variable.assign(keras.random.normal(variable.shape) / fan_in**0.5)
    model.compile(optimizer or AlexNetSGD(), LOSS, **options)
    return model


def batch(size=4, side=35):
    images = np.random.default_rng(0).normal(0, 50, (size, side, side, 3))
    return images.astype("float32"), np.arange(size) % 10


def assert_same(variables, others, tolerance):
    for a, b in zip(variables, others, strict=True):
        a, name = keras.ops.convert_to_numpy(a), b.path
        b = keras.ops.convert_to_numpy(b)
        assert np.abs(a - b).max() <= tolerance * np.abs(a).max(), name


def assert_same_weights(model, columns, tolerance=1e-5):
    assert_same(model.weights, to_grouped(columns).weights, tolerance)
