"""The parts of KerasTuner's oracles that are used although not public.

Nothing else in this package touches it. `tests/tuning/test_oracle_internals.py`
names what a new version of KerasTuner has changed.
"""


def replace_populate_space(oracle, function):
    """Makes an oracle propose by a function from a trial's id.

    `Oracle.populate_space` is public, but as a method to override. A subclass
    of an oracle can do so, yet `RandomSearch`, `BayesianOptimization` and
    `GridSearch` build their own oracles and take none. Only
    `keras_tuner.Tuner` takes one, and the tuner is the user's choice.
    """
    _require(oracle, "populate_space")
    oracle.populate_space = function


def replace_random_values(oracle, function):
    """Makes an oracle draw points by a function of what drew them before.

    `HyperbandOracle.populate_space` also keeps account of its brackets, in
    attributes that are private. A public override of it would have to write
    to them; this replaces no more than the drawing.
    """
    _require(oracle, "_random_values")
    own = oracle._random_values
    oracle._random_values = lambda: function(own)


def random_values(oracle):
    """A random point that no trial has, a dict, or `None`.

    `HyperParameter.random_sample` is public and draws one value. The oracle
    adds to it the seed of the search, so that it can be repeated, and its
    record of the trials.
    """
    _require(oracle, "_random_values")
    return oracle._random_values()


def next_combination(oracle, values):
    """The point that follows another one in a grid, a dict, or `None`.

    `GridSearchOracle.populate_space` is public and would propose it, but what
    it proposes from is lost when the process ends: a search that goes on
    proposes nothing more.
    """
    _require(oracle, "_get_next_combination")
    return oracle._get_next_combination(values)


def has_unfinished_trials(oracle):
    """Whether some tuner has a trial that has not ended.

    The statuses in `Oracle.trials` are public, but a trial of a process that
    was killed is there as running for ever.
    """
    _require(oracle, "ongoing_trials")
    return bool(oracle.ongoing_trials)


def _require(oracle, name):
    if not hasattr(oracle, name):
        raise RuntimeError(
            f"KerasTuner changed `{type(oracle).__name__}.{name}`, which "
            "`try_first` needs. Install a version of KerasTuner that this "
            "package was tested with, 1.4.8."
        )
