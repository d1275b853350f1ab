import dataclasses
import json

import pytest

from keras_alexnet.models import CODE_2012 as NET_2012
from keras_alexnet.models import OWT
from keras_alexnet.models import PAPER as PRINTED
from keras_alexnet.models import difference
from keras_alexnet.training import CODE_2012_RECIPE
from keras_alexnet.training import FINE_TUNING_RECIPE
from keras_alexnet.training import PAPER_RECIPE
from keras_alexnet.training import SMALL_DATA_RECIPE
from keras_alexnet.training import Recipe
from keras_alexnet.training.presets import RECIPES
from keras_alexnet.training.presets import resolve_recipe


def test_the_papers_values():
    assert PAPER_RECIPE == Recipe()
    assert dataclasses.asdict(PAPER_RECIPE) == {
        "name": "paper",
        "batch_size": 128,
        "epochs": 90,
        "learning_rate": 0.01,
        "momentum": 0.9,
        "weight_decay": 0.0005,
        "bias_multiplier": 2.0,
        "schedule": "plateau",
        "division": 10.0,
        "divisions": 3,
        "patience": 5,
        "crop": "random",
        "flip": True,
        "color_sigma": 0.1,
        "color_division": False,
        "initialization": None,
        "pixel_std": None,
        "multipliers": (),
        "warmup_epochs": 0.0,
        "milestones": (),
        "weight_decays": (),
        "power": None,
        "scales": None,
        "label_smoothing": 0.0,
    }


def test_what_the_presets_change():
    assert difference(PAPER_RECIPE, CODE_2012_RECIPE).splitlines() == [
        "epochs: 90 -> 91",
        "schedule: plateau -> as_run",
        "color_division: False -> True",
    ]
    changed = {
        line.split(":")[0]
        for line in difference(PAPER_RECIPE, SMALL_DATA_RECIPE).splitlines()
    }
    assert changed == {"epochs", "schedule", "initialization", "pixel_std"}


def test_the_papers_recipe_leaves_the_architecture_alone():
    assert PAPER_RECIPE.prepare(NET_2012) == NET_2012
    assert CODE_2012_RECIPE.prepare(PRINTED) == PRINTED


def test_small_data_prepares_the_architecture():
    net = SMALL_DATA_RECIPE.prepare(NET_2012)
    assert net.initial_stds == ("he",) * 8
    assert net.initial_biases == (0.0,) * 8
    assert net.pixel_std == (58.0,) * 3
    # 58² = 3364.
    assert net.lrn_alpha == pytest.approx(0.3364)
    assert net.spatial_alpha == pytest.approx(3.364)
    same = dataclasses.replace(
        net,
        **{
            name: getattr(NET_2012, name)
            for name in (
                "initial_stds",
                "initial_biases",
                "pixel_std",
                "lrn_alpha",
                "spatial_alpha",
            )
        },
    )
    assert same == NET_2012


def test_preparing_twice_is_preparing_once():
    once = SMALL_DATA_RECIPE.prepare(NET_2012)
    assert SMALL_DATA_RECIPE.prepare(once) == once
    # The scale is relative to the architecture's own.
    net = SMALL_DATA_RECIPE.prepare(OWT)
    own = sum(OWT.pixel_std) / 3
    assert net.lrn_alpha == pytest.approx(OWT.lrn_alpha * (58 / own) ** 2)


@pytest.mark.parametrize(
    "field, value, wanted",
    [
        ("learning_rate", -1, "positive"),
        ("learning_rate", float("nan"), "positive"),
        ("batch_size", 0, "a positive integer"),
        ("batch_size", 32.0, "a positive integer"),
        ("epochs", -3, "a positive integer"),
        ("momentum", 1.0, r"in \[0, 1\)"),
        ("weight_decay", -5e-4, "0 or more"),
        ("division", 1, "greater than 1"),
        ("patience", "5", "a positive integer"),
        ("color_sigma", -0.1, "0 or more"),
        ("pixel_std", 0.0, "positive, or `None`"),
        ("multipliers", (("fc8", -1),), "pairs of a layer's name and a"),
        ("warmup_epochs", 1.0, 'is of the schedule "cosine"'),
        ("weight_decays", (("fc8", -1),), "pairs of a layer's name and a"),
        ("label_smoothing", 1.0, r"in \[0, 1\)"),
    ],
)
def test_values_out_of_their_range(field, value, wanted):
    with pytest.raises(ValueError, match=rf"`{field}` .*{wanted}"):
        Recipe(**{field: value})


def test_fine_tuning_is_the_authors():
    """1e-2 for the new layer, 1e-3 for the others, 1e-4 for conv1."""
    recipe = FINE_TUNING_RECIPE
    rates = {k: recipe.learning_rate * v for k, v in recipe.multipliers}
    assert rates == pytest.approx({"fc8": 1e-2, "conv1": 1e-4})
    assert recipe.learning_rate == 1e-3
    assert recipe.optimizer().get_config()["multipliers"] == {
        "fc8": 10.0,
        "conv1": 0.1,
    }
    assert recipe.prepare(NET_2012) == NET_2012


def test_the_optimizer_has_the_recipes_values():
    recipe = Recipe(
        learning_rate=0.5, momentum=0.25, weight_decay=0.125, bias_multiplier=4
    )
    config = recipe.optimizer(multipliers={"fc8": 10}).get_config()
    assert config["learning_rate"] == 0.5
    assert config["momentum"] == 0.25
    assert config["weight_decay"] == 0.125
    assert config["bias_multiplier"] == 4
    assert config["multipliers"] == {"fc8": 10}


def test_augmentation():
    arguments = CODE_2012_RECIPE.augmentation(PRINTED)
    color = arguments.pop("color")
    assert arguments == {
        "batch_size": 128,
        "crop": "random",
        "flip": True,
        "resize": None,
    }
    config = color.get_config()
    assert config["sigma"] == 0.1
    assert config["divide"] is True
    assert tuple(config["center"]) == PRINTED.pixel_mean
    assert Recipe(color_sigma=0.0).augmentation(PRINTED)["color"] is False


def test_it_prints_one_line_per_field():
    lines = str(SMALL_DATA_RECIPE).splitlines()
    assert len(lines) == len(dataclasses.fields(Recipe))
    assert lines[0].split() == ["name", "small_data"]


def test_resolve():
    assert resolve_recipe("paper") is PAPER_RECIPE
    assert resolve_recipe(SMALL_DATA_RECIPE) is SMALL_DATA_RECIPE
    assert list(RECIPES)[:4] == [
        "paper",
        "code_2012",
        "small_data",
        "fine_tuning",
    ]
    assert resolve_recipe("cifar_13").epochs == 160
    with pytest.raises(ValueError, match="one of paper, code_2012, .*'Paper'"):
        resolve_recipe("Paper")
    with pytest.raises(TypeError, match="`recipe` must be a `Recipe` or"):
        resolve_recipe(90)


@pytest.mark.parametrize(
    "field, value",
    [("schedule", "linear"), ("initialization", "glorot"), ("crop", "ten")],
)
def test_choices_are_checked(field, value):
    with pytest.raises(ValueError, match=f"`{field}` must be.*{value!r}"):
        dataclasses.replace(PAPER_RECIPE, **{field: value})


def test_text_is_not_true():
    with pytest.raises(ValueError, match="`flip` must be `True` or `False`"):
        Recipe(flip="no")
    with pytest.raises(ValueError, match="`milestones` must be a tuple"):
        Recipe(milestones=0.5)


def test_what_json_has_kept():
    """It makes lists of tuples."""
    kept = json.dumps(dataclasses.asdict(RECIPES["cifar_11"]))
    assert Recipe(**json.loads(kept)) == RECIPES["cifar_11"]
