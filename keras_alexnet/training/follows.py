"""Whether a model and data are what a recipe says."""

import warnings

from keras_alexnet.layers.mean_subtraction import MeanSubtraction
from keras_alexnet.models.network import class_count


def check_data(data):
    """Refuses what is no `TrainingData`, nor anything that acts as one.

    Args:
        data: Anything with `dataset` and `seek`.

    Raises:
        TypeError: If it has not both.
    """
    if hasattr(data, "dataset") and hasattr(data, "seek"):
        return
    raise TypeError(
        "`data` must be a `TrainingData`, such as `TrainingData(source, "
        "**recipe.augmentation(architecture))`; its `dataset` alone does not "
        "know which epoch it is. For a folder, arrays or a source use "
        "`keras_alexnet.train`. "
        f"Received: data of type {type(data).__name__}"
    )


def check_follows(recipe, model, data, mismatch="error"):
    """Names what of a recipe a model or data do not follow.

    Args:
        recipe: A `Recipe`.
        model: A `keras.Model`. Only one that carries its architecture can be
            compared.
        data: A `TrainingData`, or another object with `dataset` and `seek`,
            which cannot be compared.
        mismatch: `"error"`, `"warn"` or `"ignore"`.

    Raises:
        ValueError: If `mismatch` is `"error"` and there is something, or it
            is none of the three.
    """
    if mismatch not in ("error", "warn", "ignore"):
        raise ValueError(
            '`mismatch` must be "error", "warn" or "ignore". '
            f"Received: mismatch={mismatch!r}"
        )
    if mismatch == "ignore":
        return
    found = [*_of_model(recipe, model), *_of_data(recipe, model, data)]
    if not found:
        return
    lines = "".join(f"\n  {line}" for line in found)
    message = (
        f"What is trained would not be the recipe {recipe.name!r}:{lines}\n"
        "`keras_alexnet.train` follows a recipe in all of this"
    )
    if mismatch == "warn":
        warnings.warn(f"{message}.", stacklevel=3)
    else:
        raise ValueError(f'{message}; `mismatch="warn"` trains nevertheless.')


def _of_model(recipe, model):
    architecture = getattr(model, "architecture", None)
    if architecture is None:
        return
    prepared = recipe.prepare(architecture)
    fields = "initial_stds initial_biases initialization pixel_std".split()
    for field in filter(lambda name: hasattr(architecture, name), fields):
        own, wanted = getattr(architecture, field), getattr(prepared, field)
        if own != wanted:
            yield (
                f"the model's architecture has {field}={own}, the recipe "
                f"wants {wanted} (build it from `recipe.prepare(architecture)`)"
            )
    if not any(isinstance(layer, MeanSubtraction) for layer in model.layers):
        yield (
            "the model does not center its images (build it with "
            "`include_preprocessing=True`), and `TrainingData` gives raw pixels"
        )


def _of_data(recipe, model, data):
    settings = getattr(data, "settings", None)
    if settings is None:
        return
    classes = class_count(model)
    if settings["classes"] != classes:
        yield (
            f"the data have {settings['classes']} classes, the model "
            f"{classes} (pass `classes={settings['classes']}`)"
        )
    wanted = {
        "batch_size": recipe.batch_size,
        "crop": recipe.crop,
        "flip": recipe.flip,
        "color_sigma": recipe.color_sigma,
    }
    for name, value in wanted.items():
        if settings[name] != value:
            yield f"the data have {name}={settings[name]}, the recipe {value}"
    if recipe.scales is not None and not settings.get("scales"):
        yield f"the data have one scale, the recipe scales={recipe.scales}"
