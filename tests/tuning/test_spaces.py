import dataclasses

import keras_tuner
import pytest

from keras_alexnet.models import GOOGLENET
from keras_alexnet.models import without_norms
from keras_alexnet.models.difference import difference
from keras_alexnet.models.presets import CAFFE
from keras_alexnet.models.presets import CAFFENET
from keras_alexnet.models.presets import CODE_2012
from keras_alexnet.models.presets import ONE_GPU
from keras_alexnet.models.presets import OWT
from keras_alexnet.models.presets import PAPER
from keras_alexnet.models.presets import SIX_CONV
from keras_alexnet.tuning.spaces import ConnectivitySpace
from keras_alexnet.tuning.spaces import LRNSpace


def decoded(space, **values):
    hp = keras_tuner.HyperParameters()
    # All hyperparameters register themselves at the first call.
    space.architecture(hp)
    hp.values.update(values)
    hp.ensure_active_values()
    return space.architecture(hp)


@pytest.mark.parametrize(
    "base",
    [PAPER, CODE_2012, CAFFE, CAFFENET, ONE_GPU, SIX_CONV, OWT],
    ids=lambda base: base.name,
)
def test_defaults_are_the_architecture_itself(base):
    assert difference(base, decoded(LRNSpace(base))) == ""


@pytest.mark.parametrize(
    "values, first, second",
    [
        ({"norms": "none"}, ("activation", "pool"), ("activation", "pool")),
        (
            {"norms": "conv1"},
            ("activation", "norm", "pool"),
            ("activation", "pool"),
        ),
        (
            {"norms": "conv2"},
            ("activation", "pool"),
            ("activation", "norm", "pool"),
        ),
        (
            {"order1": "before relu"},
            ("norm", "activation", "pool"),
            ("activation", "norm", "pool"),
        ),
        (
            {"order2": "after pooling"},
            ("activation", "norm", "pool"),
            ("activation", "pool", "norm"),
        ),
    ],
)
def test_where_it_stands(values, first, second):
    stages = decoded(LRNSpace(PAPER), **values).stages
    assert stages == (first, second, *PAPER.stages[2:])


def test_the_norm_within_maps_follows_the_other_one():
    space = LRNSpace(CODE_2012)
    assert decoded(space, order2="before relu").stages[1] == (
        ("norm", "spatial_norm", "activation", "pool")
    )
    assert decoded(space, norms="conv1").stages[1] == ("activation", "pool")


def test_values_reach_the_architecture():
    changed = decoded(
        LRNSpace(PAPER), n=9, k=0.5, alpha=2e-5, beta=0.5, across_columns=True
    )
    expected = dataclasses.replace(
        PAPER,
        lrn_n=9,
        lrn_k=0.5,
        lrn_alpha=2e-5,
        lrn_beta=0.5,
        lrn_across_columns=True,
    )
    assert changed == expected


@pytest.mark.parametrize("base", [PAPER, ONE_GPU], ids=["two", "one"])
def test_one_column_has_no_next_one(base):
    """A hyperparameter that does nothing would make twins of trials."""
    hp = keras_tuner.HyperParameters()
    space = LRNSpace(base)
    space.architecture(hp)
    assert ("across_columns" in hp) is (base.columns > 1)
    # What a space with it has found can still be read.
    assert decoded(space, across_columns=False) == base


@pytest.mark.parametrize("space", [LRNSpace, ConnectivitySpace])
def test_googlenet_is_no_chain(space):
    with pytest.raises(ValueError, match="a chain of layers.*'googlenet'"):
        space(GOOGLENET)


def test_author_divided_alpha_by_n():
    """#145 is his published net: alpha 1e-4 over 5, before ReLU."""
    published = {"n": 5, "k": 2.0, "beta": 0.75, "order1": "before relu"}
    for base, alpha in ((PAPER, 2e-5), (CODE_2012, 1e-4)):
        trials = LRNSpace(base).author_trials()
        found = [t for t in trials if published.items() <= t.items()]
        assert found
        assert {round(trial["alpha"], 9) for trial in found} == {alpha}


def test_published_network_is_among_the_author_s_trials():
    space = LRNSpace(CODE_2012)
    networks = [decoded(space, **trial) for trial in space.author_trials()]
    assert networks.count(CODE_2012) == 2
    # As #148: neither norm is left.
    assert any(without_norms(n) == n for n in networks)


def test_connectivity():
    space = ConnectivitySpace(PAPER)
    assert decoded(space) == PAPER
    assert decoded(space, conv3=False, conv4=True, fc7=False).cross == (
        "conv4",
        "fc6",
    )
    crosses = [decoded(space, **t).cross for t in space.author_trials()]
    # Nets #127 and #132 of the 2012 code.
    assert ("fc6", "fc7") in crosses
    assert ("conv4", "fc6", "fc7") in crosses


def test_one_column_has_no_connections():
    with pytest.raises(ValueError, match="must have columns to connect"):
        ConnectivitySpace(OWT)


def test_two_convolutions_are_needed():
    small = dataclasses.replace(
        PAPER,
        filters=(96,),
        kernel_sizes=(11,),
        strides=(4,),
        paddings=("same",),
        stages=(("activation",),),
        cross=(),
        initial_stds=(0.01,) * 4,
        initial_biases=(0.0,) * 4,
    )
    with pytest.raises(ValueError, match="two convolutions"):
        LRNSpace(small)
