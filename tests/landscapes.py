"""A tiny network, few digits, and trainings whose result is a formula."""

import dataclasses

import keras
import pytest

from keras_alexnet.models.presets import PAPER
from keras_alexnet.studies.experiments import Experiment
from keras_alexnet.studies.run_files import Run
from keras_alexnet.training.presets import SMALL_DATA_RECIPE

SIZE = 40


@dataclasses.dataclass(frozen=True)
class Landscape(Experiment):
    """An experiment that trains nothing: errors follow from a function.

    `error(architecture, recipe, seed)` may raise, as a training may.
    """

    error: object = None
    trained: list = dataclasses.field(default_factory=list)

    def network(self, architecture):
        return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

    def _train(self, architecture, recipe, seed, folder, callbacks, verbose):
        self.trained.append((architecture, recipe, seed))
        error = self.error(architecture, recipe, seed, self)
        model = self.network(architecture)
        model.stop_training = False
        for callback in callbacks:
            callback.set_params({"epochs": recipe.epochs})
            callback.set_model(model)
            callback.on_train_begin()
        curve = []
        for epoch in range(recipe.epochs):
            if model.stop_training:
                break
            curve.append(error + 0.1 * (recipe.epochs - 1 - epoch))
            for callback in callbacks:
                callback.on_epoch_end(epoch, {"val_top1_error": curve[-1]})
        stopped = any(getattr(c, "hopeless", False) for c in callbacks)
        return Run(
            "stopped" if stopped else "completed",
            seed,
            recipe.epochs,
            curve[-1],
            0.0,
            self.source.counts[self.split],
            tuple(curve),
        )


@pytest.fixture(scope="session")
def source():
    from keras_alexnet.data import load_source

    digits = pytest.importorskip(
        "sklearn.datasets", reason="the digits ship with scikit-learn"
    ).load_digits()
    images = (digits.images[:300] * (255 / 16)).astype("uint8")
    return load_source((images, digits.target[:300]), holdout=0.2)


@pytest.fixture
def tiny():
    """The paper's topology, some thousand weights."""
    return dataclasses.replace(
        PAPER,
        name="tiny",
        filters=(8, 16, 24, 24, 16),
        fc_units=(32, 32),
        input_size=SIZE,
    )


@pytest.fixture
def recipe():
    return dataclasses.replace(
        SMALL_DATA_RECIPE, name="tiny", epochs=1, batch_size=32, flip=False
    )


@pytest.fixture
def landscape(source, tmp_path):
    """Makes a `Landscape` of a function of an architecture, say."""

    def make(error, **options):
        options = {"directory": tmp_path, "input_size": SIZE, **options}
        return Landscape(
            source,
            error=lambda architecture, recipe, seed, self: error(
                architecture=architecture,
                recipe=recipe,
                seed=seed,
                experiment=self,
            ),
            **options,
        )

    return make
