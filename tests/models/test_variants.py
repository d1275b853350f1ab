import pytest

from keras_alexnet.models import VGG_A_LRN
from keras_alexnet.models import variants
from keras_alexnet.models.difference import difference
from keras_alexnet.models.geometry import sizes
from keras_alexnet.models.presets import CAFFE
from keras_alexnet.models.presets import CODE_2012
from keras_alexnet.models.presets import ONE_GPU
from keras_alexnet.models.presets import PAPER
from keras_alexnet.models.presets import SIX_CONV


def test_without_norms_as_net_148():
    """It has neither of the norms of #145, nor the one within maps."""
    assert variants.with_norms(CODE_2012).stages == (
        ("pool", "activation"),
        ("activation", "pool"),
        ("activation",),
        ("activation",),
        ("pool", "activation"),
    )


def test_one_norm():
    changed = variants.with_norms(PAPER, "conv1")
    assert changed.stages[0] == PAPER.stages[0]
    assert changed.stages[1] == ("activation", "pool")
    assert difference(PAPER, changed).count("\n") == 0


def test_a_layer_that_is_not_there():
    with pytest.raises(ValueError, match="among .'conv1_1', .*'conv1',"):
        variants.with_norms(VGG_A_LRN, "conv1")


def test_biases_go_by_place():
    """VGG's layers have other names than the paper's."""
    biases = variants.with_biases(VGG_A_LRN, 1).initial_biases
    assert biases == (0, 1, 0, *(1.0,) * 7, 0)


@pytest.mark.parametrize("input_size", range(40, 257, 7))
def test_windows_without_overlap_give_the_same_sizes(input_size):
    changed = variants.without_overlap(PAPER)
    assert (changed.pool_size, changed.pool_strides) == (2, 2)
    assert sizes(changed, input_size) == sizes(PAPER, input_size)


def test_pooling_everywhere():
    changed = variants.with_all_pooling(PAPER)
    assert changed.stages[:2] == PAPER.stages[:2]
    assert changed.stages[2:] == (("activation", "pool"),) * 3


def test_one_column_is_net_145_half():
    assert difference(variants.one_column(CODE_2012), ONE_GPU) == ""


def test_without_cross():
    changed = variants.without_cross(PAPER, "conv3")
    assert changed.cross == ("fc6", "fc7")
    assert changed.groups("conv3") == 2


@pytest.mark.parametrize("architecture", [CAFFE, SIX_CONV])
def test_biases_are_where_the_paper_has_them(architecture):
    value = max(architecture.initial_biases)
    zeros = (0.0,) * len(architecture.initial_biases)
    assert variants.with_biases(architecture, 0).initial_biases == zeros
    again = variants.with_biases(architecture, value)
    assert again.initial_biases == architecture.initial_biases


@pytest.mark.parametrize("factor", [0.001, 0.1, 0.5, 1.0, 2.0])
def test_widths_are_whole_columns(factor):
    changed = variants.with_width(PAPER, factor)
    for width, before in zip(
        changed.filters + changed.fc_units,
        PAPER.filters + PAPER.fc_units,
        strict=True,
    ):
        assert width % 2 == 0
        assert width == 2 or abs(width - factor * before) <= 1
