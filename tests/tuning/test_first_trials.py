import math

import keras_tuner
import pytest

from keras_alexnet.tuning import try_first

OBJECTIVE = keras_tuner.Objective("error", "min")
POINTS = [
    {"n": 9, "k": 1.0, "norm": True},
    {"norm": False},
    {"n": 7, "k": 0.25, "norm": True},
]
EXPECTED = [
    {"norm": True, "n": 9, "k": 1.0},
    {"norm": False},
    {"norm": True, "n": 7, "k": 0.25},
]


class Space(keras_tuner.HyperModel):
    def build(self, hp):
        """A conditional space, all types of hyperparameters in it."""
        hp.Boolean("norm", default=True)
        with hp.conditional_scope("norm", [True]):
            hp.Choice("n", [3, 5, 7, 9], default=5)
            hp.Float("k", 0.25, 4.0, sampling="log", step=4, default=1.0)


def make(tuner, folder, **options):
    classes = {
        "random": keras_tuner.RandomSearch,
        "bayesian": keras_tuner.BayesianOptimization,
        "hyperband": keras_tuner.Hyperband,
        "grid": keras_tuner.GridSearch,
    }
    if tuner == "hyperband":
        options.setdefault("max_epochs", 4)
        options.pop("max_trials", None)
    elif tuner == "bayesian":
        # As many as points, so that a model proposes the one after them.
        options.setdefault("num_initial_points", len(POINTS))
    tuner = classes[tuner](
        Space(), objective=OBJECTIVE, directory=folder, seed=3, **options
    )
    tuner.oracle.verbose = 0
    return tuner


def run(tuner, count=None):
    """Trials as `search` runs them; the points tried, in order."""
    tried = []
    while count is None or len(tried) < count:
        trial = tuner.oracle.create_trial("tuner0")
        if trial.status == "STOPPED":
            break
        values = dict(trial.hyperparameters.values)
        error = math.log(values.get("k", 2.0)) ** 2
        tuner.oracle.update_trial(trial.trial_id, {"error": error})
        trial.status = "COMPLETED"
        tuner.oracle.end_trial(trial)
        tuner.save()
        # Hyperband trains the best ones again, for more epochs.
        if not values.get("tuner/round"):
            own = {k: v for k, v in values.items() if "tuner/" not in k}
            tried.append(own)
    return tried


TUNERS = ["random", "bayesian", "hyperband", "grid"]


@pytest.mark.parametrize("name", TUNERS)
def test_points_come_first(name, tmp_path):
    tuner = make(name, tmp_path, max_trials=4)
    try_first(tuner, POINTS)
    tried = run(tuner, 4)
    assert tried[:3] == EXPECTED
    assert len(tried) == 4
    assert all(values not in EXPECTED for values in tried[3:])


@pytest.mark.parametrize("name", TUNERS)
def test_points_are_not_tried_again_after_a_restart(name, tmp_path):
    tuner = make(name, tmp_path, max_trials=5)
    try_first(tuner, POINTS)
    before = run(tuner, 2)
    tuner = make(name, tmp_path, max_trials=5)
    try_first(tuner, POINTS)
    after = run(tuner, 2)
    assert before == EXPECTED[:2]
    assert after[0] == EXPECTED[2]
    assert all(values not in EXPECTED for values in after[1:])


@pytest.mark.parametrize("name", TUNERS)
def test_a_point_that_a_worker_tried_is_the_same(name, tmp_path):
    """Workers send values back as messages."""
    tuner = make(name, tmp_path, max_trials=5)
    try_first(tuner, [{"k": 0.1 + 0.2, "n": 3}])
    trial = tuner.oracle.create_trial("tuner0")
    sent = type(trial).from_proto(trial.to_proto())
    tuner.oracle.update_trial(trial.trial_id, {"error": 1.0})
    sent.status = "COMPLETED"
    tuner.oracle.end_trial(sent)
    assert run(tuner, 1)[0] != {"norm": True, "k": 0.1 + 0.2, "n": 3}


def test_a_repeated_proposal_becomes_a_random_one(tmp_path):
    tuner = make("bayesian", tmp_path, max_trials=5)
    repeated = {"status": "RUNNING", "values": EXPECTED[0]}
    tuner.oracle.populate_space = lambda trial_id: repeated
    try_first(tuner, POINTS)
    tried = run(tuner)
    assert tried[:3] == EXPECTED
    assert len({str(sorted(values.items())) for values in tried}) == 5


def test_the_search_ends_where_all_is_tried(tmp_path):
    tuner = make("bayesian", tmp_path, max_trials=99, num_initial_points=99)
    try_first(tuner, POINTS)
    assert 3 < len(run(tuner)) <= 13


def test_hyperband_halves_the_points_too(tmp_path):
    tuner = make("hyperband", tmp_path, max_epochs=4)
    try_first(tuner, POINTS)
    run(tuner)
    trials = tuner.oracle.trials.values()
    longest = [
        trial.hyperparameters.values
        for trial in trials
        if trial.hyperparameters.values["tuner/epochs"] == 4
    ]
    # k=1 has the least error of all.
    assert any(values.get("k") == 1.0 for values in longest)


def test_grid_is_tried_once_and_wholly(tmp_path):
    tuner = make("grid", tmp_path)
    try_first(tuner, POINTS)
    tried = run(tuner)
    keys = [tuple(sorted(values.items())) for values in tried]
    # n of 4 by k of 0.25, 1 and 4; without norm there is but one.
    assert len(keys) == len(set(keys)) == 13


def test_grid_goes_on_after_a_restart(tmp_path):
    tuner = make("grid", tmp_path)
    try_first(tuner)
    before = run(tuner, 5)
    tuner = make("grid", tmp_path)
    try_first(tuner)
    after = run(tuner)
    assert len(before) + len(after) == 13
    assert not [values for values in after if values in before]


def test_grid_waits_for_those_that_run(tmp_path):
    tuner = make("grid", tmp_path)
    try_first(tuner)
    run(tuner, 12)
    assert tuner.oracle.create_trial("tuner0").status == "RUNNING"
    assert tuner.oracle.create_trial("tuner1").status == "IDLE"


def test_point_out_of_bounds_is_left_out(tmp_path):
    tuner = make("random", tmp_path, max_trials=3)
    with pytest.warns(UserWarning, match="out of the bounds of .'n', 'k'."):
        try_first(tuner, [{"n": 4, "k": 100.0}, {"n": 9}])
    assert run(tuner, 1)[0]["n"] == 9


def test_unknown_names_are_left_out(tmp_path):
    tuner = make("random", tmp_path, max_trials=3)
    try_first(tuner, [{"n": 9, "gamma": 3}, {"n": 9}])
    first, second = run(tuner, 2)
    assert first == {"norm": True, "n": 9, "k": 1.0}
    assert second != first


def test_a_fixed_part_of_the_space(tmp_path):
    """KerasTuner's own way to tune less: the rest takes its defaults."""
    hps = keras_tuner.HyperParameters()
    hps.Choice("n", [3, 5, 7, 9], default=5)
    tuner = make("grid", tmp_path, hyperparameters=hps, tune_new_entries=False)
    try_first(tuner, POINTS)
    assert [values["n"] for values in run(tuner)] == [9, 5, 7, 3]


def test_workers_leave_it_to_the_chief():
    class Worker:
        oracle = object()

    assert try_first(Worker(), POINTS) is None
