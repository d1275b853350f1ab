"""All pieces of training put together."""

import contextlib
import importlib.util
import pathlib

import keras

from keras_alexnet.training.backup import ResumableBackup
from keras_alexnet.training.callbacks import DivergenceGuard
from keras_alexnet.training.callbacks import EpochSeek
from keras_alexnet.training.chief import is_chief
from keras_alexnet.training.metrics import TopKError
from keras_alexnet.training.recipe import resolve_recipe
from keras_alexnet.training.schedules import AsRunSchedule
from keras_alexnet.training.schedules import DivideOnPlateau
from keras_alexnet.training.schedules import cosine_schedule


def make_schedule(recipe, data=None, epochs=None):
    """The callback, if any, that sets the learning rates of a recipe.

    Args:
        recipe: A `Recipe` or a preset's name.
        data: A `TrainingData`, whose color noise `"as_run"` switches off.
        epochs: Integer. Defaults to the recipe's.

    Returns:
        A `keras.callbacks.Callback`, or `None` for a constant rate.

    Example:

    >>> make_schedule("paper").times
    3
    """
    recipe = resolve_recipe(recipe)
    epochs = epochs or recipe.epochs
    if recipe.schedule == "plateau":
        return DivideOnPlateau(
            factor=recipe.division,
            times=recipe.divisions,
            patience=recipe.patience,
        )
    if recipe.schedule == "as_run":
        return AsRunSchedule(
            learning_rate=recipe.learning_rate,
            bias_multiplier=recipe.bias_multiplier,
            color_sigma=recipe.color_sigma,
            epochs=epochs,
            data=data,
        )
    if recipe.schedule == "cosine":
        return cosine_schedule(recipe.learning_rate, epochs)
    return None


def fit(
    model,
    recipe,
    data,
    validation_data=None,
    directory=None,
    epochs=None,
    every="epoch",
    callbacks=(),
    verbose="auto",
    jit_compile="auto",
):
    """Compiles a network and trains it by a recipe.

    Called again with the same `directory`, it resumes where it was.

    Args:
        model: A `keras.Model` of one output, such as `AlexNet(...)`.
        recipe: A `Recipe` or a preset's name.
        data: A `TrainingData`.
        validation_data: Dataset of images and labels, or `None`. The recipe's
            schedule `"plateau"` needs it.
        directory: Path for backups, `history.csv` and TensorBoard's files, or
            `None` for none of them.
        epochs: Integer. Defaults to the recipe's.
        every: `"epoch"` or an integer of steps, see `ResumableBackup`.
        callbacks: List of further Keras callbacks.
        verbose: As in `keras.Model.fit`.
        jit_compile: As in `keras.Model.compile`.

    Returns:
        A `keras.callbacks.History`, with the epochs before a resumption.

    Raises:
        ValueError: If the schedule needs `validation_data`.

    Example:

    >>> from keras_alexnet.data import TrainingData
    >>> from keras_alexnet.data import load_source
    >>> data = TrainingData(load_source("digits"), input_size=64)
    >>> image = keras.Input((64, 64, 3))
    >>> features = keras.layers.Flatten()(image / 255)
    >>> probabilities = keras.layers.Dense(10, "softmax")(features)
    >>> model = keras.Model(image, probabilities)
    >>> history = fit(model, "small_data", data, epochs=1, verbose=0)
    >>> sorted(history.history)
    ['learning_rate', 'loss', 'top1_error', 'top5_error']
    """
    recipe = resolve_recipe(recipe)
    epochs = recipe.epochs if epochs is None else epochs
    if recipe.schedule == "plateau" and validation_data is None:
        raise ValueError(
            '`validation_data` is needed by the schedule "plateau". Give '
            "some, or use a recipe with another schedule."
        )
    classes = model.output_shape[-1]
    with _scope(model):
        model.compile(
            recipe.optimizer(),
            keras.losses.SparseCategoricalCrossentropy(
                from_logits=_gives_logits(model)
            ),
            metrics=[TopKError(k) for k in (1, 5) if k < classes],
            jit_compile=jit_compile,
        )
    schedule = make_schedule(recipe, data, epochs)
    callbacks = [DivergenceGuard(), *callbacks]
    if schedule is not None:
        callbacks.insert(0, schedule)
    if directory is None:
        callbacks.append(EpochSeek(data))
    else:
        directory = pathlib.Path(directory)
        if is_chief(model):
            callbacks += _logs(directory)
        backup = ResumableBackup(directory / "backup", data, every, callbacks)
        callbacks = [*callbacks, backup]
    return model.fit(
        data.dataset,
        epochs=epochs,
        validation_data=validation_data,
        callbacks=callbacks,
        verbose=verbose,
        shuffle=False,
    )


def _scope(model):
    """The scope of the strategy that the model was built in."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    return model.distribute_strategy.scope()


def _gives_logits(model):
    activation = getattr(model.layers[-1], "activation", None)
    return activation in (None, keras.activations.linear)


def _logs(directory):
    directory.mkdir(parents=True, exist_ok=True)
    logs = [keras.callbacks.CSVLogger(directory / "history.csv", append=True)]
    if importlib.util.find_spec("tensorboard"):
        logs.append(keras.callbacks.TensorBoard(directory / "tensorboard"))
    return logs
