"""All pieces of training put together."""

import contextlib
import dataclasses
import gc
import importlib.util
import pathlib

import keras

from keras_alexnet.distribution.conversion import has_strategy
from keras_alexnet.distribution.workers import WorkersAgree
from keras_alexnet.fields import settings_of
from keras_alexnet.models.network import class_count
from keras_alexnet.training.backup import ResumableBackup
from keras_alexnet.training.before_training import before_training
from keras_alexnet.training.before_training import write_preflight
from keras_alexnet.training.callbacks import DivergenceGuard
from keras_alexnet.training.callbacks import EpochSeek
from keras_alexnet.training.callbacks import HistoryFile
from keras_alexnet.training.chief import has_workers
from keras_alexnet.training.chief import is_chief
from keras_alexnet.training.follows import check_data
from keras_alexnet.training.follows import check_follows
from keras_alexnet.training.losses import LabelCrossentropy
from keras_alexnet.training.metrics import TopKError
from keras_alexnet.training.presets import resolve_recipe
from keras_alexnet.training.run_directory import run_directory
from keras_alexnet.training.schedules import AsRunSchedule
from keras_alexnet.training.schedules import DivideOnPlateau
from keras_alexnet.training.schedules import PolynomialSchedule
from keras_alexnet.training.schedules import StepSchedule
from keras_alexnet.training.schedules import cosine_schedule

# Schedules that do not depend on how many epochs there will be.
ENDLESS = ("plateau", "constant")

# Layers that leave probabilities what they are.
PASSING = (
    keras.layers.Dropout,
    keras.layers.Flatten,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.Reshape,
)


def make_schedule(recipe, data=None, epochs=None, first_layer="conv1"):
    """The callback, if any, that sets the learning rates of a recipe.

    Args:
        recipe: A `Recipe` or a preset's name.
        data: A `TrainingData`, whose color noise `"as_run"` switches off.
        epochs: Integer. Defaults to the recipe's.
        first_layer: String, the layer whose rate `"as_run"` lowers earlier.
            Defaults to `"conv1"`.

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
            first_layer=first_layer,
            data=data,
        )
    if recipe.schedule == "steps":
        return StepSchedule(
            learning_rate=recipe.learning_rate,
            epochs=[round(share * epochs) for share in recipe.milestones],
            factor=recipe.division,
            bias_multiplier=recipe.bias_multiplier,
        )
    if recipe.schedule == "poly":
        return PolynomialSchedule(recipe.learning_rate, recipe.power)
    if recipe.schedule == "cosine":
        return cosine_schedule(
            recipe.learning_rate, epochs, recipe.warmup_epochs
        )
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
    mismatch="error",
    settings=None,
    preflight=True,
):
    """Compiles a network and trains it by a recipe.

    `train` does all that goes before, too; this is for those who bring a
    model and data of their own. Called again with the same `directory`, it
    resumes where it was.

    Args:
        model: A `keras.Model` of one output, such as `AlexNet(...)`; or a
            `GoogLeNet` with its auxiliary ones.
        recipe: A `Recipe` or a preset's name.
        data: A `TrainingData`.
        validation_data: Dataset of images and labels, or `None`. The recipe's
            schedule `"plateau"` needs it.
        directory: Path for backups, `history.csv` and TensorBoard's files, or
            `None` for none of them. It remembers what was asked for, and
            refuses anything else.
        epochs: Integer. Defaults to the recipe's.
        every: `"epoch"` or an integer of steps, see `ResumableBackup`.
        callbacks: List of further Keras callbacks.
        verbose: As in `keras.Model.fit`.
        jit_compile: As in `keras.Model.compile`.
        mismatch: `"error"`, `"warn"` or `"ignore"`, what to do where the
            model or the data do not follow the recipe. Defaults to
            `"error"`.
        settings: Optional dict of whatever else the training depends on, for
            the directory to remember.
        preflight: Boolean. Whether `keras_alexnet.preflight.check` looks at
            the model and the data before the first step. Findings are a
            warning, and an error if training cannot succeed. Defaults to
            `True`.

    Returns:
        A `keras.callbacks.History`, with the epochs before a resumption.

    Raises:
        ValueError: If the schedule needs `validation_data`; if the model or
            the data do not follow the recipe; if the preflight finds what
            training cannot succeed with; or if the directory is of another
            training.
        TypeError: If `data` is no `TrainingData`.
        RuntimeError: If another process trains in the directory.

    Example:

    >>> from keras_alexnet.data import TrainingData
    >>> from keras_alexnet.data import load_source
    >>> from keras_alexnet.models import PAPER
    >>> from keras_alexnet.training import SMALL_DATA_RECIPE as recipe
    >>> data = TrainingData(
    ...     load_source("digits"), input_size=64, **recipe.augmentation(PAPER)
    ... )
    >>> image = keras.Input((64, 64, 3))
    >>> features = keras.layers.Flatten()(image / 255)
    >>> probabilities = keras.layers.Dense(10, "softmax")(features)
    >>> model = keras.Model(image, probabilities)
    >>> history = fit(model, recipe, data, epochs=1, verbose=0)
    >>> sorted(history.history)
    ['learning_rate', 'loss', 'top1_error', 'top5_error']
    """
    recipe = resolve_recipe(recipe)
    epochs = recipe.epochs if epochs is None else epochs
    check_data(data)
    if recipe.schedule == "plateau" and validation_data is None:
        raise ValueError(
            '`validation_data` is needed by the schedule "plateau". Give '
            "some, or use a recipe with another schedule."
        )
    check_follows(recipe, model, data, mismatch)
    found = None
    if preflight and is_chief(model):
        found = before_training(model, data, directory, verbose)
    compile_by(recipe, model, jit_compile)
    first = getattr(getattr(model, "architecture", None), "first_layer", None)
    schedule = make_schedule(recipe, data, epochs, first or "conv1")
    callbacks = [DivergenceGuard(), *callbacks]
    if schedule is not None:
        callbacks.insert(0, schedule)
    with contextlib.ExitStack() as stack:
        if directory is None:
            callbacks.append(EpochSeek(data))
        else:
            directory = pathlib.Path(directory)
            if is_chief(model):
                asked = _settings(model, recipe, data, epochs, settings)
                stack.enter_context(run_directory(directory, asked))
                write_preflight(found, directory)
                callbacks += _logs(directory)
            backup = ResumableBackup(
                directory / "backup", data, every, callbacks
            )
            callbacks = [*callbacks, backup, _SayWhereResumed(backup, verbose)]
            if has_workers(model):
                callbacks.append(WorkersAgree())
        if keras.backend.backend() == "tensorflow" and has_strategy(model):
            callbacks = [*callbacks, _FreeGraphs()]
        return model.fit(
            data.dataset,
            epochs=epochs,
            validation_data=validation_data,
            callbacks=callbacks,
            verbose=verbose,
            shuffle=False,
        )


def compile_by(recipe, model, jit_compile="auto"):
    """Compiles a model with a recipe's optimizer, and errors as metrics.

    Args:
        recipe: A `Recipe`.
        model: A `keras.Model` of probabilities, or of logits.
        jit_compile: As in `keras.Model.compile`.
    """
    classes = class_count(model)
    frozen = {
        layer.name.split("_column")[0]
        for layer in model.layers
        if not layer.trainable
    }
    recipe = dataclasses.replace(
        recipe,
        **{
            name: tuple(
                pair for pair in getattr(recipe, name) if pair[0] not in frozen
            )
            for name in ("multipliers", "weight_decays")
        },
    )
    with _scope(model):
        model.compile(
            recipe.optimizer(),
            LabelCrossentropy(
                recipe.label_smoothing, from_logits=_gives_logits(model)
            ),
            metrics=[TopKError(k) for k in (1, 5) if k < classes],
            jit_compile=jit_compile,
        )


class _FreeGraphs(keras.callbacks.Callback):
    """Frees the graphs that Keras has made for an epoch under a strategy.

    It makes iterators over replicas anew in each epoch. Their graphs are in
    reference cycles, of so few objects that Python rarely looks for them, but
    each epoch's hold a megabyte or two.
    """

    def on_epoch_end(self, epoch, logs=None):
        gc.collect()


class _SayWhereResumed(keras.callbacks.Callback):
    """Says in one line where a training goes on, or that it has ended."""

    def __init__(self, backup, verbose):
        super().__init__()
        self._backup = backup
        self._verbose = verbose

    def on_train_begin(self, logs=None):
        found = self._backup.resumed_from
        if found is None or not self._verbose:
            return
        epoch, step, finished = found
        epochs = self.params["epochs"]
        if finished or epoch >= epochs:
            text = f"Nothing is left to do: all {epochs} epochs are done"
            if finished and epoch < epochs:
                text = f"Nothing is left to do: it ended after epoch {epoch}"
        else:
            text = f"Resuming at epoch {epoch + 1} of {epochs}, step {step}"
        print(f"{text} ({self._backup.directory})")


def _settings(model, recipe, data, epochs, more):
    """All that a training depends on, for its directory to remember."""
    architecture = getattr(model, "architecture", None)
    asked = settings_of(recipe)
    if recipe.schedule in ENDLESS:
        # More epochs only go on with what was done.
        del asked["epochs"]
    else:
        asked["epochs"] = epochs
    return {
        "architecture": architecture and settings_of(architecture),
        "classes": class_count(model),
        "recipe": asked,
        "data": getattr(data, "settings", None),
        "dtype_policy": keras.config.dtype_policy().name,
        **(more or {}),
    }


def _scope(model):
    """The scope of the strategy that the model was built in."""
    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    return model.distribute_strategy.scope()


def _gives_logits(model):
    """Whether a network ends without a softmax."""
    layer = model.outputs[0]._keras_history.operation
    while isinstance(layer, keras.Model):
        layer = layer.outputs[0]._keras_history.operation
    while isinstance(layer, PASSING):
        layer = layer.input._keras_history.operation
    if isinstance(layer, keras.layers.Softmax):
        return False
    activation = getattr(layer, "activation", None)
    return activation in (None, keras.activations.linear)


def _logs(directory):
    directory.mkdir(parents=True, exist_ok=True)
    logs = [HistoryFile(directory / "history.csv")]
    if importlib.util.find_spec("tensorboard"):
        logs.append(keras.callbacks.TensorBoard(directory / "tensorboard"))
    return logs
