import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest

from keras_alexnet.data import load_source
from keras_alexnet.studies import Experiment
from keras_alexnet.studies import MedianStop
from keras_alexnet.studies import experiments
from keras_alexnet.training import training

# As in conftest.py.
SIZE = 40


@pytest.fixture(scope="module")
def done(source, tmp_path_factory):
    """One training, and where it is kept."""
    from keras_alexnet.models.presets import PAPER
    from keras_alexnet.training.presets import SMALL_DATA_RECIPE

    tiny = dataclasses.replace(
        PAPER, filters=(8, 16, 24, 24, 16), fc_units=(32, 32)
    )
    recipe = dataclasses.replace(
        SMALL_DATA_RECIPE, epochs=2, batch_size=32, flip=False
    )
    folder = tmp_path_factory.mktemp("experiment")
    experiment = Experiment(source, folder, SIZE)
    prepared = recipe.prepare(tiny)
    return experiment, prepared, recipe, experiment.run(prepared, recipe, 0)


def test_run_is_a_training(done):
    *_, run = done
    assert run.status == "completed"
    assert (run.seed, run.epochs, run.n) == (0, 2, 50)
    assert len(run.curve) == 2
    # Center views of the holdout after the last epoch, both.
    assert run.top1_error == pytest.approx(run.curve[-1])
    assert 0 <= run.top5_error <= run.top1_error <= 1
    assert run.seconds > 0


def test_it_is_kept_with_all_that_it_depends_on(done):
    experiment, architecture, recipe, run = done
    (path,) = experiment.directory.glob("runs/*/run.json")
    kept = json.loads(path.read_text())
    assert kept["split"] == "holdout"
    assert kept["fingerprint"] == experiment.source.fingerprint
    assert kept["recipe"]["epochs"] == 2
    assert kept["dtype"] == "float32"
    assert kept["backend"] == "tensorflow"
    assert kept["architecture"]["lrn_n"] == 5
    assert not (path.parent / "backup").exists()


def test_it_is_not_trained_again(done, monkeypatch):
    experiment, architecture, recipe, run = done
    monkeypatch.setattr(training, "fit", None)
    renamed = dataclasses.replace(architecture, name="x", input_size=99)
    assert experiment.run(renamed, recipe, 0) == run
    assert experiment.runs() == [run]


@pytest.mark.parametrize(
    "change",
    [
        lambda e, a, r: (e, dataclasses.replace(a, lrn_n=3), r, 0),
        lambda e, a, r: (e, a, dataclasses.replace(r, epochs=3), 0),
        lambda e, a, r: (e, a, r, 1),
        lambda e, a, r: (dataclasses.replace(e, split="test"), a, r, 0),
        lambda e, a, r: (dataclasses.replace(e, views="ten"), a, r, 0),
        lambda e, a, r: (dataclasses.replace(e, input_size=44), a, r, 0),
        lambda e, a, r: (dataclasses.replace(e, dtype="float16"), a, r, 0),
    ],
)
def test_other_settings_are_other_trainings(change, done, monkeypatch):
    class Trained(Exception):
        pass

    def fit(*args, **kwargs):
        raise Trained

    monkeypatch.setattr(training, "fit", fit)
    experiment, architecture, recipe, seed = change(*done[:3])
    with pytest.raises(Trained):
        experiment.run(architecture, recipe, seed)


def test_another_backend_or_version_is_another_training(done, monkeypatch):
    experiment, architecture, recipe, run = done
    assert experiment.runs(recipe) == [run]
    key = experiment.key()
    for where, name, value in (
        (experiments, "COMPUTATION", experiments.COMPUTATION + 1),
        (keras.backend, "backend", lambda: "jax"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, value)
            assert experiment.runs(recipe) == []
            assert experiment.key() != key


def test_mixed_precision_survives_a_study(done, tmp_path, monkeypatch):
    """Every network computes as asked, and Keras's policy stays."""
    _, architecture, recipe, _ = done
    seen = []

    def fit(model, *args, **kwargs):
        seen.append(model.get_layer("conv2").dtype_policy.name)
        raise MemoryError

    monkeypatch.setattr(training, "fit", fit)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        experiment = Experiment(done[0].source, tmp_path, SIZE)
        for seed in range(2):
            experiment.run(architecture, recipe, seed)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")
    assert seen == ["mixed_bfloat16"] * 2
    # As the experiment was made, whatever Keras's policy is now.
    experiment.run(architecture, recipe, 2)
    assert seen[2] == "mixed_bfloat16"
    network = experiment.network(architecture)
    assert network.get_layer("conv2").compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_refuses_an_unknown_policy(done, tmp_path):
    with pytest.raises(ValueError, match="bf16"):
        Experiment(done[0].source, tmp_path, dtype="bf16")


@pytest.mark.slow
def test_a_study_in_bfloat16_trains(done, tmp_path):
    _, architecture, recipe, run = done
    experiment = Experiment(
        done[0].source, tmp_path, SIZE, dtype="mixed_bfloat16"
    )
    other = experiment.run(architecture, recipe, 0)
    assert other.status == "completed"
    assert other.curve != run.curve
    assert keras.config.dtype_policy().name == "float32"


def test_numbers_that_are_not_finite_fail(done, tmp_path):
    experiment, architecture, recipe, _ = done
    experiment = dataclasses.replace(experiment, directory=tmp_path)
    recipe = dataclasses.replace(recipe, learning_rate=1e6)
    with pytest.warns(UserWarning, match="The loss is"):
        run = experiment.run(architecture, recipe, 0)
    assert run.status == "failed"
    assert run.top1_error is None
    assert "The loss is" in run.message
    assert experiment.run(architecture, recipe, 0) == run


def test_weights_that_are_not_finite_fail(done, tmp_path, monkeypatch):
    """The last step may ruin them after the last loss was computed."""

    def fit(model, *args, **kwargs):
        weights = model.get_weights()
        weights[-1] = weights[-1] * np.nan
        model.set_weights(weights)
        history = type("History", (), {"history": {"loss": [1.0]}})
        return history

    monkeypatch.setattr(training, "fit", fit)
    experiment = dataclasses.replace(done[0], directory=tmp_path)
    run = experiment.run(*done[1:3], 0)
    assert run.message == "Weights are not finite after the last step"


def test_a_source_without_holdout_is_not_validated(done, monkeypatch):
    experiment, architecture, recipe, _ = done
    splits = dict(experiment.source.splits)
    del splits["holdout"]
    source = dataclasses.replace(experiment.source, splits=splits)
    seen = []

    def fit(model, recipe, data, validation, *args, **kwargs):
        seen.append(validation)
        raise MemoryError

    monkeypatch.setattr(training, "fit", fit)
    experiment = Experiment(source, experiment.directory, SIZE, split="test")
    assert experiment.run(architecture, recipe, 9).status == "failed"
    assert seen == [None]


def test_refuses_an_unknown_split(tmp_path):
    source = load_source("digits")
    with pytest.raises(ValueError, match="holdout=0.1.*split='holdout'"):
        Experiment(source, tmp_path)


@pytest.mark.slow
def test_killed_training_is_resumed(done, tmp_path, monkeypatch):
    """What was kept before the last epoch leads to the same weights."""
    experiment, architecture, recipe, run = done
    experiment = dataclasses.replace(experiment, directory=tmp_path)
    real = training.fit

    def killed(*args, callbacks=(), **kwargs):
        class Kill(experiments.keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 1:
                    raise KeyboardInterrupt

        return real(*args, callbacks=[Kill()], **kwargs)

    monkeypatch.setattr(training, "fit", killed)
    with pytest.raises(KeyboardInterrupt):
        experiment.run(architecture, recipe, 0)
    monkeypatch.setattr(training, "fit", real)
    again = experiment.run(architecture, recipe, 0)
    assert again.curve == run.curve
    assert again.top1_error == run.top1_error
    shutil.rmtree(tmp_path)


def test_exhausted_memory_is_tried_again(landscape, tiny, recipe):
    def error(**_):
        if len(experiment.trained) == 1:
            raise MemoryError
        return 0.25

    experiment = landscape(error)
    first, second, third = (experiment.run(tiny, recipe, 0) for _ in range(3))
    assert (first.status, first.message) == ("failed", "MemoryError")
    assert second.status == "completed" and third == second
    assert len(experiment.trained) == 2


def test_a_stopped_run_counts_only_where_runs_are_stopped(
    landscape, tiny, recipe
):
    class Stop(keras.callbacks.Callback):
        hopeless = True

    experiment = landscape(lambda **_: 0.25)
    for callbacks in ([Stop()], [Stop()], []):
        last = experiment.run(tiny, recipe, 0, callbacks)
    assert len(experiment.trained) == 2
    assert last.status == "completed"


class StopFirst(keras.callbacks.Callback):
    """Ends a training after its first epoch."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


def test_a_run_cut_short_counts_only_beside_callbacks(landscape, tiny, recipe):
    recipe = dataclasses.replace(recipe, epochs=3)
    experiment = landscape(lambda **_: 0.25)
    for callbacks in ([StopFirst()], [StopFirst()], [], []):
        last = experiment.run(tiny, recipe, 0, callbacks)
    assert len(experiment.trained) == 2
    assert len(last.curve) == 3


def test_a_plateau_ends_a_run_by_itself(landscape, tiny, recipe):
    recipe = dataclasses.replace(recipe, epochs=3, schedule="plateau")
    experiment = landscape(lambda **_: 0.25)
    for callbacks in ([StopFirst()], []):
        last = experiment.run(tiny, recipe, 0, callbacks)
    assert len(experiment.trained) == 1
    assert len(last.curve) == 1


@pytest.mark.slow
def test_a_run_that_was_stopped_and_killed(done, tmp_path, monkeypatch):
    """The process dies after its training and before its result is kept."""
    _, architecture, recipe, _ = done
    experiment = dataclasses.replace(done[0], directory=tmp_path)
    recipe = dataclasses.replace(recipe, epochs=3)

    def hopeless():
        return [MedianStop([[0.001] * 3] * 3)]

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.Training, "evaluate", die)
        with pytest.raises(KeyboardInterrupt):
            experiment.run(architecture, recipe, 0, hopeless())
    saved = tmp_path / "saved"
    shutil.copytree(tmp_path / "runs", saved)
    run = experiment.run(architecture, recipe, 0, hopeless())
    assert (run.status, len(run.curve)) == ("stopped", 1)
    # One who stops nothing gets a whole training.
    shutil.rmtree(tmp_path / "runs")
    saved.rename(tmp_path / "runs")
    run = experiment.run(architecture, recipe, 0)
    assert (run.status, len(run.curve)) == ("completed", 3)


def test_runs_of_a_study(landscape, tiny, recipe):
    experiment = landscape(lambda **_: 0.25)
    experiment.run(tiny, recipe, 0, study="a")
    experiment.run(tiny, recipe, 1, study="b")
    # It is trained once, and counts in both.
    experiment.run(tiny, recipe, 1, study="a")
    assert [run.seed for run in experiment.runs(recipe, "b")] == [1]
    assert len(experiment.runs(study="a")) == 2
    assert experiment.runs(study="c") == []


def test_runs_of_a_recipe_on_the_same_images(landscape, tiny, recipe):
    other = dataclasses.replace(recipe, learning_rate=0.5)
    experiment = landscape(lambda **_: 0.25)
    experiment.run(tiny, recipe, 0)
    experiment.run(tiny, other, 1)
    landscape(lambda **_: 0.5, split="test").run(tiny, recipe, 2)
    assert [run.seed for run in experiment.runs(recipe)] == [0]
    assert sorted(run.seed for run in experiment.runs()) == [0, 1, 2]


def test_the_key_tells_studies_apart(landscape, tiny, recipe):
    experiment = landscape(lambda **_: 0.25)
    keys = {
        experiment.key(tiny, recipe),
        experiment.key(tiny, dataclasses.replace(recipe, epochs=7)),
        landscape(lambda **_: 0.25, split="test").key(tiny, recipe),
    }
    assert len(keys) == 3 and experiment.key(tiny, recipe) in keys
