"""The preset recipes, each with its source."""

import dataclasses

from keras_alexnet.models.presets import choose_preset
from keras_alexnet.training.cifar_recipes import CIFAR_RECIPES
from keras_alexnet.training.family_recipes import FAMILY_RECIPES
from keras_alexnet.training.recipe import Recipe

PAPER_RECIPE = Recipe()

# Net #145 as its author ran it; comments of layers/layer-params-145.cfg.
CODE_2012_RECIPE = dataclasses.replace(
    PAPER_RECIPE,
    name="code_2012",
    # "killed" at epoch 91.
    epochs=91,
    # By hand, at fixed epochs; see `AsRunSchedule`.
    schedule="as_run",
    # convdata.py:205.
    color_division=True,
)

# For some ten thousand images. With the printed initialization the loss stays
# at ln(classes) for many epochs there.
SMALL_DATA_RECIPE = dataclasses.replace(
    PAPER_RECIPE,
    name="small_data",
    epochs=40,
    # No validation images are needed to decide, and every epoch count works.
    schedule="cosine",
    # He et al., 2015: the signal neither fades nor grows from layer to layer.
    initialization="he",
    # To unit variance, which that initialization assumes.
    pixel_std=58.0,
)

# Fine-tuning of a trained network. The rates per layer are those by which
# the author fine-tuned net #146 (layer-params-146-2012-2011.cfg): 1e-2 for
# the new last layer, 1e-3 for the others, 1e-4 for conv1. Ours are the
# cosine, and the warm-up, so that a network which fits already is kept.
FINE_TUNING_RECIPE = dataclasses.replace(
    PAPER_RECIPE,
    name="fine_tuning",
    batch_size=64,
    epochs=10,
    learning_rate=1e-3,
    schedule="cosine",
    warmup_epochs=1.0,
    multipliers=(("fc8", 10.0), ("conv1", 0.1)),
)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        PAPER_RECIPE,
        CODE_2012_RECIPE,
        SMALL_DATA_RECIPE,
        FINE_TUNING_RECIPE,
    )
}
RECIPES.update(FAMILY_RECIPES)
RECIPES.update(CIFAR_RECIPES)


def resolve_recipe(recipe):
    """The `Recipe` that a preset's lower-case name stands for.

    Args:
        recipe: A `Recipe`, or `"paper"`, `"code_2012"`, `"small_data"`,
            `"fine_tuning"`, `"zfnet"`, `"vgg"`, `"vgg_jittered"`,
            `"googlenet"` or the name of a CIFAR net, see `CIFARNet`.

    Returns:
        A `Recipe`.

    Raises:
        ValueError: If there is no preset of that name.
        TypeError: If it is neither.

    Example:

    >>> resolve_recipe("code_2012").epochs
    91
    """
    return choose_preset(recipe, RECIPES, "recipe")
