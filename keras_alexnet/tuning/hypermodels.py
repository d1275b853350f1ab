"""KerasTuner hypermodels whose trials are networks of several seeds."""

import dataclasses
import pathlib

import keras
import keras_tuner
import numpy as np

from keras_alexnet.models.presets import resolve_architecture
from keras_alexnet.studies.intervals import mean_and_error
from keras_alexnet.studies.median_stop import MedianStop
from keras_alexnet.training.presets import resolve_recipe as resolve_recipe
from keras_alexnet.tuning.spaces import ConnectivitySpace
from keras_alexnet.tuning.spaces import LRNSpace

OBJECTIVE = "val_top1_error"


class ArchitectureHyperModel(keras_tuner.HyperModel):
    """A `keras_tuner.HyperModel` over a space of architectures.

    The objective is the top-1 error on a split that is not the test split, the
    mean over the seeds; its standard error is reported beside it. It has its
    own data, so `tuner.search()` takes none. Any tuner will do. With
    `Hyperband` a promising network is trained from the beginning for more
    epochs, because a learning rate that has fallen to 0 cannot continue.

    A trial has failed if its numbers were not finite or memory did not
    suffice. Pass the tuner `max_consecutive_failed_trials`, or it gives up
    after three. Any other error of a training, such as a full disk, ends the
    search; started again, it goes on with that trial.

    For another space, write a class with the attribute `base`, an
    `Architecture`, and the method `architecture(hp)`, and hand an instance of
    it over as `space`; or override `architecture` in a subclass.

    Args:
        experiment: An `Experiment`, not of the test split.
        space: An `LRNSpace`, say.
        recipe: A `Recipe` or a preset's name.
        seeds: Sequence of integers; every trial trains a network with each.
        stop_hopeless: Boolean. Whether the first network of a trial may be
            stopped by `MedianStop` after half of its epochs, compared with
            the networks of this search; the others are then not trained.

    Attributes:
        objective: A `keras_tuner.Objective`, the tuner's second argument.
        key: String, a name for all that a search depends on, for the
            tuner's `project_name`.

    Raises:
        ValueError: If the experiment judges the test split, or there is no
            seed.

    Example:

    >>> import tempfile
    >>> from keras_alexnet.data import load_source
    >>> from keras_alexnet.studies import Experiment
    >>> class NarrowLRN(LRNHyperModel):
    ...     def architecture(self, hp):
    ...         units = hp.Choice("units", (64, 128))
    ...         return dataclasses.replace(
    ...             super().architecture(hp), fc_units=(units, units))
    >>> source = load_source("digits", holdout=0.2)
    >>> experiment = Experiment(source, tempfile.mkdtemp(), input_size=64)
    >>> hypermodel = NarrowLRN(experiment)
    >>> hypermodel.architecture(keras_tuner.HyperParameters()).fc_units
    (64, 64)
    """

    def __init__(
        self,
        experiment,
        space,
        recipe="small_data",
        seeds=(0, 1, 2),
        stop_hopeless=True,
    ):
        super().__init__()
        _check(experiment, seeds)
        self.experiment = experiment
        self.space = space
        self.recipe = resolve_recipe(recipe)
        self.seeds = tuple(seeds)
        self.stop_hopeless = stop_hopeless
        self.objective = keras_tuner.Objective(OBJECTIVE, "min")
        self._dtype_policy = keras.config.dtype_policy()

    @property
    def key(self):
        """A name for all that a search depends on."""
        # Of another space KerasTuner would go on with the old choices.
        hp = keras_tuner.HyperParameters()
        self.architecture(hp)
        return self.experiment.key(
            self.space.base,
            self.recipe,
            self.seeds,
            self.stop_hopeless,
            type(self).__name__,
            [parameter.get_config() for parameter in hp.space],
        )

    def architecture(self, hp):
        """The `Architecture` of a `keras_tuner.HyperParameters`."""
        return self.space.architecture(hp)

    def build(self, hp):
        """An untrained `keras.Model` of the architecture."""
        # KerasTuner clears Keras's state before it builds a network, and the
        # dtype policy with it.
        keras.config.set_dtype_policy(self._dtype_policy)
        prepared = self.recipe.prepare(self.architecture(hp))
        return self.experiment.network(prepared)

    def fit(
        self,
        hp,
        model,
        *,
        callbacks=(),
        verbose=0,
        epochs=None,
        initial_epoch=0,
    ):
        """Trains a network per seed; `model` is left as it is."""
        recipe = dataclasses.replace(
            self.recipe, epochs=epochs or self.recipe.epochs
        )
        try:
            runs = self._runs(hp, recipe, callbacks, verbose)
        except Exception as error:
            # KerasTuner would count the trial as failed, for ever.
            raise keras_tuner.errors.FatalError(
                "A training has ended with an error that says nothing about "
                "its network. Mend the cause and start the search again; it "
                f"goes on with this trial. {type(error).__name__}: {error}"
            ) from error
        _keep_checkpoints(model, callbacks)
        if runs[-1].status == "failed":
            raise keras_tuner.errors.FailedTrialError(runs[-1].message)
        return summarize(runs)

    def _runs(self, hp, recipe, callbacks, verbose):
        prepared = recipe.prepare(self.architecture(hp))
        runs = []
        for seed in self.seeds:
            chosen = list(callbacks)
            if self.stop_hopeless and not runs:
                chosen.append(self._median_stop(recipe))
            runs.append(
                self.experiment.run(
                    prepared, recipe, seed, chosen, verbose, study=self.key
                )
            )
            if runs[-1].status != "completed":
                break
        return runs

    def _median_stop(self, recipe):
        # Those of other searches in the directory say nothing about this one.
        # A training that was stopped counts for as long as it went on: the
        # median is of all, not of the best.
        curves = [
            run.curve for run in self.experiment.runs(recipe, study=self.key)
        ]
        # A trial that is stopped also saves its other seeds, so it is given
        # half of the epochs before that.
        return MedianStop(curves, grace=max(1, recipe.epochs // 2))


class LRNHyperModel(ArchitectureHyperModel):
    """A `keras_tuner.HyperModel` over k, n, alpha, beta and where LRN stands.

    Its `space` is an `LRNSpace`.

    Args:
        experiment, recipe, seeds, stop_hopeless: As of
            `ArchitectureHyperModel`.
        architecture: An `Architecture` or a preset's name. It gives the
            values that are not tuned.

    Raises:
        ValueError: As of `ArchitectureHyperModel`, or if the architecture has
            fewer than two convolutions, or is no chain of layers.

    Example:

    >>> import tempfile
    >>> from keras_alexnet.data import load_source
    >>> from keras_alexnet.studies import Experiment
    >>> source = load_source("digits", holdout=0.2)
    >>> folder = tempfile.mkdtemp()
    >>> hypermodel = LRNHyperModel(Experiment(source, folder, input_size=64))
    >>> hypermodel.architecture(keras_tuner.HyperParameters()).lrn_n
    5
    """

    def __init__(
        self,
        experiment,
        architecture="paper",
        recipe="small_data",
        seeds=(0, 1, 2),
        stop_hopeless=True,
    ):
        space = LRNSpace(resolve_architecture(architecture))
        super().__init__(experiment, space, recipe, seeds, stop_hopeless)


class ConnectivityHyperModel(ArchitectureHyperModel):
    """A `keras_tuner.HyperModel` over the layers that see all columns.

    Its `space` is a `ConnectivitySpace`.

    Args:
        experiment, architecture, recipe, seeds, stop_hopeless: As of
            `LRNHyperModel`.

    Raises:
        ValueError: As of `ArchitectureHyperModel`, or if there is but one
            column, or no chain of layers.
    """

    def __init__(
        self,
        experiment,
        architecture="paper",
        recipe="small_data",
        seeds=(0, 1, 2),
        stop_hopeless=True,
    ):
        space = ConnectivitySpace(resolve_architecture(architecture))
        super().__init__(experiment, space, recipe, seeds, stop_hopeless)


def _keep_checkpoints(model, callbacks):
    """Writes the file that Hyperband loads, if all runs were kept ones."""
    for callback in callbacks:
        path = getattr(callback, "filepath", None)
        if path and not pathlib.Path(path).exists():
            pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
            model.save_weights(path)


def summarize(runs):
    """Means over the runs of a trial, by the names that the oracle gets.

    Args:
        runs: List of `Run`, none of which failed.

    Returns:
        Dict of floats. The standard error, of two seeds or more.

    Example:

    >>> from keras_alexnet.studies.run_files import Run
    >>> runs = [Run("completed", i, 40, e, 0.0) for i, e in enumerate((1, 3))]
    >>> summarize(runs)["val_top1_error"]
    2.0
    """
    mean, error = mean_and_error([run.top1_error for run in runs])
    metrics = {
        OBJECTIVE: mean,
        "seeds": float(len(runs)),
        "stopped": float(runs[-1].status == "stopped"),
    }
    # Of five classes or fewer there is none.
    if runs[0].top5_error is not None:
        top5 = [run.top5_error for run in runs]
        metrics["val_top5_error"] = float(np.mean(top5))
    if len(runs) > 1:
        metrics["val_top1_standard_error"] = error
    return metrics


def _check(experiment, seeds):
    if experiment.split == "test":
        raise ValueError(
            "What is tuned on the test split is not tested by it. Give an "
            '`Experiment` with `split="holdout"`, of `load_source(..., '
            'holdout=0.1)`. Received: split="test"'
        )
    if not seeds:
        raise ValueError(
            f"`seeds` must be at least one integer. Received: seeds={seeds}"
        )
