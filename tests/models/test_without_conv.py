import dataclasses

import pytest

from keras_alexnet.models import without_conv
from keras_alexnet.models.geometry import sizes
from keras_alexnet.models.presets import CAFFENET
from keras_alexnet.models.presets import CODE_2012
from keras_alexnet.models.presets import ONE_GPU
from keras_alexnet.models.presets import OWT
from keras_alexnet.models.presets import PAPER
from keras_alexnet.models.presets import SIX_CONV


def last_size(architecture):
    return list(sizes(architecture).values())[-1]


@pytest.mark.parametrize("number", range(1, 6))
@pytest.mark.parametrize(
    "architecture",
    [PAPER, CODE_2012, ONE_GPU, CAFFENET, OWT],
    ids=lambda architecture: architecture.name,
)
def test_the_images_keep_their_sizes(architecture, number):
    shallow = without_conv(architecture, number)
    # 5 x 5 kernels at 227 pixels make 56 x 56 at least, where 11 x 11 ones
    # make 55 x 55.
    more = int(architecture is CAFFENET and number == 1)
    assert last_size(shallow) == last_size(architecture) + more
    kept = [f for i, f in enumerate(architecture.filters, 1) if i != number]
    assert shallow.filters == tuple(kept)
    assert len(shallow.initial_stds) == len(shallow.layer_names)


@pytest.mark.parametrize(
    "number, cross",
    [
        (1, ("conv2", "fc6", "fc7")),
        (2, ("conv2", "fc6", "fc7")),
        # conv4 sees both columns in its place.
        (3, ("conv3", "fc6", "fc7")),
        (4, ("conv3", "fc6", "fc7")),
        (5, ("conv3", "fc6", "fc7")),
    ],
)
def test_the_columns_meet_as_often(number, cross):
    assert without_conv(PAPER, number).cross == cross


def test_crossings_of_six_layers():
    assert without_conv(SIX_CONV, 6).cross == ("conv3", "conv5", "fc6", "fc7")
    assert without_conv(SIX_CONV, 4).cross == ("conv3", "conv5", "fc6", "fc7")


def test_norm_and_pooling_keep_their_places():
    assert without_conv(PAPER, 2).stages == (
        ("activation", "norm", "pool"),
        ("activation", "norm", "pool"),
        ("activation",),
        ("activation", "pool"),
    )


@pytest.mark.parametrize("number", [0, 6])
def test_refuses_a_layer_that_is_not_there(number):
    with pytest.raises(ValueError, match=f"1 to 5. Received: number={number}"):
        without_conv(PAPER, number)


def test_refuses_where_every_layer_pools():
    crowded = dataclasses.replace(PAPER, stages=(("activation", "pool"),) * 5)
    with pytest.raises(ValueError, match="nothing but an activation"):
        without_conv(crowded, 2)
