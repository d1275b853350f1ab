"""KerasTuner hypermodels whose trials are networks of several seeds."""

import dataclasses
import functools
import pathlib

import numpy as np

from keras_alexnet.models.presets import resolve_architecture
from keras_alexnet.studies.intervals import mean_and_error
from keras_alexnet.training.recipe import resolve_recipe as resolve_recipe
from keras_alexnet.tuning.median_stop import MedianStop
from keras_alexnet.tuning.spaces import ConnectivitySpace
from keras_alexnet.tuning.spaces import LRNSpace

OBJECTIVE = "val_top1_error"


def LRNHyperModel(
    experiment,
    architecture="paper",
    recipe="small_data",
    seeds=(0, 1, 2),
    stop_hopeless=True,
):
    """A `keras_tuner.HyperModel` over k, n, alpha, beta and where LRN stands.

    The objective is the top-1 error on a split that is not the test split,
    the mean over the seeds; its standard error is reported beside it. It has
    its own data, so `tuner.search()` takes none. Any tuner will do. With
    `Hyperband` a promising network is trained anew for more epochs, since a
    schedule that falls to 0 has nothing to go on with.

    Args:
        experiment: An `Experiment`, not of the test split.
        architecture: An `Architecture` or a preset's name. What is not tuned
            is as in it.
        recipe: A `Recipe` or a preset's name.
        seeds: Sequence of integers; every trial trains a network with each.
        stop_hopeless: Boolean. Whether the first network of a trial may be
            stopped by `MedianStop` after half of its epochs; the others are
            then not trained.

    Returns:
        A `keras_tuner.HyperModel` with the attributes `objective`, `space`,
        an `LRNSpace`, `key`, a name for all that a search depends on, for its
        `project_name`, and the method `architecture(hp)`. Pass the tuner
        `max_consecutive_failed_trials`, or it gives up after three.

    Raises:
        ValueError: If the experiment judges the test split, or there is no
            seed.

    Example:

    >>> import tempfile
    >>> import keras_tuner
    >>> from keras_alexnet.data import load_source
    >>> from keras_alexnet.studies import Experiment
    >>> source = load_source("digits", holdout=0.2)
    >>> folder = tempfile.mkdtemp()
    >>> hypermodel = LRNHyperModel(Experiment(source, folder, input_size=64))
    >>> hypermodel.architecture(keras_tuner.HyperParameters()).lrn_n
    5
    """
    space = LRNSpace(resolve_architecture(architecture))
    return _hypermodel_class()(experiment, space, recipe, seeds, stop_hopeless)


def ConnectivityHyperModel(
    experiment,
    architecture="paper",
    recipe="small_data",
    seeds=(0, 1, 2),
    stop_hopeless=True,
):
    """A `keras_tuner.HyperModel` over the layers that see all columns.

    Args:
        experiment, architecture, recipe, seeds, stop_hopeless: As of
            `LRNHyperModel`.

    Returns:
        A `keras_tuner.HyperModel`; its `space` is a `ConnectivitySpace`.

    Raises:
        ValueError: As of `LRNHyperModel`, or if there is but one column.
    """
    space = ConnectivitySpace(resolve_architecture(architecture))
    return _hypermodel_class()(experiment, space, recipe, seeds, stop_hopeless)


@functools.cache
def _hypermodel_class():
    # Imported here: the package does without KerasTuner otherwise.
    import keras_tuner

    class ArchitectureHyperModel(keras_tuner.HyperModel):
        def __init__(self, experiment, space, recipe, seeds, stop_hopeless):
            super().__init__()
            _check(experiment, seeds)
            self.experiment = experiment
            self.space = space
            self.recipe = resolve_recipe(recipe)
            self.seeds = tuple(seeds)
            self.stop_hopeless = stop_hopeless
            self.objective = keras_tuner.Objective(OBJECTIVE, "min")
            # What the results of a search depend on, but for its seeds.
            self.key = experiment.key(
                space.base, self.recipe, self.seeds, stop_hopeless
            )

        def architecture(self, hp):
            return self.space.architecture(hp)

        def build(self, hp):
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
            runs = self._runs(hp, recipe, callbacks, verbose)
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
                    self.experiment.run(prepared, recipe, seed, chosen, verbose)
                )
                if runs[-1].status != "completed":
                    break
            return runs

        def _median_stop(self, recipe):
            curves = [
                run.curve
                for run in self.experiment.runs(recipe)
                if run.status == "completed"
            ]
            # What is stopped saves its other seeds, too: no need to hurry.
            return MedianStop(curves, grace=max(1, recipe.epochs // 2))

    return ArchitectureHyperModel


def _keep_checkpoints(model, callbacks):
    """Hyperband loads a file that no training wrote if all were kept runs."""
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
        "val_top5_error": float(np.mean([run.top5_error for run in runs])),
        "seeds": float(len(runs)),
        "stopped": float(runs[-1].status == "stopped"),
    }
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
