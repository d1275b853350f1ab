"""Small networks of all the package's presets, with random weights."""

import dataclasses

from small_networks import build
from small_networks import small

from keras_alexnet.models import resolve_architecture
from keras_alexnet.models import with_width

# How narrow, and for which images, networks are that `small` does not know.
OTHERS = {"cifar": (0.25, None), "vgg": (1 / 16, 64)}


def small_network(preset, **options):
    """A narrow network whose layers all have something to say."""
    family = preset.split("_")[0]
    if family not in OTHERS:
        return build(small(preset), **options)
    width, input_size = OTHERS[family]
    narrow = with_width(resolve_architecture(preset), width)
    count = len(narrow.layer_names)
    narrow = dataclasses.replace(
        narrow,
        input_size=input_size or narrow.input_size,
        initial_stds=("he",) * (count - 1) + (0.05,),
        initial_biases=(0.1,) * count,
    )
    return build(narrow, **options)
