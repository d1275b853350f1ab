"""Small networks of ImageNet's and of CIFAR's presets, with random weights."""

import dataclasses

from small_networks import build
from small_networks import small

from keras_alexnet.models import resolve_architecture
from keras_alexnet.models import with_width


def small_network(preset, **options):
    """A narrow network whose layers all have something to say."""
    if not preset.startswith("cifar"):
        return build(small(preset), **options)
    narrow = with_width(resolve_architecture(preset), 0.25)
    count = len(narrow.layer_names)
    narrow = dataclasses.replace(
        narrow,
        initial_stds=("he",) * (count - 1) + (0.05,),
        initial_biases=(0.1,) * count,
    )
    return build(narrow, **options)
