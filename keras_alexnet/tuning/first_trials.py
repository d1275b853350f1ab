"""Makes a KerasTuner tuner try given points before its own."""

import warnings

import keras_tuner
from keras_tuner import oracles

from keras_alexnet.tuning.oracle_internals import has_unfinished_trials
from keras_alexnet.tuning.oracle_internals import next_combination
from keras_alexnet.tuning.oracle_internals import random_values
from keras_alexnet.tuning.oracle_internals import replace_populate_space
from keras_alexnet.tuning.oracle_internals import replace_random_values


def try_first(tuner, points=()):
    """Makes a tuner try given points of its space before its own.

    KerasTuner has no queue for that. Its four oracles are told apart here:
    `Hyperband` draws random values within a bracket, so they are replaced;
    the others choose all of a trial's values at once. A `GridSearch` is also
    made to leave out what was tried and to go on after it was killed, and a
    `BayesianOptimization` to draw a random point where it would repeat one;
    KerasTuner's own do not.

    Call it before `tuner.search()`, also when the search is resumed: a point
    that has become a trial is not tried again. In a distributed search the
    chief needs it; on workers it does nothing.

    Args:
        tuner: A `keras_tuner.Tuner`.
        points: List of dicts from the names of hyperparameters to values.
            Missing ones take their defaults. Names that the space lacks are
            left out; points out of its bounds too, with a warning.

    Example:

    >>> import tempfile
    >>> tuner = keras_tuner.RandomSearch(
    ...     lambda hp: hp.Int("n", 1, 100),
    ...     objective=keras_tuner.Objective("error", "min"),
    ...     directory=tempfile.mkdtemp(),
    ... )
    >>> tuner.oracle.verbose = 0
    >>> try_first(tuner, [{"n": 5}])
    >>> tuner.oracle.create_trial("tuner0").hyperparameters["n"]
    5
    """
    oracle = tuner.oracle
    if not hasattr(oracle, "populate_space"):
        return
    queue = _possible(oracle, points)
    if isinstance(oracle, oracles.HyperbandOracle):

        def first_or_random(random):
            return _next(oracle, queue) or random()

        replace_random_values(oracle, first_or_random)
        return
    own = oracle.populate_space
    if isinstance(oracle, oracles.GridSearchOracle):

        def own(trial_id):
            return _next_of_grid(oracle)

    def populate_space(trial_id):
        values = _next(oracle, queue)
        if values is None:
            return _untried(oracle, own(trial_id))
        return {"status": "RUNNING", "values": values}

    replace_populate_space(oracle, populate_space)


def _possible(oracle, points):
    """The points as values of all active hyperparameters, in bounds."""
    queue = []
    for point in points:
        values, wrong = _values(oracle.get_space().space, point)
        if wrong:
            warnings.warn(
                f"A point is out of the bounds of {wrong} and is not tried: "
                f"{point}",
                stacklevel=3,
            )
        elif values not in queue:
            queue.append(values)
    return queue


def _values(space, point):
    hps = keras_tuner.HyperParameters()
    wrong = []
    # Parents come before the hyperparameters that depend on them.
    for hp in space:
        hps.merge([hp])
        if hp.name not in point or not hps.is_active(hp):
            continue
        value = point[hp.name]
        if not _is_within(hp, value):
            wrong.append(hp.name)
        hps.values[hp.name] = value
    return hps.values, wrong


def _is_within(hp, value):
    if hasattr(hp, "min_value"):
        return hp.min_value <= value <= hp.max_value
    return value in hp.values


def _next(oracle, queue):
    """The first point that no trial has, or `None`."""
    return next((dict(p) for p in queue if not _is_tried(oracle, p)), None)


def _untried(oracle, response):
    """A random point in place of one that a trial has already."""
    values = response.get("values")
    if values is None or not _is_tried(oracle, values):
        return response
    values = random_values(oracle)
    return {"status": "RUNNING" if values else "STOPPED", "values": values}


def _next_of_grid(oracle):
    """The first combination of the grid that no trial has."""
    hps = oracle.get_space()
    values = {hp.name: hp.default for hp in hps.space if hps.is_active(hp)}
    while values is not None and _is_tried(oracle, values):
        values = next_combination(oracle, values)
    if values is not None:
        return {"status": "RUNNING", "values": values}
    waiting = has_unfinished_trials(oracle)
    return {"status": "IDLE" if waiting else "STOPPED", "values": None}


def _is_tried(oracle, values):
    return any(
        values == _own(trial.hyperparameters.values)
        for trial in oracle.trials.values()
    )


def _own(values):
    """The values without those that Hyperband adds about its brackets."""
    return {k: v for k, v in values.items() if not k.startswith("tuner/")}
