import dataclasses

import pytest

from keras_alexnet import AlexNet
from keras_alexnet.models import VGG_A_LRN
from keras_alexnet.models.difference import difference
from keras_alexnet.models.geometry import minimum_input_size
from keras_alexnet.models.presets import PAPER
from keras_alexnet.studies import CHANGES
from keras_alexnet.studies.caffenet_benchmark import OTHERS_EFFECTS
from keras_alexnet.studies.history_2012 import LOGGED_EFFECTS
from keras_alexnet.studies.history_2012 import PAPER_EFFECTS
from keras_alexnet.training.presets import PAPER_RECIPE as RECIPE

# What each change may touch.
FIELDS = {
    "tanh for ReLU": {"activation"},
    "sigmoid for ReLU": {"activation"},
    "no LRN": {"stages"},
    "LRN1 only": {"stages"},
    "LRN2 only": {"stages"},
    "batch norm for LRN": {"normalization"},
    "no overlap in pooling": {"pool_size", "pool_rounding"},
    "pooling after every conv": {"stages"},
    "one column of half width": {"columns", "filters"},
    "no crossing at conv3": {"cross"},
    "no dropout": {"dropout"},
    "no PCA color noise": {"color_sigma"},
    "no crops or flips": {"crop", "flip"},
    "no weight decay": {"weight_decay"},
    "biases of 0": {"initial_biases"},
    "biases of 0.1": {"initial_biases"},
    # The paper's own.
    "biases of 1": set(),
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_changes_what_it_says(change):
    changed = change.architecture(PAPER)
    lines = difference(PAPER, changed).splitlines()
    lines += difference(RECIPE, change.recipe(RECIPE)).splitlines()
    touched = {line.split(":")[0] for line in lines}
    if change.name.startswith("no conv"):
        assert len(changed.filters) == 4
    else:
        assert touched == FIELDS[change.name]


@pytest.mark.parametrize("name", ["LRN1 only", "LRN2 only"])
def test_norms_are_left_where_they_are_meant(name):
    """VGG's first layers are conv1_1 and conv2_1."""
    both = dataclasses.replace(
        VGG_A_LRN,
        stages=(VGG_A_LRN.stages[0],) * 2 + VGG_A_LRN.stages[2:],
    )
    (change,) = (change for change in CHANGES if change.name == name)
    normed = ["norm" in s for s in change.architecture(both).stages]
    assert normed.index(True) == int(name[3]) - 1
    assert sum(normed) == 1


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_is_a_network(change, tiny):
    changed = change.architecture(tiny)
    size = max(40, minimum_input_size(changed))
    model = AlexNet(
        input_shape=(size, size, 3),
        classes=10,
        architecture=changed,
        include_preprocessing=True,
    )
    assert model.output_shape == (None, 10)


def test_effects_belong_to_changes():
    names = {change.name for change in CHANGES}
    known = PAPER_EFFECTS, LOGGED_EFFECTS, OTHERS_EFFECTS
    assert all(set(effects) <= names for effects in known)


def test_effects_of_caffenet_benchmark():
    """Worse with tanh, by 47.1 - 40.1 points of accuracy."""
    assert OTHERS_EFFECTS == {
        "tanh for ReLU": "+7.0",
        "no LRN": "-0.1",
        "batch norm for LRN": "-2.9",
    }


def test_logged_effects_are_differences_of_the_logs():
    """Multiview top-1 and top-5 errors, from layers/layer-params-*.cfg."""
    net_145 = 40.6640, 18.2100
    table = {
        "no LRN": [(42.0340, 19.3620), net_145],
        "no overlap in pooling": [(41.0580, 18.5100), net_145],
        "no crossing at conv3": [(41.83, 19.33), net_145],
        "one column of half width": [(39.1680, 18.2287), (37.4727, 16.9987)],
        "LRN1 only": [(40.4880, 18.1180), (40.4975, 18.0850)],
    }
    for name, (without, with_it) in table.items():
        gaps = [a - b for a, b in zip(without, with_it, strict=True)]
        logged = [float(x) for x in LOGGED_EFFECTS[name].split(" / ")]
        assert logged == pytest.approx(gaps, abs=0.01)


def test_a_change_of_nothing():
    change = dataclasses.replace(CHANGES[0], architecture=lambda a: a)
    assert change.architecture(PAPER) is PAPER
    assert change.recipe(RECIPE) is RECIPE
