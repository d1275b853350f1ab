import dataclasses

import numpy as np
import pytest

from keras_alexnet.models import CODE_2012
from keras_alexnet.models.difference import difference
from keras_alexnet.models.geometry import conv_size
from keras_alexnet.models.geometry import minimum_input_size
from keras_alexnet.models.geometry import sizes
from keras_alexnet.models.presets import IMAGENET_ARCHITECTURES
from keras_alexnet.models.presets import PAPER
from keras_alexnet.models.presets import resolve_architecture


def vary(**changes):
    return dataclasses.replace(PAPER, **changes)


@pytest.mark.parametrize(
    "preset", IMAGENET_ARCHITECTURES.values(), ids=IMAGENET_ARCHITECTURES
)
def test_every_preset_keeps_the_sizes_of_the_paper(preset):
    found = sizes(preset)
    assert [found[f"conv{i}"] for i in (1, 2, 3, 4, 5)] == [55, 27, 13, 13, 13]
    assert [found[f"pool{i}"] for i in (1, 2, 5)] == [27, 13, 6]


@pytest.mark.parametrize(
    "size, kernel, stride, padding, want",
    [
        (224, 11, 4, "ceil", 55),
        (224, 11, 4, "valid", 54),
        (224, 11, 4, "same", 56),
        (224, 11, 4, 2, 55),
        (227, 11, 4, "valid", 55),
        (10, 11, 4, "valid", 0),
    ],
)
def test_conv_size(size, kernel, stride, padding, want):
    assert conv_size(size, kernel, stride, padding) == want


def test_smallest_image_by_hand():
    # OWT, floor: pool5 needs 3, so pool2 3, so conv2 7, pool1 7, conv1 15,
    # which 11 + 14 * 4 - 2 * 2 = 63 pixels give: torchvision's own minimum.
    assert minimum_input_size(resolve_architecture("owt")) == 63
    # PAPER, ceil: pool5 needs 2, so conv2 4, so conv1 8; 11 + 6 * 4 + 1 = 36.
    assert minimum_input_size(PAPER) == 36


def test_groups_follow_the_figure():
    groups = {name: PAPER.groups(name) for name in PAPER.layer_names}
    assert groups == {
        "conv1": 1,
        "conv2": 2,
        "conv3": 1,
        "conv4": 2,
        "conv5": 2,
        "fc6": 1,
        "fc7": 1,
        "fc8": 1,
    }


def test_difference():
    changed = vary(name="other", lrn_n=9, pool_size=2)
    assert difference(PAPER, changed) == "lrn_n: 5 -> 9\npool_size: 3 -> 2"
    assert difference(PAPER, PAPER) == ""
    with pytest.raises(TypeError, match="one class. Received: a=Architecture"):
        difference(PAPER, 1)


def test_str_has_a_line_per_field():
    lines = str(PAPER).splitlines()
    assert len(lines) == len(dataclasses.fields(PAPER))
    assert "lrn_alpha           0.0001" in lines


def test_resolve():
    assert resolve_architecture(PAPER) is PAPER
    assert resolve_architecture("code_2012") is CODE_2012
    with pytest.raises(ValueError, match="one of paper, code_2012.*'vgg'"):
        resolve_architecture("vgg")
    with pytest.raises(TypeError, match="an `Architecture` or the name"):
        resolve_architecture(None)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"filters": (96, 256)}, "`filters` must have one entry per"),
        ({"initial_stds": (0.01,)}, "`initial_stds` must have one entry for"),
        ({"normalization": "layer"}, "`normalization` must be one of"),
        ({"lrn_convention": "avg"}, "`lrn_convention` must be one of"),
        ({"pool_rounding": "up"}, "`pool_rounding` must be one of"),
        ({"dropout_position": "in"}, "`dropout_position` must be one of"),
        ({"mean": "none"}, "`mean` must be one of"),
        ({"channel_order": "gbr"}, "`channel_order` must be one of"),
        ({"stages": ("relu",) * 5}, "one tuple per convolutional layer"),
        ({"paddings": ("full",) * 5}, "`paddings` must be of"),
        ({"paddings": (-1,) * 5}, "`paddings` must be of .* 0 or more"),
        ({"initial_biases": ("x",) * 8}, "`initial_biases` must be of"),
        ({"initial_biases": ("he",) * 8}, "`initial_biases` must be of"),
        ({"initial_stds": (-1,) * 8}, "`initial_stds` must be of numbers, 0"),
        ({"initial_stds": (np.nan,) * 8}, "`initial_stds` must be of"),
        ({"initial_stds": (True,) * 8}, "`initial_stds` must be of"),
        ({"strides": (0,) * 5}, "`strides` must be of positive integers"),
        ({"kernel_sizes": (0,) * 5}, "`kernel_sizes` must be of positive"),
        ({"filters": ("6",) * 5}, "`filters` must be of positive integers"),
        ({"fc_units": (8.5, 8)}, "`fc_units` must be of positive integers"),
        ({"input_size": -5}, "`input_size` must be a positive integer"),
        ({"pool_size": 0}, "`pool_size` must be a positive integer"),
        ({"pixel_mean": (1.0, 2.0)}, "`pixel_mean` must be three numbers"),
        ({"pixel_mean": ("r", "g", "b")}, "`pixel_mean` must be three numbers"),
        ({"pixel_std": (1.0, 0.0, 1.0)}, "`pixel_std` must be three positive"),
        ({"cross": ("conv9",)}, "`cross` must name layers among"),
        ({"unshared": ("fc6",)}, "`unshared` must name layers among"),
        ({"average_pools": ("pool1",)}, "`average_pools` must name layers"),
        ({"unshared": ("conv2",)}, "must see all columns.*columns=2"),
        ({"unshared": ("conv1",)}, "its padding must be .*paddings="),
        ({"image_size": 200}, "`image_size` must be at least `input_size`"),
        ({"columns": 0}, "`columns` must be a positive integer"),
        ({"columns": "two"}, "`columns` must be an integer"),
        ({"dropout": "0.3"}, "`dropout` must be a number"),
        ({"dropout": 1.0}, r"`dropout` must be in \[0, 1\)"),
        ({"dropout": 30}, r"`dropout` must be in \[0, 1\)"),
        ({"lrn_n": None}, "`lrn_n` must be an integer"),
        ({"filters": 96}, "`filters` must be a tuple"),
        ({"columns": 5}, "width of conv1 must be divisible .* columns=5"),
        ({"fc_units": (4096, 4095)}, "width of fc7 must be divisible"),
    ],
)
def test_impossible_combinations(changes, message):
    with pytest.raises(ValueError, match=message):
        vary(**changes)
