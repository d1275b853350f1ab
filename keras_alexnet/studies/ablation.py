"""One change at a time, several seeds, one table with intervals."""

import dataclasses

import numpy as np

from keras_alexnet.models.difference import difference
from keras_alexnet.models.geometry import minimum_input_size
from keras_alexnet.models.presets import require_chain
from keras_alexnet.models.presets import resolve_architecture
from keras_alexnet.studies.ablation_table import Ablation
from keras_alexnet.studies.ablation_table import Row
from keras_alexnet.studies.ablation_table import ended_runs
from keras_alexnet.studies.changes import CHANGES
from keras_alexnet.studies.changes import Change
from keras_alexnet.studies.intervals import paired_difference
from keras_alexnet.training.presets import resolve_recipe as resolve_recipe

BASELINE = Change("baseline")


def run_ablation(
    experiment,
    architecture="paper",
    recipe="small_data",
    changes=CHANGES,
    seeds=(0, 1, 2),
    on_run=None,
):
    """Trains the baseline and each change with the same seeds.

    Called again with the same `experiment.directory`, it trains only what is
    missing.

    Args:
        experiment: An `Experiment`.
        architecture: An `Architecture` or a preset's name, the baseline.
        recipe: A `Recipe` or a preset's name.
        changes: Sequence of `Change`.
        seeds: Sequence of integers.
        on_run: Function of a change's name and a `Run`, called after each.

    Returns:
        An `Ablation`. A change that the baseline has already, or that its
        images are too small or too few for, has a row that says so, and so
        has one that makes the same network as another.

    Raises:
        ValueError: If the architecture is no chain of layers, or no run of
            the baseline has ended well.
    """
    architecture, recipe = (
        require_chain(resolve_architecture(architecture)),
        resolve_recipe(recipe),
    )
    if not seeds:
        raise ValueError(
            f"`seeds` must be at least one integer. Received: seeds={seeds}"
        )
    base = _applied(BASELINE, architecture, recipe, experiment)
    # Before anything is trained: a change may have a mistake.
    attempts = [
        (change.name, *_attempt(change, architecture, recipe, experiment, base))
        for change in changes
    ]

    def train(name, pair):
        runs = []
        for seed in seeds:
            runs.append(experiment.run(*pair, seed))
            if on_run is not None:
                on_run(name, runs[-1])
        return tuple(runs)

    baseline = train(BASELINE.name, base)
    if not ended_runs(baseline):
        raise ValueError(
            "No run of the baseline has ended well: "
            + "; ".join(run.message for run in baseline)
        )
    rows = [Row(BASELINE.name, baseline)]
    trained = {}
    for name, pair, reason in attempts:
        if reason:
            rows.append(Row(name, reason=reason))
            continue
        runs = train(name, pair)
        rows.append(_row(name, runs, baseline, _twin(pair, trained)))
        trained[name] = pair
    return Ablation(experiment, tuple(rows))


def _attempt(change, architecture, recipe, experiment, base):
    """What a change makes, or `None`, and why it is not trained, or `""`."""
    try:
        pair = _applied(change, architecture, recipe, experiment)
    except ValueError as error:
        return None, str(error)
    return pair, _obstacle(pair, base, experiment)


def _applied(change, architecture, recipe, experiment):
    """The architecture and the recipe of a change, to be run."""
    recipe = change.recipe(recipe)
    prepared = dataclasses.replace(
        recipe.prepare(architecture), input_size=experiment.input_size
    )
    return change.architecture(prepared), recipe


def _same(pair, other):
    """Whether two pairs train the same network in the same way."""
    first, second = (
        (_effective(architecture), recipe)
        for architecture, recipe in (pair, other)
    )
    return not any(map(difference, first, second))


def _effective(architecture):
    """The architecture with the fields that have no effect set to one value."""
    if architecture.columns == 1:
        architecture = dataclasses.replace(
            architecture, cross=(), lrn_across_columns=False
        )
    if not any("norm" in stages for stages in architecture.stages):
        architecture = dataclasses.replace(architecture, normalization="lrn")
    return architecture


def _obstacle(pair, base, experiment):
    """Why a change is not trained, if there is a reason."""
    architecture, recipe = pair
    if _same(pair, base):
        return "the baseline is like this, or has nothing to change"
    least = minimum_input_size(architecture)
    if least > experiment.input_size:
        return f"needs images of {least} pixels or more"
    if (
        recipe.schedule == "plateau"
        and "holdout" not in experiment.source.splits
    ):
        return "needs held-out images, which decide on its rate"
    count = experiment.source.counts["train"]
    if recipe.batch_size > count:
        return (
            f"needs {recipe.batch_size} training images, of which are {count}"
        )
    return ""


def _twin(pair, trained):
    """Says which change makes the same network, if one does."""
    for name, other in trained.items():
        if _same(pair, other):
            return f"the network of {name!r}:"
    return ""


def _row(name, runs, baseline, reason):
    ended = {run.seed: run for run in ended_runs(runs)}
    pairs = [
        (ended[b.seed], b) for b in ended_runs(baseline) if b.seed in ended
    ]
    if not pairs:
        return Row(name, runs, reason=reason)
    intervals = [
        _difference(
            [[getattr(run, name) for run in pair] for pair in pairs],
            pairs[0][0].n,
        )
        for name in ("top1_error", "top5_error")
    ]
    return Row(name, runs, *intervals, reason)


def _difference(pairs, n):
    # Of five classes or fewer there is no top-5 error.
    if None in pairs[0]:
        return None
    return paired_difference(*np.transpose(pairs), step=1 / n)
