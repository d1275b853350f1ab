"""AlexNet's successors are trained by `train`, by recipes of their own."""

import dataclasses

import keras
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="the data are a tf.data.Dataset")
if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)

from small_networks import small_inception  # noqa: E402

from keras_alexnet import train  # noqa: E402
from keras_alexnet.data import load_source  # noqa: E402
from keras_alexnet.models import GOOGLENET  # noqa: E402
from keras_alexnet.models import VGG_A  # noqa: E402
from keras_alexnet.models import VGG_B  # noqa: E402
from keras_alexnet.models import ZFNET  # noqa: E402
from keras_alexnet.models import copy_common_layers  # noqa: E402
from keras_alexnet.models import with_width  # noqa: E402
from keras_alexnet.training import RECIPES  # noqa: E402
from keras_alexnet.training import SMALL_DATA_RECIPE  # noqa: E402
from keras_alexnet.training import make_schedule  # noqa: E402


@pytest.fixture(scope="module")
def source():
    digits = pytest.importorskip(
        "sklearn.datasets", reason="the digits ship with scikit-learn"
    ).load_digits()
    images = (digits.images[:160] * (255 / 16)).astype("uint8")
    return load_source((images, digits.target[:160]), holdout=0.2)


def run(source, architecture, recipe, **options):
    options = {"epochs": 1, "batch_size": 32, "verbose": 0, **options}
    options["flip"] = False
    return train(source, architecture, recipe, **options)


def test_googlenet_with_its_auxiliary_classifiers(source, tmp_path):
    small = small_inception()
    options = {"directory": tmp_path, "keep": "average", "epochs": 2}
    training = run(source, small, "googlenet", **options)
    # The backup holds the auxiliary classifiers, the result does not.
    assert len(training.model.outputs) == 1
    assert training.model.architecture == small
    # The losses of all three, about ln(10) each at first.
    assert training.history["loss"][0] > 1.3 * np.log(10)
    assert {"top1_error", "val_top1_error"} <= set(training.history)
    rates = training.history["learning_rate"]
    assert 0 < rates[1] < rates[0] < 0.01
    assert training.evaluate("center").n > 0
    loaded = keras.saving.load_model(tmp_path / "alexnet.keras", compile=False)
    x = np.zeros((1, 40, 40, 3))
    np.testing.assert_array_equal(loaded(x), training.model(x))
    again = run(source, small, "googlenet", **options)
    assert again.history == training.history


def test_googlenet_for_few_images():
    prepared = SMALL_DATA_RECIPE.prepare(GOOGLENET)
    assert (prepared.initialization, prepared.initial_bias) == ("he", 0.0)
    # Pixels are divided by 58, so squares by its square.
    assert prepared.lrn_alpha == pytest.approx(1e-4 * 58**2)
    assert SMALL_DATA_RECIPE.prepare(prepared) == prepared


def test_a_deeper_network_begins_with_layers_of_a_shallower_one(source):
    options = {"input_size": 32, "epochs": 1}
    a = run(source, with_width(VGG_A, 1 / 16), "vgg", **options)
    seen = {}

    def initialize(network):
        seen["copied"] = copy_common_layers(a.model, network)
        seen["kernel"] = np.array(network.get_layer("conv2_1").get_weights()[0])

    run(
        source,
        with_width(VGG_B, 1 / 16),
        "vgg",
        initialize=initialize,
        **options,
    )
    assert seen["copied"][:2] == ("conv1_1", "conv2_1")
    np.testing.assert_array_equal(
        seen["kernel"], a.model.get_layer("conv2_1").get_weights()[0]
    )


def test_zfnet_keeps_the_limit_of_its_filters(source):
    narrow = with_width(ZFNET, 1 / 16)
    training = run(source, narrow, "zfnet", input_size=48)
    kernel = training.model.get_layer("conv1").kernel
    assert kernel.constraint.max_value == 0.1


@pytest.mark.parametrize(
    "name, changes, message",
    [
        ("googlenet", {"power": None}, "`power` must be positive with"),
        ("vgg", {"power": 0.5}, "`None` with others"),
        ("googlenet", {"power": -1.0}, "`power` must be positive"),
        ("vgg_jittered", {"crop": "center"}, "`scales` needs `crop="),
        ("vgg", {"scales": (2.0, 1.5)}, "`scales` must be a rising pair"),
        ("vgg", {"scales": (0.5, 1.5)}, "`scales` must be a rising pair"),
        ("vgg", {"crop": "nine"}, "`crop` must be one of"),
    ],
)
def test_impossible_recipes(name, changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(RECIPES[name], **changes)


def test_recipes_of_the_family():
    assert make_schedule("googlenet").power == 0.5
    assert make_schedule("vgg").times == 3
    scales = RECIPES["vgg_jittered"].augmentation(VGG_A)["scales"]
    assert scales == (256, 512)
    assert "scales" not in RECIPES["vgg"].augmentation(VGG_A)
