"""The one door to training: from images to a trained, saved network."""

import contextlib
import dataclasses
import hashlib
import pathlib
import re

import keras
import numpy as np
import tensorflow as tf

from keras_alexnet.columns.shares import transfer
from keras_alexnet.data.arrays import as_pairs
from keras_alexnet.data.load_source import load_source
from keras_alexnet.data.means import mean_image
from keras_alexnet.data.pipelines import TrainingData
from keras_alexnet.data.pipelines import evaluation_data
from keras_alexnet.data.source import Source
from keras_alexnet.disk import replacing
from keras_alexnet.distribution.conversion import on_one_device
from keras_alexnet.distribution.strategies import strategy_from_name
from keras_alexnet.distribution.workers import gather_rows
from keras_alexnet.distribution.workers import place_among_workers
from keras_alexnet.distribution.workers import worker_folder
from keras_alexnet.evaluation.views import evaluate
from keras_alexnet.models.architecture import Architecture
from keras_alexnet.models.build_network import build_network
from keras_alexnet.models.googlenet import without_auxiliary
from keras_alexnet.models.inception import InceptionArchitecture
from keras_alexnet.models.load_network import load_network
from keras_alexnet.models.network import class_count
from keras_alexnet.models.presets import resolve_architecture
from keras_alexnet.models.pretrained import architecture_of_model
from keras_alexnet.training.callbacks import KeepBest
from keras_alexnet.training.class_names import write_class_names
from keras_alexnet.training.fit import fit
from keras_alexnet.training.presets import resolve_recipe
from keras_alexnet.training.recipe import Recipe
from keras_alexnet.training.weight_average import WeightAverage


@dataclasses.dataclass(frozen=True)
class Training:
    """What `train` has done.

    Attributes:
        model: The trained `keras.Model`, for raw 0-255 RGB images, on one
            device.
        history: Dict of a name, such as `"loss"`, to a list of values, one
            per epoch.
        source: The `Source` of the images.
        architecture: The `Architecture`, as the recipe has prepared it.
        recipe: The `Recipe`.
        directory: `pathlib.Path` of what was saved, or `None`.
        strategy: The `tf.distribute.Strategy` of the training, or `None`.
    """

    model: keras.Model
    history: dict
    source: Source
    architecture: Architecture
    recipe: Recipe
    directory: pathlib.Path | None
    strategy: tf.distribute.Strategy | None = None

    def evaluate(self, views="ten", split="test", batch_size=32, share=False):
        """Top-1 and top-5 error on a split.

        Args:
            views: `"center"`, `"ten"`, `"nine"` or `"fifty"`. Defaults to
                `"ten"`.
            split: String. Defaults to `"test"`.
            batch_size: Integer, images of which the views are cut. Defaults
                to `32`.
            share: Boolean. Whether each worker of the strategy evaluates a
                part of the images; every worker gets the errors of all. All
                workers must call it then, or those that do wait for the
                others. Defaults to `False`, each evaluates all images.

        Returns:
            An `Errors`; print it.
        """
        images = self.source.split(split)
        numbers = np.arange(images.count)
        workers, place = place_among_workers(self.strategy) if share else (1, 0)
        if 1 < workers <= images.count:
            # What is read together lies together.
            numbers = np.array_split(numbers, workers)[place]
            images = images.subset(numbers)
        size = self.model.input_shape[1]
        errors = evaluate(
            self.model,
            evaluation_data(
                dataclasses.replace(self.source, splits={split: images}),
                split,
                size,
                batch_size,
                self.architecture.resize(size),
            ),
            views,
            class_names=self.source.class_names,
        )
        if workers == 1:
            return errors
        # An image that was left out has no row; the others keep their order.
        rows = (
            numbers[: errors.n],
            errors.labels,
            errors.top1_wrong,
            errors.top5_wrong,
        )
        _, labels, top1, top5 = gather_rows(
            self.strategy, np.stack(rows, axis=1)
        ).T
        return dataclasses.replace(
            errors,
            labels=labels,
            top1_wrong=top1.astype(bool),
            top5_wrong=top5.astype(bool),
        )


def train(
    source,
    architecture=None,
    recipe="small_data",
    directory=None,
    *,
    input_size=None,
    epochs=None,
    batch_size=None,
    flip=None,
    weights=None,
    trainable=None,
    keep="last",
    holdout=None,
    validation="auto",
    data_dir=None,
    on_error="raise",
    cache=None,
    strategy=None,
    mixed_precision=None,
    seed=0,
    every="epoch",
    callbacks=(),
    verbose="auto",
    jit_compile="auto",
    prepared=False,
    initialize=None,
    preflight=True,
):
    """Trains a network on images, by a recipe.

    The source is opened; the architecture is prepared as the recipe wants it,
    and built under the strategy; its mean is set to that of the images; these
    are cropped, mirrored and colored as the recipe says. With a directory the
    training is backed up, and goes on where it was when `train` is called
    again in the same way. Asked for something else, the directory is refused.

    Args:
        source: Whatever `load_source` takes: a folder with one folder of
            images per class, a TFDS name, `"digits"`, arrays; or a `Source`.
        architecture: An `Architecture` or `InceptionArchitecture`, or a
            preset's name. Defaults to that of `weights`, and to `"paper"`
            without them. A GoogLeNet is trained with its auxiliary
            classifiers, unless its `auxiliary_after` is empty; what is
            returned and saved is without them.
        recipe: A `Recipe`, or a preset's name. Defaults to `"small_data"`.
        directory: Path for backups, logs and, at the end, `alexnet.keras`
            and the names of its classes, `classes.txt`.
            Defaults to `None`: nothing is written.
        input_size: Integer, pixels per side of the crops. Defaults to the
            architecture's.
        epochs, batch_size, flip: In place of the recipe's.
        weights: What the network begins with: `"imagenet"` or a file, see
            `AlexNet`. They keep the mean and the scale of the pixels that
            they were trained with. If there is another number of classes,
            the last layer is a new one. Defaults to `None`, random weights.
        trainable: List of names of the layers that are trained, such as
            `["fc8"]`. Defaults to all.
        keep: `"last"`, the weights after the last epoch; `"best"`, those
            with the lowest error on the images held out; or `"average"`, the
            mean of those after each epoch of the second half, see
            `WeightAverage`. Defaults to `"last"`.
        holdout: Float, share of the training images to validate on. Defaults
            to `0.1` where validation decides something (the schedule
            `"plateau"`, `keep="best"`) and the arrays have no split
            `"holdout"`, else to `0`.
        validation: Name of the split whose error is reported after each
            epoch, or `None`. Defaults to `"auto"`: the images held out, or
            else the test images, which then decide nothing.
        data_dir, on_error: As of `load_source`.
        cache: As of `TrainingData`.
        strategy: A `tf.distribute.Strategy`, or a name that
            `strategy_from_name` knows. Defaults to one device.
        mixed_precision: `"float16"`, `"bfloat16"` or `None`, to compute in
            32 bits.
        seed: Integer, of the weights, the order and the augmentation.
        every: `"epoch"`, or steps between backups, see `ResumableBackup`.
        callbacks: List of further Keras callbacks.
        verbose, jit_compile: As of `keras.Model.fit` and `compile`.
        prepared: Boolean. Whether `architecture` is prepared already: studies
            change it after that. Defaults to `False`.
        initialize: Function of the new network, which may change its weights
            before the first step, such as `lambda network:
            copy_common_layers(vgg_a, network)`. Defaults to `None`.
        preflight: Boolean, see `fit`. Whether network and images are looked
            at before the first step. Defaults to `True`.

    Returns:
        A `Training`: `model`, `history`, `source`, and `evaluate("ten")`.

    Raises:
        ValueError: If an argument is out of its range, the source or the
            weights are damaged, the preflight finds what training cannot
            succeed with, or the directory is of another training.
        RuntimeError: If another process trains in the directory.

    Example:

    >>> from keras_alexnet.models import PAPER, with_width
    >>> narrow = with_width(PAPER, 0.05)
    >>> training = train("digits", narrow, input_size=40, epochs=1, verbose=0)
    >>> training.evaluate("center").n
    359
    """
    if isinstance(strategy, str):
        # Before any other operation of TensorFlow.
        strategy = strategy_from_name(strategy)
    recipe = varied_recipe(resolve_recipe(recipe), epochs, batch_size, flip)
    _check_choices(keep, mixed_precision)
    if _decides(recipe, keep) and validation not in ("auto", "holdout"):
        raise ValueError(
            f"Validation decides in this training (schedule "
            f"{recipe.schedule!r}, keep={keep!r}), and must be on held-out "
            f'images: `validation="holdout"`. Received: '
            f"validation={validation!r}"
        )
    source = open_source(
        source, recipe, keep, holdout, data_dir, on_error, seed
    )
    keras.utils.set_random_seed(seed)
    with _precision(mixed_precision):
        donor = None
        if weights is not None:
            donor = load_network(weights, architecture)
            architecture = architecture_of_model(donor)
            input_size = _size_of(donor, input_size)
        architecture = resolve_architecture(architecture or "paper")
        if donor is None and not prepared:
            architecture = recipe.prepare(architecture)
        size = input_size or architecture.input_size
        model = _built(architecture, source, size, strategy)
        if donor is None:
            mean = mean_image(source, size, architecture.resize(size))
            model.get_layer("preprocessing").set_mean(mean)
        else:
            _transfer(donor, model)
        if initialize is not None:
            initialize(model)
        _freeze(model, trainable)
        keeper = _keeper(keep, directory)
        history = fit(
            model,
            recipe,
            TrainingData(
                source,
                input_size=size,
                cache=cache,
                seed=seed,
                **recipe.augmentation(architecture, size),
            ),
            _validation(
                source,
                validation,
                size,
                architecture.resize(size),
                cache,
                strategy.num_replicas_in_sync if strategy else 1,
            ),
            directory,
            every=every,
            callbacks=[*([keeper] if keeper else []), *callbacks],
            verbose=verbose,
            jit_compile=jit_compile,
            mismatch="ignore",
            settings={
                # Of a training without a directory nothing is kept.
                "weights": directory and donor and _digest(donor),
                "trainable": trainable and sorted(trainable),
                "keep": keep,
                **({"initialize": True} if initialize else {}),
            },
            preflight=preflight,
        ).history
        if keeper:
            keeper.restore()
        # Auxiliary classifiers serve training only.
        model = without_auxiliary(on_one_device(model))
    if directory is not None:
        directory = pathlib.Path(directory)
        folder = directory
        if strategy is not None:
            folder = worker_folder(strategy, directory)
        with replacing(folder / "alexnet.keras") as temporary:
            model.save(temporary)
        write_class_names(folder / "classes.txt", source.class_names)
    return Training(
        model, history, source, architecture, recipe, directory, strategy
    )


def varied_recipe(recipe, epochs=None, batch_size=None, flip=None):
    """A `Recipe` with other values, but where they are `None`."""
    changes = {"epochs": epochs, "batch_size": batch_size, "flip": flip}
    return dataclasses.replace(
        recipe, **{name: x for name, x in changes.items() if x is not None}
    )


def _check_choices(keep, mixed_precision):
    if keep not in ("last", "best", "average"):
        raise ValueError(
            '`keep` must be "last", "best" or "average". '
            f"Received: keep={keep!r}"
        )
    if mixed_precision not in (None, "float16", "bfloat16"):
        raise ValueError(
            '`mixed_precision` must be `None`, "float16" or "bfloat16". '
            f"Received: mixed_precision={mixed_precision!r}"
        )


def open_source(source, recipe, keep, holdout, data_dir, on_error, seed):
    """The `Source` that `train` trains on; its arguments are of `train`."""
    decides = _decides(recipe, keep)
    if not isinstance(source, Source):
        if holdout is None:
            own = isinstance(source, dict) and "holdout" in as_pairs(source)
            holdout = 0.1 if decides and not own else 0.0
        source = load_source(
            source, data_dir, holdout=holdout, seed=seed, on_error=on_error
        )
    elif holdout:
        raise ValueError(
            "`holdout` is of `load_source` where `source` is a `Source`. "
            f"Received: holdout={holdout}"
        )
    if decides and "holdout" not in source.splits:
        raise ValueError(
            f"Validation decides in this training (schedule "
            f"{recipe.schedule!r}, keep={keep!r}), and must not see the test "
            "images. Hold training images out: `holdout=0.1`, or "
            "`load_source(..., holdout=0.1)`."
        )
    return source


def _decides(recipe, keep):
    """Whether validation decides something, and so needs held-out images."""
    return recipe.schedule == "plateau" or keep == "best"


@contextlib.contextmanager
def _precision(mixed_precision):
    before = keras.config.dtype_policy()
    if mixed_precision:
        keras.config.set_dtype_policy(f"mixed_{mixed_precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _built(architecture, source, size, strategy):
    options = {}
    if isinstance(architecture, InceptionArchitecture):
        options["auxiliary"] = bool(architecture.auxiliary_after)
    with strategy.scope() if strategy else contextlib.nullcontext():
        return build_network(
            architecture,
            input_shape=(size, size, 3),
            classes=len(source.class_names),
            include_preprocessing=True,
            **options,
        )


def _size_of(donor, input_size):
    size = donor.input_shape[1]
    if input_size not in (None, size):
        raise ValueError(
            f"The weights are of images of {size} pixels, on which `fc6` "
            f"depends. Received: input_size={input_size}"
        )
    return size


def _transfer(donor, model):
    """Gives a model the weights of another, but not of other classes."""
    kept = donor.weights
    if class_count(donor) != class_count(model):
        kept = [
            w
            for w in kept
            if _layer_name(w) not in _last_layers(model.architecture)
        ]
    names = {_layer_name(w) for w in kept}
    transfer(kept, [w for w in model.weights if _layer_name(w) in names])


def _last_layers(architecture):
    """The layers that have one unit per class."""
    last = architecture.layer_names[-1]
    return {
        last,
        *(x for x in architecture.layer_names if x.endswith("_classifier")),
    }


def _layer_name(variable):
    return re.sub(r"_column\d+$", "", variable.path.split("/")[0])


def _freeze(model, trainable):
    if trainable is None:
        return
    known = {re.sub(r"_column\d+$", "", layer.name) for layer in model.layers}
    unknown = set(trainable) - known
    if unknown:
        raise ValueError(
            f"`trainable` must name layers of the network: {sorted(known)}. "
            f"Received: trainable={list(trainable)}"
        )
    for layer in model.layers:
        name = re.sub(r"_column\d+$", "", layer.name)
        layer.trainable = name in trainable


def _validation(source, split, size, resize, cache, replicas):
    if split == "auto":
        split = "holdout" if "holdout" in source.splits else "test"
    if split is None:
        return None
    return evaluation_data(
        source,
        split,
        size,
        _validation_batch(source.split(split).count, replicas),
        resize,
        cache,
        view="center",
    )


def _validation_batch(count, replicas):
    """A batch size, of 128 at most, whose last batch all replicas can share.

    TensorFlow's oneDNN kernels fail where a replica gets no image.
    """
    return next(
        (
            size
            for size in range(128, replicas, -1)
            if not 0 < count % size < replicas
        ),
        replicas,
    )


def _keeper(keep, directory):
    if keep == "last":
        return None
    if keep == "average":
        path = directory and pathlib.Path(directory) / "average.npz"
        return WeightAverage(path=path)
    path = directory and pathlib.Path(directory) / "best.weights.h5"
    return KeepBest(path)


def _digest(donor):
    """Tells weights apart, wherever and in whatever file they are."""
    digest = hashlib.blake2b(digest_size=8)
    for weight in donor.get_weights():
        digest.update(weight.tobytes())
    return digest.hexdigest()
