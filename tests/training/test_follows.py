import dataclasses

import keras
import pytest

pytest.importorskip("tensorflow", reason="the data are a tf.data.Dataset")
if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)

from small_networks import build  # noqa: E402
from small_networks import small  # noqa: E402

from keras_alexnet.data import TrainingData  # noqa: E402
from keras_alexnet.data import load_source  # noqa: E402
from keras_alexnet.training import SMALL_DATA_RECIPE  # noqa: E402
from keras_alexnet.training import fit  # noqa: E402
from keras_alexnet.training.follows import check_follows  # noqa: E402

PLAIN = dataclasses.replace(
    small("paper", input_size=40), initial_stds=(0.01,) * 8
)


@pytest.fixture(scope="module")
def source():
    pytest.importorskip("sklearn", reason="the digits ship with scikit-learn")
    return load_source("digits")


@pytest.fixture(scope="module")
def data(source):
    return TrainingData(
        source, input_size=40, **SMALL_DATA_RECIPE.augmentation(PLAIN)
    )


def network(architecture, **options):
    return build(architecture, include_preprocessing=True, **options)


def test_what_follows_passes(data):
    model = network(SMALL_DATA_RECIPE.prepare(PLAIN))
    check_follows(SMALL_DATA_RECIPE, model, data)


@pytest.mark.parametrize(
    "options, field",
    [
        ({"architecture": PLAIN}, "initial_stds=.*recipe.prepare"),
        ({"architecture": PLAIN}, "pixel_std="),
        ({"classes": 7}, r"10 classes, the model 7 \(pass `classes=10`\)"),
        ({"include_preprocessing": False}, "does not center its images"),
    ],
)
def test_what_the_model_does_not_follow_is_named(options, field, data):
    architecture = SMALL_DATA_RECIPE.prepare(PLAIN)
    model = build(
        **{
            "architecture": architecture,
            "include_preprocessing": True,
            **options,
        }
    )
    with pytest.raises(ValueError, match=f"(?s)recipe 'small_data':.*{field}"):
        fit(model, SMALL_DATA_RECIPE, data, epochs=0)
    with pytest.warns(UserWarning, match=f"(?s){field}"):
        check_follows(SMALL_DATA_RECIPE, model, data, "warn")
    check_follows(SMALL_DATA_RECIPE, model, data, "ignore")


@pytest.mark.parametrize(
    "field, value, shown",
    [
        ("batch_size", 64, "batch_size=64, the recipe 128"),
        ("crop", "center", "crop=center, the recipe random"),
        ("flip", False, "flip=False, the recipe True"),
        ("color", False, "color_sigma=0.0, the recipe 0.1"),
    ],
)
def test_what_the_data_do_not_follow_is_named(field, value, shown, source):
    options = {**SMALL_DATA_RECIPE.augmentation(PLAIN), field: value}
    data = TrainingData(source, input_size=40, **options)
    model = network(SMALL_DATA_RECIPE.prepare(PLAIN))
    with pytest.raises(ValueError, match=f"the data have {shown}"):
        fit(model, SMALL_DATA_RECIPE, data, epochs=0)


def test_mismatch_is_one_of_three(data):
    with pytest.raises(ValueError, match="`mismatch` must be.*'maybe'"):
        check_follows(SMALL_DATA_RECIPE, network(PLAIN), data, "maybe")


@pytest.mark.parametrize(
    "what", [lambda data: data.dataset, lambda data: "photos"]
)
def test_what_is_no_training_data_is_refused(what, data):
    with pytest.raises(TypeError, match="`data` must be a `TrainingData`.*its"):
        fit(network(PLAIN), SMALL_DATA_RECIPE, what(data))
