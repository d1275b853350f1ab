"""Narrow networks of every preset, which compute in milliseconds."""

import dataclasses

import keras

from keras_alexnet.models import GOOGLENET
from keras_alexnet.models import build_network
from keras_alexnet.models import with_width
from keras_alexnet.models.presets import resolve_architecture

CLASSES = 10


def small(preset, **changes):
    """A preset with a few filters, on small images.

    The weights are large enough for every layer to have something to say,
    and those of the last small enough for the softmax not to saturate.
    """
    architecture = resolve_architecture(preset)
    count = len(architecture.layer_names)
    narrow = {
        "input_size": 99,
        "filters": (8, 16, 24, 12, 16, 8)[: count - 3],
        "fc_units": (20, 24),
        "initial_stds": ("he",) * (count - 1) + (0.005,),
        "initial_biases": (0.1,) * count,
    }
    if architecture.pool_rounding == "floor":
        # 23, 11, 5, 2: nothing is left over.
        narrow["input_size"] = 95
    return dataclasses.replace(architecture, **{**narrow, **changes})


def small_inception(**changes):
    """GoogLeNet of three modules with a few filters, on images of 40 pixels."""
    modules = with_width(GOOGLENET, 1 / 32).modules
    small = {
        "modules": tuple(m for m in modules if m[0] in ("3b", "4a", "4d")),
        "stem": (4, 4, 8),
        "stem_stride": 1,
        "input_size": 40,
        "pools_after": ("3b", "4d"),
        "auxiliary_filters": 4,
        "auxiliary_units": 8,
    }
    return dataclasses.replace(GOOGLENET, **{**small, **changes})


def build(architecture, seed=1, **options):
    """The network, with random weights."""
    keras.utils.set_random_seed(seed)
    options = {"classes": CLASSES, **options}
    return build_network(architecture, **options)


def predict(model, x):
    """What the network returns, as an array."""
    return keras.ops.convert_to_numpy(model(x))


def outputs(model, x, names):
    """What some layers return, as arrays."""
    layers = [model.get_layer(name).output for name in names]
    return [
        keras.ops.convert_to_numpy(y)
        for y in keras.Model(model.input, layers)(x)
    ]
