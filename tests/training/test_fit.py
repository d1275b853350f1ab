import dataclasses
import gc
import shutil

import keras
import pytest

from keras_alexnet.training import PAPER_RECIPE
from keras_alexnet.training import SMALL_DATA_RECIPE
from keras_alexnet.training import AlexNetSGD
from keras_alexnet.training import AsRunSchedule
from keras_alexnet.training import DivideOnPlateau
from keras_alexnet.training import fit
from keras_alexnet.training import make_schedule
from keras_alexnet.training.fit import compile_by

pytest.importorskip("tensorflow", reason="the data are a tf.data.Dataset")

from training.run_to_kill import STEPS  # noqa: E402
from training.run_to_kill import At  # noqa: E402
from training.run_to_kill import Data  # noqa: E402
from training.run_to_kill import make_model  # noqa: E402
from training.run_to_kill import state  # noqa: E402


def test_schedules_of_the_recipes():
    plateau = make_schedule(
        dataclasses.replace(PAPER_RECIPE, division=5.0, divisions=2, patience=7)
    )
    assert isinstance(plateau, DivideOnPlateau)
    assert (plateau.factor, plateau.times, plateau.patience) == (5.0, 2, 7)
    assert plateau.monitor == "val_top1_error"
    data = Data()
    as_run = make_schedule("code_2012", data, epochs=30)
    assert isinstance(as_run, AsRunSchedule)
    assert (as_run.data, as_run.epochs) == (data, 30)
    assert as_run.learning_rate == 0.01
    assert make_schedule(SMALL_DATA_RECIPE, epochs=2).schedule(
        1
    ) == pytest.approx(0.005)
    assert make_schedule(SMALL_DATA_RECIPE).schedule(20) == pytest.approx(0.005)
    constant = dataclasses.replace(PAPER_RECIPE, schedule="constant")
    assert make_schedule(constant) is None


def test_it_compiles_by_the_recipe():
    model, data = make_model(), Data()
    recipe = dataclasses.replace(
        SMALL_DATA_RECIPE, learning_rate=0.5, weight_decay=0.25
    )
    history = fit(model, recipe, data, epochs=2, verbose=0)
    assert isinstance(model.optimizer, AlexNetSGD)
    assert model.optimizer.weight_decay == 0.25
    assert history.history["learning_rate"] == pytest.approx([0.5, 0.25])
    # Top-5 of three classes would be no error at all.
    assert set(history.history) == {"loss", "top1_error", "learning_rate"}
    assert data.seeks == [(0, 0), (1, 0)]
    iterations = keras.ops.convert_to_numpy(model.optimizer.iterations)
    assert iterations == 2 * STEPS


def test_probabilities_and_logits_are_told_apart():
    model = make_model()
    logits = keras.Model(model.input, model.layers[-1].output)
    fit(logits, SMALL_DATA_RECIPE, Data(), epochs=0, verbose=0)
    assert not logits.loss.get_config()["from_logits"]
    x = keras.layers.Dense(3, name="fc8")(model.layers[-2].output)
    logits = keras.Model(model.input, x)
    fit(logits, SMALL_DATA_RECIPE, Data(), epochs=0, verbose=0)
    assert logits.loss.get_config()["from_logits"]


@pytest.mark.parametrize(
    "end",
    [
        [keras.layers.Dense(3), keras.layers.Softmax()],
        [keras.layers.Dense(3, activation="softmax"), keras.layers.Flatten()],
        [keras.Sequential([keras.layers.Dense(3), keras.layers.Softmax()])],
    ],
)
def test_probabilities_are_known_whatever_layer_makes_them(end):
    model = keras.Sequential([keras.Input((4,)), *end])
    compile_by(SMALL_DATA_RECIPE, model)
    assert not model.loss.from_logits


def test_logits_of_a_sequential_model():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    compile_by(SMALL_DATA_RECIPE, model)
    assert model.loss.from_logits


def test_layers_that_are_frozen_have_no_rules():
    """The decay of a frozen layer, and the annealed rate of a frozen conv1."""
    model = make_model()
    frozen = model.layers[1]
    frozen.trainable = False
    recipe = dataclasses.replace(
        PAPER_RECIPE,
        schedule="as_run",
        weight_decays=((frozen.name, 0.5),),
        multipliers=((frozen.name, 0.1),),
    )
    compile_by(recipe, model)
    model.optimizer.build(model.trainable_variables)
    schedule = make_schedule(recipe, epochs=9, first_layer=frozen.name)
    schedule.set_model(model)
    schedule.on_epoch_begin(0)
    assert schedule.first_layer == frozen.name


def test_a_plateau_needs_validation():
    with pytest.raises(ValueError, match="`validation_data` is needed by"):
        fit(make_model(), "paper", Data())


def test_a_directory_keeps_all_and_resumes(tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    def run(directory, callbacks=()):
        model = make_model()
        history = fit(
            model,
            dataclasses.replace(PAPER_RECIPE, patience=1),
            Data(),
            validation_data=Data().dataset,
            directory=tmp_path / directory,
            epochs=3,
            every=2,
            callbacks=list(callbacks),
            verbose=0,
        )
        return model, history

    want, history = run("a")
    with pytest.raises(KeyboardInterrupt):
        run("b", [At(STEPS + 3, interrupt)])
    got, resumed = run("b")
    assert (state(got) == state(want)).all()
    assert resumed.epoch == history.epoch
    assert resumed.history == history.history
    rows = (tmp_path / "b" / "history.csv").read_text()
    assert rows == (tmp_path / "a" / "history.csv").read_text()
    assert rows.startswith("epoch,learning_rate,loss,top1_error,val_loss")
    backups = {path.name for path in (tmp_path / "b" / "backup").iterdir()}
    assert backups == {"backup.npz", "backup.previous.npz"}


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="about tf.distribute"
)
def test_a_model_of_a_strategy_is_trained_in_its_scope(tmp_path):
    import tensorflow as tf

    def interrupt():
        raise KeyboardInterrupt

    def run(directory, callbacks=()):
        # Collectives of two strategies in one process can be mixed up.
        strategy = tf.distribute.MirroredStrategy(
            ["/CPU:0", "/CPU:1"], tf.distribute.ReductionToOneDevice()
        )
        with strategy.scope():
            model = make_model()
        fit(
            model,
            SMALL_DATA_RECIPE,
            Data(),
            directory=tmp_path / directory,
            epochs=2,
            every=1,
            callbacks=list(callbacks),
            verbose=0,
        )
        return model

    want = run("a")
    momentum = want.optimizer.momentums[0].value
    assert isinstance(momentum, tf.distribute.DistributedValues)
    with pytest.raises(KeyboardInterrupt):
        run("b", [At(STEPS + 1, interrupt)])
    assert (state(run("b")) == state(want)).all()


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="about tf.distribute"
)
def test_graphs_of_past_epochs_are_freed_under_a_strategy():
    import tensorflow as tf

    class Count(keras.callbacks.Callback):
        found = []

        def on_epoch_begin(self, epoch, logs=None):
            names = [type(x).__name__ for x in gc.get_objects()]
            self.found.append(names.count("FuncGraph"))

    strategy = tf.distribute.MirroredStrategy(
        ["/CPU:0", "/CPU:1"], tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        model = make_model()
    data, count = Data(), Count()
    # Else Python would free them now and then.
    gc.disable()
    try:
        fit(
            model,
            SMALL_DATA_RECIPE,
            data,
            data.dataset,
            epochs=5,
            callbacks=[count],
            verbose=0,
        )
    finally:
        gc.enable()
    assert count.found[-1] <= count.found[1]


def test_a_log_without_a_backup_is_begun_anew(tmp_path):
    """As a process leaves it that is killed in its first epoch."""

    def train():
        fit(
            make_model(),
            SMALL_DATA_RECIPE,
            Data(),
            directory=tmp_path,
            epochs=1,
            verbose=0,
        )

    train()
    shutil.rmtree(tmp_path / "backup")
    old = "epoch,learning_rate,loss,top1_error\n0,9,9,9\n1,9,9,9\n"
    (tmp_path / "history.csv").write_text(old)
    train()
    lines = (tmp_path / "history.csv").read_text().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("0,0.0")


def test_digits_from_files_to_a_resumed_run(tmp_path):
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    from keras_alexnet.data import TrainingData
    from keras_alexnet.data import load_source

    recipe = dataclasses.replace(
        SMALL_DATA_RECIPE, batch_size=256, color_sigma=0.0, flip=False
    )
    source = load_source("digits")

    def run(directory, callbacks=()):
        keras.utils.set_random_seed(0)
        data = TrainingData(
            source,
            input_size=16,
            batch_size=recipe.batch_size,
            color=False,
            flip=False,
        )
        image = keras.Input((16, 16, 3))
        x = keras.layers.AveragePooling2D(2)(image / 255)
        x = keras.layers.Dropout(0.2)(keras.layers.Flatten()(x))
        x = keras.layers.Dense(10, activation="softmax", name="fc8")(x)
        model = keras.Model(image, x)
        history = fit(
            model,
            dataclasses.replace(recipe, learning_rate=0.1),
            data,
            directory=tmp_path / directory,
            epochs=4,
            every=1,
            callbacks=list(callbacks),
            verbose=0,
        )
        return model, history.history

    def interrupt():
        raise KeyboardInterrupt

    want, history = run("a")
    assert history["top1_error"][-1] < 0.3
    with pytest.raises(KeyboardInterrupt):
        run("b", [At(8, interrupt)])
    got, resumed = run("b")
    assert (state(got) == state(want)).all()
    assert resumed == history
