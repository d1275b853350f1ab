"""That KerasTuner still has what is not public of it and is used here."""

import inspect

import keras_tuner
import pytest
from keras_tuner import oracles

from keras_alexnet.tuning import oracle_internals

OBJECTIVE = keras_tuner.Objective("error", "min")
ORACLES = {
    oracles.RandomSearchOracle: {"max_trials": 3},
    oracles.BayesianOptimizationOracle: {"max_trials": 3},
    oracles.HyperbandOracle: {"max_epochs": 4},
    oracles.GridSearchOracle: {},
}


def make(oracle_class):
    hps = keras_tuner.HyperParameters()
    hps.Choice("n", [3, 5, 7])
    oracle = oracle_class(
        objective=OBJECTIVE,
        hyperparameters=hps,
        seed=1,
        **ORACLES[oracle_class],
    )
    oracle.verbose = 0
    return oracle


def changed(name):
    return (
        f"KerasTuner changed `{name}`: see keras_alexnet/tuning/"
        "oracle_internals.py"
    )


@pytest.mark.parametrize("oracle_class", ORACLES)
def test_methods_take_what_they_took(oracle_class):
    oracle = make(oracle_class)
    for name, arguments in (
        ("populate_space", ["trial_id"]),
        ("_random_values", []),
    ):
        assert hasattr(oracle, name), changed(f"Oracle.{name}")
        signature = inspect.signature(getattr(oracle, name))
        assert list(signature.parameters) == arguments, changed(
            f"{oracle_class.__name__}.{name}"
        )
    assert oracle.ongoing_trials == {}, changed("Oracle.ongoing_trials")


@pytest.mark.parametrize("oracle_class", ORACLES)
def test_create_trial_asks_populate_space(oracle_class, tmp_path):
    oracle = make(oracle_class)
    oracle._set_project_dir(tmp_path, "search")
    proposal = {"status": "RUNNING", "values": {"n": 7}}
    oracle_internals.replace_populate_space(oracle, lambda trial_id: proposal)
    trial = oracle.create_trial("tuner0")
    assert trial.hyperparameters.values == {"n": 7}, changed(
        "Oracle.create_trial"
    )
    assert oracle_internals.has_unfinished_trials(oracle), changed(
        "Oracle.ongoing_trials"
    )


def test_hyperband_draws_by_random_values():
    oracle = make(oracles.HyperbandOracle)
    oracle_internals.replace_random_values(
        oracle, lambda own: {**own(), "n": 99}
    )
    response = oracle.populate_space("0")
    assert response["values"]["n"] == 99, changed(
        "HyperbandOracle._random_values"
    )
    kept = {name for name in response["values"] if name != "n"}
    assert kept and all(name.startswith("tuner/") for name in kept), changed(
        "HyperbandOracle.populate_space"
    )


def test_random_values_are_a_point():
    oracle = make(oracles.BayesianOptimizationOracle)
    values = oracle_internals.random_values(oracle)
    assert values in ({"n": 3}, {"n": 5}, {"n": 7}), changed(
        "Oracle._random_values"
    )


def test_a_grid_has_next_combinations():
    oracle = make(oracles.GridSearchOracle)
    values = [{"n": 3}]
    while values[-1] is not None:
        values.append(oracle_internals.next_combination(oracle, values[-1]))
    assert values == [{"n": 3}, {"n": 5}, {"n": 7}, None], changed(
        "GridSearchOracle._get_next_combination"
    )


@pytest.mark.parametrize(
    "function, arguments",
    [
        ("replace_populate_space", [None]),
        ("replace_random_values", [None]),
        ("random_values", []),
        ("next_combination", [{}]),
        ("has_unfinished_trials", []),
    ],
)
def test_what_is_gone_is_named(function, arguments):
    class Oracle:
        pass

    with pytest.raises(RuntimeError, match="KerasTuner changed `Oracle[.]"):
        getattr(oracle_internals, function)(Oracle(), *arguments)
