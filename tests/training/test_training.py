import dataclasses
import types

import keras
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow", reason="the data are a tf.data.Dataset")
if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)

from small_networks import build  # noqa: E402

import keras_alexnet  # noqa: E402
from keras_alexnet import train  # noqa: E402
from keras_alexnet.data import load_source  # noqa: E402
from keras_alexnet.data import mean_image  # noqa: E402
from keras_alexnet.models import PAPER  # noqa: E402
from keras_alexnet.models import with_width  # noqa: E402
from keras_alexnet.training import PAPER_RECIPE  # noqa: E402
from keras_alexnet.training import SMALL_DATA_RECIPE  # noqa: E402
from keras_alexnet.training import training as training_module  # noqa: E402
from keras_alexnet.training.training import _validation_batch  # noqa: E402

NARROW = dataclasses.replace(with_width(PAPER, 0.05), name="narrow")


@pytest.fixture(scope="module")
def source():
    digits = pytest.importorskip(
        "sklearn.datasets", reason="the digits ship with scikit-learn"
    ).load_digits()
    images = (digits.images[:200] * (255 / 16)).astype("uint8")
    return load_source((images, digits.target[:200]), holdout=0.2)


def run(source, directory=None, **options):
    options = {"epochs": 2, "input_size": 40, "batch_size": 32, **options}
    options = {"architecture": NARROW, "verbose": 0, **options}
    return train(source, directory=directory, **options)


@pytest.fixture(scope="module")
def trained(source, tmp_path_factory):
    """One epoch in a directory, which tests leave as it is."""
    directory = tmp_path_factory.mktemp("trained")
    return run(source, directory, epochs=1)


def test_it_is_offered_at_the_top():
    assert keras_alexnet.train is train


def test_the_recipe_is_followed_in_all(source, trained):
    training = trained
    wanted = SMALL_DATA_RECIPE.prepare(NARROW)
    assert training.architecture == wanted == training.model.architecture
    assert training.recipe == dataclasses.replace(
        SMALL_DATA_RECIPE, epochs=1, batch_size=32
    )
    mean = mean_image(source, 40)
    offset = training.model.get_layer("preprocessing").offset
    # The crops' center of the mean image.
    np.testing.assert_allclose(
        np.ravel(offset).mean(), mean[3:43, 3:43].mean(), rtol=1e-5
    )
    assert len(training.history["val_top1_error"]) == 1
    assert training.evaluate("center").n == source.counts["test"]
    assert training.evaluate("center", "holdout").n == source.counts["holdout"]


@pytest.mark.parametrize("workers", [3, 1000])
def test_workers_share_an_evaluation(workers, source, trained, monkeypatch):
    """Of 1,000 workers for 20 images each evaluates all."""
    want = trained.evaluate("center")
    rows = []

    def gather(mine, axis):
        rows.append(mine)
        return tf.concat(rows, axis)

    shared = dataclasses.replace(
        trained, strategy=types.SimpleNamespace(gather=gather)
    )
    for place in range(3):
        monkeypatch.setattr(
            training_module,
            "place_among_workers",
            lambda _, place=place: (workers, place),
        )
        got = shared.evaluate("center", batch_size=3, share=True)
    each = [len(mine) for mine in rows]
    assert each == ([want.n] * 3 if workers > want.n else [14, 13, 13])
    assert shared.evaluate("center").n == want.n
    assert len(rows) == 3
    for name in ("labels", "top1_wrong", "top5_wrong"):
        np.testing.assert_array_equal(getattr(got, name), getattr(want, name))
    assert got.record() == want.record()


def test_it_resumes_and_says_so(source, tmp_path, capsys):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if self.epoch == 1:
                raise KeyboardInterrupt

    wanted = run(source, tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "b", callbacks=[Stop()])
    capsys.readouterr()
    found = run(source, tmp_path / "b", verbose=2)
    assert "Resuming at epoch 2 of 2, step 0" in capsys.readouterr().out
    assert found.history == wanted.history
    for a, b in zip(
        found.model.get_weights(), wanted.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    again = run(source, tmp_path / "b", verbose=2)
    assert "Nothing is left to do: all 2 epochs" in capsys.readouterr().out
    assert again.history == wanted.history
    loaded = keras.saving.load_model(tmp_path / "b" / "alexnet.keras")
    assert loaded.architecture == wanted.architecture


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"recipe": "code_2012"}, "recipe.schedule"),
        ({"architecture": with_width(PAPER, 0.1)}, "architecture.filters"),
        ({"seed": 3}, "data.seed"),
        ({"input_size": 48}, "data.input_size"),
        ({"epochs": 5}, "recipe.epochs"),
        ({"keep": "best"}, "keep"),
        ({"mixed_precision": "bfloat16"}, "dtype_policy"),
    ],
)
def test_a_directory_is_of_one_training(changes, field, source, trained):
    path = trained.directory / "alexnet.keras"
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"(?s)another training.*{field}"):
        run(source, trained.directory, **{"epochs": 1, **changes})
    assert path.read_bytes() == before


def test_a_schedule_without_an_end_goes_on(source, tmp_path):
    options = {"recipe": PAPER_RECIPE, "directory": tmp_path}
    run(source, epochs=1, **options)
    training = run(source, epochs=2, **options)
    assert len(training.history["loss"]) == 2


def test_what_decides_does_not_see_the_test_images():
    digits = np.zeros((60, 8, 8), "uint8"), np.arange(60) % 3
    for options in ({"recipe": "paper"}, {"keep": "best"}):
        with pytest.raises(ValueError, match="Hold training images out"):
            run(load_source(digits), **options)
        # Opened by `train` itself, a tenth is held out.
        held = {"holdout": 0.0, **options}
        with pytest.raises(ValueError, match="Hold training images out"):
            run(digits, **held)


def test_images_held_out_already_are_those_that_decide():
    pair = np.zeros((60, 8, 8), "uint8"), np.arange(60) % 3
    splits = {"train": pair, "Holdout": pair, "test": pair}
    source = training_module.open_source(
        splits, PAPER_RECIPE, "last", None, None, "raise", 0
    )
    assert source.counts == {"train": 60, "test": 60, "holdout": 60}


def test_the_best_epoch_is_kept(source, tmp_path, monkeypatch):
    """The second of three epochs has the lowest error."""
    seen = []

    class Errors(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.get_weights())

    from keras_alexnet.training import KeepBest

    real = KeepBest.on_epoch_end

    def fake(self, epoch, logs=None):
        real(self, epoch, {"val_top1_error": (0.5, 0.1, 0.3)[epoch]})

    monkeypatch.setattr(KeepBest, "on_epoch_end", fake)
    options = {"keep": "best", "epochs": 3}
    training = run(source, tmp_path, callbacks=[Errors()], **options)
    kept = training.model.get_weights()
    assert all(map(np.array_equal, kept, seen[1]))
    assert not all(map(np.array_equal, kept, seen[2]))
    # From the file, by a process that has trained nothing itself.
    again = run(source, tmp_path, **options).model.get_weights()
    assert all(map(np.array_equal, again, kept))


def test_weights_are_a_beginning(source, trained):
    first, path = trained, trained.directory / "alexnet.keras"
    training = run(
        source,
        architecture=None,
        recipe="fine_tuning",
        input_size=None,
        weights=path,
        trainable=["fc8"],
        epochs=1,
    )
    assert training.architecture == first.architecture
    for name in ("conv1", "fc7", "preprocessing"):
        for a, b in zip(
            first.model.get_layer(name).weights,
            training.model.get_layer(name).weights,
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)
    assert not np.array_equal(
        first.model.get_layer("fc8").kernel,
        training.model.get_layer("fc8").kernel,
    )


def test_a_training_knows_its_beginning_in_another_file(
    source, trained, tmp_path
):
    """Files of equal size may differ, and files that differ be equal."""
    path = tmp_path / "net.keras"
    model = keras.saving.load_model(trained.directory / "alexnet.keras")
    options = {
        "architecture": None,
        "recipe": "fine_tuning",
        "input_size": None,
        "weights": path,
        "epochs": 1,
    }
    model.save(path)
    first = run(source, tmp_path / "out", **options)
    before = path.stat().st_size
    # Without its optimizer, and under another name.
    copy = keras.saving.load_model(path, compile=False)
    path = options["weights"] = tmp_path / "copy.keras"
    copy.save(path)
    assert path.stat().st_size != before
    again = run(source, tmp_path / "out", **options)
    for a, b in zip(
        first.model.get_weights(), again.model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    kernel = copy.get_layer("conv1").kernel
    kernel.assign(-kernel)
    copy.save(path)
    with pytest.raises(ValueError, match="(?s)of another training.*weights: '"):
        run(source, tmp_path / "out", **options)


def test_other_classes_get_a_new_last_layer(source, tmp_path):
    build(NARROW, classes=7, input_shape=(40, 40, 3)).save_weights(
        tmp_path / "seven.weights.h5"
    )
    architecture = dataclasses.replace(NARROW, input_size=40)
    path = tmp_path / "seven.weights.h5"
    training = run(
        source,
        architecture=architecture,
        input_size=None,
        weights=path,
        trainable=["fc8"],
        epochs=1,
    )
    assert training.model.output_shape == (None, 10)


@pytest.mark.parametrize("strategy", ["columns", "mirrored"])
def test_under_a_strategy(strategy, source, tmp_path):
    training = run(source, tmp_path, strategy=strategy, epochs=1)
    loaded = keras.saving.load_model(tmp_path / "alexnet.keras")
    assert loaded.architecture == training.architecture
    assert not any("column" in layer.name for layer in loaded.layers)


@pytest.mark.parametrize("replicas", [1, 2, 4, 8])
def test_no_replica_is_without_validation_images(replicas):
    for count in range(replicas, 400):
        size = _validation_batch(count, replicas)
        assert replicas <= size <= 128
        assert not 0 < count % size < replicas


def test_mixed_precision_is_for_this_training_alone(source):
    training = run(source, mixed_precision="bfloat16", epochs=1)
    policy = training.model.get_layer("conv2").dtype_policy.name
    assert policy == "mixed_bfloat16"
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    "options, match",
    [
        (
            {"keep": "first"},
            '`keep` must be "last", "best" or "average".*first',
        ),
        ({"mixed_precision": "float8"}, "`mixed_precision` must be.*float8"),
        ({"trainable": ["fc9"]}, r"`trainable` must name layers.*\['fc9'\]"),
        ({"epochs": 0}, "`epochs` must be a positive integer.*epochs=0"),
        ({"batch_size": -1}, "`batch_size` must be a positive integer"),
        ({"holdout": 0.1}, "`holdout` is of `load_source`"),
    ],
)
def test_wrong_arguments(options, match, source):
    with pytest.raises(ValueError, match=match):
        run(source, **options)


@pytest.mark.parametrize("validation", [None, "test"])
def test_what_decides_sees_held_out_images(source, validation):
    for options in ({"keep": "best"}, {"recipe": PAPER_RECIPE}):
        with pytest.raises(ValueError, match="must be on held-out images"):
            run(source, validation=validation, **options)


def test_the_names_of_the_classes_are_kept(source, trained):
    names = (trained.directory / "classes.txt").read_text().splitlines()
    assert names == list(source.class_names)
