import csv
import dataclasses
import errno
import math

import keras
import keras_tuner
import pytest

from keras_alexnet.models import with_width
from keras_alexnet.models.presets import PAPER
from keras_alexnet.tuning import ArchitectureHyperModel
from keras_alexnet.tuning import ConnectivityHyperModel
from keras_alexnet.tuning import LRNHyperModel
from keras_alexnet.tuning import SearchResults
from keras_alexnet.tuning import try_first


def search(hypermodel, folder, points=(), tuner="RandomSearch", **options):
    if tuner != "Hyperband":
        options.setdefault("max_trials", len(points))
    tuner = getattr(keras_tuner, tuner)(
        hypermodel,
        hypermodel.objective,
        directory=folder,
        seed=1,
        max_consecutive_failed_trials=99,
        **options,
    )
    try_first(tuner, points)
    tuner.search(verbose=0)
    return tuner


def by_beta(architecture, seed, **_):
    """Errors of 0.3, 0.4 and 0.5 for seeds 0, 1 and 2 at beta 0.75."""
    return abs(architecture.lrn_beta - 0.75) + 0.3 + 0.1 * seed


def test_mean_and_standard_error_over_seeds(landscape, tiny, recipe, tmp_path):
    experiment = landscape(by_beta)
    hypermodel = LRNHyperModel(experiment, tiny, recipe)
    tuner = search(hypermodel, tmp_path, [{}])
    metrics = tuner.oracle.trials["0"].metrics
    values = {n: metrics.get_last_value(n) for n in metrics.metrics}
    assert values == pytest.approx(
        {
            "val_top1_error": 0.4,
            "val_top1_standard_error": 0.1 / math.sqrt(3),
            "val_top5_error": 0.0,
            "seeds": 3,
            "stopped": 0,
        }
    )
    assert tuner.oracle.trials["0"].score == pytest.approx(0.4)
    assert [seed for *_, seed in experiment.trained] == [0, 1, 2]


def test_recipe_prepares_what_is_tuned(landscape, tiny, recipe, tmp_path):
    """Values are meant for pixels of 0-255; the recipe divides them."""
    experiment = landscape(by_beta)
    hypermodel = LRNHyperModel(experiment, tiny, recipe, seeds=[0])
    search(hypermodel, tmp_path, [{"alpha": 1e-3}])
    architecture = experiment.trained[0][0]
    assert architecture.lrn_alpha == pytest.approx(1e-3 * 58**2)
    assert architecture.pixel_std == (58.0,) * 3


@pytest.mark.parametrize(
    "tuner, options",
    [
        ("RandomSearch", {"max_trials": 4}),
        ("BayesianOptimization", {"max_trials": 4, "num_initial_points": 2}),
        ("GridSearch", {"max_trials": 4}),
        ("Hyperband", {"max_epochs": 2, "factor": 2}),
    ],
)
def test_every_tuner_searches(
    tuner, options, landscape, tiny, recipe, tmp_path
):
    experiment = landscape(by_beta)
    hypermodel = LRNHyperModel(
        experiment, tiny, recipe, seeds=[0], stop_hopeless=False
    )
    points = hypermodel.space.author_trials()[:3]
    done = search(hypermodel, tmp_path, points, tuner, **options)
    trials = done.oracle.trials.values()
    assert {trial.status for trial in trials} == {"COMPLETED"}
    assert len(trials) >= 4
    assert done.oracle.trials[min(done.oracle.trials)].score == 0.3


def test_hyperband_trains_anew_for_more_epochs(
    landscape, tiny, recipe, tmp_path
):
    experiment = landscape(by_beta)
    hypermodel = LRNHyperModel(
        experiment, tiny, recipe, seeds=[0], stop_hopeless=False
    )
    tuner = search(
        hypermodel, tmp_path, [], "Hyperband", max_epochs=2, factor=2
    )
    assert {r.epochs for _, r, _ in experiment.trained} == {1, 2}
    SearchResults(tuner).save(tmp_path)
    with open(tmp_path / "trials.csv", newline="") as file:
        epochs = [row["epochs"] for row in csv.DictReader(file)]
    # The best were trained for the most.
    assert set(epochs) == {"1", "2"} and epochs[0] == "2"
    assert epochs == sorted(epochs, reverse=True)


@pytest.mark.parametrize(
    "error", [FloatingPointError("The loss is nan"), MemoryError("no room")]
)
def test_failed_trial_is_recorded_and_the_search_goes_on(
    error, landscape, tiny, recipe, tmp_path
):
    def fails_for_9(architecture, **_):
        if architecture.lrn_n == 9:
            raise error
        return 0.5

    hypermodel = LRNHyperModel(landscape(fails_for_9), tiny, recipe)
    points = [{"n": 9}, {"n": 7}, {"n": 9, "k": 1.0}, {"n": 5}]
    tuner = search(hypermodel, tmp_path, points)
    statuses = {
        trial.hyperparameters["n"]: trial.status
        for trial in tuner.oracle.trials.values()
    }
    assert statuses == {9: "FAILED", 7: "COMPLETED", 5: "COMPLETED"}
    # Locally, KerasTuner keeps why.
    assert str(error) in tuner.oracle.trials["0"].message
    kept = [r for r in hypermodel.experiment.runs() if r.status == "failed"]
    assert {run.message for run in kept} == {str(error)}


def test_errors_that_are_no_results_use_up_no_trial(
    landscape, tiny, recipe, tmp_path
):
    """The search ends, and goes on with that trial when it can."""

    def full(architecture, **_):
        if architecture.lrn_n == 7:
            raise OSError(errno.ENOSPC, "No space left on device")
        return 0.5

    points = [{"n": n} for n in (9, 7, 5)]
    hypermodel = LRNHyperModel(landscape(full), tiny, recipe, seeds=[0])
    with pytest.raises(
        keras_tuner.errors.FatalError,
        match="start the search again.*OSError: .*No space left",
    ):
        search(hypermodel, tmp_path, points)
    experiment = landscape(lambda **_: 0.5)
    hypermodel = LRNHyperModel(experiment, tiny, recipe, seeds=[0])
    tuner = search(hypermodel, tmp_path, points)
    assert [a.lrn_n for a, *_ in experiment.trained] == [7, 5]
    trials = tuner.oracle.trials.values()
    assert {trial.status for trial in trials} == {"COMPLETED"}


def test_hopeless_trials_are_stopped_at_the_first_seed(
    landscape, tiny, recipe, tmp_path
):
    recipe = dataclasses.replace(recipe, epochs=4)
    experiment = landscape(by_beta)
    hypermodel = LRNHyperModel(experiment, tiny, recipe)
    points = [{"beta": b} for b in (0.75, 0.76, 0.74, 0.25, 0.77)]
    tuner = search(hypermodel, tmp_path, points)
    stopped = [
        trial.metrics.get_last_value("stopped")
        for trial in tuner.oracle.trials.values()
    ]
    assert stopped == [0, 0, 0, 1, 0]
    worst = tuner.oracle.trials["3"]
    assert worst.status == "COMPLETED"
    assert worst.metrics.get_last_value("seeds") == 1
    betas = [architecture.lrn_beta for architecture, *_ in experiment.trained]
    assert betas.count(0.25) == 1
    assert betas.count(0.75) == 3
    # Not before half of the epochs.
    (run,) = [r for r in experiment.runs() if r.status == "stopped"]
    assert len(run.curve) == 2


def test_networks_of_another_search_stop_none(
    landscape, tiny, recipe, tmp_path
):
    """A better network was searched with the same directory and recipe."""
    recipe = dataclasses.replace(recipe, epochs=2)
    points = [{"n": n} for n in (9, 7, 5)]
    for network, error in ((tiny, 0.1), (with_width(tiny, 0.5), 0.6)):
        hypermodel = LRNHyperModel(
            landscape(lambda e=error, **_: e), network, recipe, seeds=(0, 1)
        )
        tuner = search(
            hypermodel, tmp_path, points, project_name=hypermodel.key
        )
        for trial in tuner.oracle.trials.values():
            assert trial.metrics.get_last_value("stopped") == 0


def test_networks_that_were_stopped_count(landscape, tiny, recipe, tmp_path):
    """The median is that of all: 0.61 of six, not 0.31 of the best three."""
    recipe = dataclasses.replace(recipe, epochs=2)
    experiment = landscape(lambda architecture, **_: architecture.lrn_beta)
    hypermodel = LRNHyperModel(experiment, tiny, recipe, seeds=[0])
    betas = (0.3, 0.31, 0.32, 0.9, 0.91, 0.92, 0.5)
    tuner = search(hypermodel, tmp_path, [{"beta": b} for b in betas])
    stopped = [
        trial.metrics.get_last_value("stopped")
        for trial in tuner.oracle.trials.values()
    ]
    assert stopped == [0, 0, 0, 1, 1, 1, 0]


def test_interrupted_search_repeats_no_training(
    landscape, tiny, recipe, tmp_path
):
    """The process dies in the second seed of the second trial."""
    points = [{"n": n} for n in (9, 7, 5)]

    def dies(architecture, seed, **_):
        if (architecture.lrn_n, seed) == (7, 1):
            raise KeyboardInterrupt
        return 0.5

    experiment = landscape(dies)
    with pytest.raises(KeyboardInterrupt):
        search(LRNHyperModel(experiment, tiny, recipe), tmp_path, points)
    before = [(a.lrn_n, seed) for a, _, seed in experiment.trained]
    assert before == [(9, 0), (9, 1), (9, 2), (7, 0), (7, 1)]

    experiment = landscape(lambda **_: 0.5)
    tuner = search(LRNHyperModel(experiment, tiny, recipe), tmp_path, points)
    after = [(a.lrn_n, seed) for a, _, seed in experiment.trained]
    assert after == [(7, 1), (7, 2), (5, 0), (5, 1), (5, 2)]
    trials = [tuner.oracle.trials[str(number)] for number in range(3)]
    assert [trial.hyperparameters["n"] for trial in trials] == [9, 7, 5]
    assert {trial.status for trial in trials} == {"COMPLETED"}


def test_connectivity_is_searched(landscape, tiny, recipe, tmp_path):
    def fewest(architecture, **_):
        return 0.1 * len(architecture.cross)

    hypermodel = ConnectivityHyperModel(landscape(fewest), tiny, recipe, [0])
    points = hypermodel.space.author_trials()
    tuner = search(hypermodel, tmp_path, points, max_trials=4)
    best = tuner.get_best_hyperparameters()[0]
    assert hypermodel.architecture(best).cross == ("fc6", "fc7")


def test_refuses_the_test_split(landscape):
    with pytest.raises(ValueError, match="tuned on the test split"):
        LRNHyperModel(landscape(by_beta, split="test"))


def test_refuses_no_seeds(landscape):
    with pytest.raises(ValueError, match="`seeds` must be at least one"):
        LRNHyperModel(landscape(by_beta), seeds=())


def test_is_a_hypermodel_of_keras_tuner(landscape):
    hypermodel = LRNHyperModel(landscape(by_beta))
    assert isinstance(hypermodel, keras_tuner.HyperModel)
    assert hypermodel.architecture(keras_tuner.HyperParameters()) == PAPER


def test_can_be_subclassed(landscape, tiny, recipe, tmp_path):
    """Another hyperparameter beside those of the space."""

    class WithUnits(LRNHyperModel):
        def architecture(self, hp):
            units = hp.Choice("units", (8, 32))
            network = super().architecture(hp)
            return dataclasses.replace(network, fc_units=(units, units))

    def fewer_is_worse(architecture, **_):
        return 1 / architecture.fc_units[0]

    hypermodel = WithUnits(landscape(fewer_is_worse), tiny, recipe, seeds=[0])
    points = [{"units": 8}, {"units": 32, "n": 9}]
    tuner = search(hypermodel, tmp_path, points)
    best = tuner.get_best_hyperparameters()[0]
    assert hypermodel.architecture(best).fc_units == (32, 32)
    assert hypermodel.architecture(best).lrn_n == 9


def test_another_space(landscape, tiny, recipe, tmp_path):
    class Dropout:
        base = tiny

        def architecture(self, hp):
            rate = hp.Choice("rate", (0.0, 0.5))
            return dataclasses.replace(self.base, dropout=rate)

    experiment = landscape(lambda architecture, **_: architecture.dropout)
    hypermodel = ArchitectureHyperModel(experiment, Dropout(), recipe, [0])
    tuner = search(hypermodel, tmp_path, [{"rate": 0.5}, {"rate": 0.0}])
    best = tuner.get_best_hyperparameters()[0]
    assert hypermodel.architecture(best).dropout == 0


def test_mixed_precision_survives_a_search(landscape, tiny, recipe, tmp_path):
    """KerasTuner clears Keras's state before each trial."""
    seen = []

    def error(experiment, **_):
        seen.append((experiment.dtype, keras.config.dtype_policy().name))
        return 0.5

    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        hypermodel = LRNHyperModel(landscape(error), tiny, recipe, seeds=[0])
        search(hypermodel, tmp_path, [{"n": 9}, {"n": 7}])
        after = keras.config.dtype_policy().name
    finally:
        keras.config.set_dtype_policy("float32")
    assert seen == [("mixed_bfloat16", "mixed_bfloat16")] * 2
    assert after == "mixed_bfloat16"


def test_hyperband_goes_on_from_kept_runs(landscape, tiny, recipe, tmp_path):
    """It loads the file that a training would have left."""
    recipe = dataclasses.replace(recipe, epochs=3)
    for name in ("first", "second"):
        hypermodel = LRNHyperModel(
            landscape(lambda seed, **_: 0.25), tiny, recipe, seeds=(0,)
        )
        tuner = keras_tuner.Hyperband(
            hypermodel,
            hypermodel.objective,
            max_epochs=3,
            seed=1,
            directory=tmp_path,
            project_name=name,
        )
        tuner.search(verbose=0)
        trials = tuner.oracle.trials.values()
        assert {trial.status for trial in trials} == {"COMPLETED"}


def test_another_space_is_another_search(landscape, tiny, recipe):
    class Units(LRNHyperModel):
        def __init__(self, *arguments, units):
            super().__init__(*arguments)
            self.units = units

        def architecture(self, hp):
            count = hp.Choice("units", self.units)
            return dataclasses.replace(
                super().architecture(hp), fc_units=(count, count)
            )

    arguments = landscape(by_beta), tiny, recipe
    keys = {
        LRNHyperModel(*arguments).key,
        ConnectivityHyperModel(*arguments).key,
        Units(*arguments, units=(32, 64)).key,
        Units(*arguments, units=(64, 128)).key,
    }
    assert len(keys) == 4
    assert LRNHyperModel(*arguments).key in keys
