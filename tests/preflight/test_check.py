import dataclasses

import keras
import numpy as np
import pytest
from photos import photos
from small_networks import build
from small_networks import small

from keras_alexnet.data import TrainingData
from keras_alexnet.data import load_source
from keras_alexnet.models import CIFAR_11
from keras_alexnet.models import CIFAR_18
from keras_alexnet.models import PAPER
from keras_alexnet.models import AlexNet
from keras_alexnet.models import with_width
from keras_alexnet.preflight import Finding
from keras_alexnet.preflight import Preflight
from keras_alexnet.preflight import check

LABELS = np.arange(32) % 10
PAPER_FEW = dataclasses.replace(PAPER, fc_units=(512, 512))
# As the recipe for small data prepares a network.
UNIT = dataclasses.replace(
    with_width(PAPER, 0.1),
    initial_stds=("he",) * 8,
    initial_biases=(0.0,) * 8,
    pixel_std=(58.0,) * 3,
    lrn_alpha=0.3364,
)


def network(architecture, size=99, **options):
    keras.utils.set_random_seed(0)
    options = {"classes": 10, "include_preprocessing": True, **options}
    return AlexNet(
        architecture=architecture, input_shape=(size, size, 3), **options
    )


def names(model, images, labels=LABELS, **options):
    found = check(model, (images, labels), **options)
    return [finding.name for finding in found.findings]


@pytest.mark.parametrize(
    "preset",
    ["paper", "code_2012", "one_gpu", "six_conv", "caffe", "caffenet", "owt"],
)
def test_nothing_is_found_where_nothing_is_wrong(preset):
    size = 127 if preset == "owt" else 131
    architecture = small(preset, input_size=size)
    model = build(architecture, include_preprocessing=True)
    found = check(model, (photos(size=size), LABELS))
    assert found.findings == ()
    assert str(found).startswith("Preflight: nothing suspicious (loss ")
    assert "\n" not in str(found)


@pytest.mark.parametrize("architecture", [CIFAR_18, CIFAR_11])
def test_the_nets_for_cifar_are_as_their_author_made_them(architecture):
    size = architecture.input_size
    model = network(architecture, size)
    assert names(model, photos(size=size)) == []
    assert "pixels_too_small" in names(model, photos(size=size) / 255)


@pytest.mark.parametrize("architecture", [PAPER_FEW, UNIT])
def test_pixels_of_another_scale(architecture):
    model = network(architecture)
    assert names(model, photos()) == []
    assert "pixels_too_small" in names(model, photos() / 255)


def test_pixels_that_nothing_centers_or_scales():
    assert names(network(PAPER_FEW, include_preprocessing=False), photos()) == [
        "pixels_not_centered"
    ]
    assert names(network(UNIT, include_preprocessing=False), photos()) == [
        "pixels_too_large",
        "pixels_not_centered",
    ]


def test_the_complaint_of_every_framework():
    """Pixels of 0-1, centered, under the printed initialization."""
    model = network(PAPER_FEW, include_preprocessing=False)
    images = (photos() - photos().mean(axis=(0, 1, 2))) / 255
    found = check(model, (images, LABELS))
    found_names = [finding.name for finding in found.findings]
    assert found_names == ["pixels_too_small", "signal_faded", "norm_idle"]
    text = " ".join(str(found).split())
    assert "3 findings (loss " in text
    assert "the network is made for about 58" in text
    assert "0.595" in text
    # The same images in 0-255.
    assert names(model, images * 255) == []


def test_exploding_signal():
    he = dataclasses.replace(UNIT, pixel_std=(1.0,) * 3, lrn_alpha=1e-4)
    found = check(network(he), (photos(), LABELS))
    (finding,) = found.findings
    assert finding.name == "loss_too_large"
    assert "ln(classes) = 2.3" in finding.what
    assert "SMALL_DATA_RECIPE" in finding.remedy


def test_dead_units():
    biases = (0.0, 0.0, -100.0, *(0.0,) * 5)
    dead = dataclasses.replace(UNIT, initial_biases=biases)
    found = check(network(dead), (photos(), LABELS))
    (first, *_) = found.findings
    assert first.name == "units_dead"
    assert first.what.startswith("100% of the units of conv3 answer to none")


@pytest.mark.parametrize(
    "labels, name, text",
    [
        (LABELS + 1, "labels_out_of_range", "Subtract 1"),
        (LABELS + 7, "labels_out_of_range", "`classes=17`"),
        (LABELS - 1, "labels_out_of_range", "from -1 to 8"),
        (LABELS + 0.5, "labels_of_another_kind", "must be integers"),
        (LABELS[:31], "labels_of_another_kind", "for 32 images"),
        (LABELS * 0 + 3, "labels_constant", "All 32 labels are 3"),
    ],
)
def test_labels(labels, name, text):
    found = check(network(UNIT), (photos(), labels))
    (finding,) = found.findings
    assert finding.name == name
    assert text in f"{finding.what} {finding.remedy}"
    assert finding.fatal == (name != "labels_constant")


def test_labels_begin_with_one():
    labels = np.arange(128) % 9 + 1
    assert names(network(UNIT), photos(128), labels) == ["labels_off_by_one"]
    # One batch of few images says nothing about one class of ten.
    assert names(network(UNIT), photos(18), labels[:18]) == []


def test_labels_may_be_one_hot_or_a_column():
    model = network(UNIT)
    assert names(model, photos(), np.eye(10)[LABELS]) == []
    assert names(model, photos(), LABELS[:, None]) == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_images_that_are_not_finite(value):
    images = photos()
    images[3, 4, 5, 0] = value
    found = check(network(UNIT), (images, LABELS))
    (finding,) = found.findings
    assert finding.name == "images_not_finite" and found.fatal


def test_images_of_one_value():
    found = check(network(UNIT), (photos() * 0 + 7, LABELS))
    assert found.findings[0].name == "images_constant"
    assert found.findings[0].what.endswith("7 in the first.")


def test_weights_that_are_not_finite():
    model = network(UNIT)
    layer = model.get_layer("conv4")
    layer.kernel.assign(layer.kernel * np.nan)
    found = check(model, (photos(), LABELS))
    assert [finding.name for finding in found.findings] == ["layers_not_finite"]
    assert "outputs of conv4" in found.findings[0].what and found.fatal


def test_colors_of_photos():
    reversed_photos = photos(128)[..., ::-1]
    labels = np.arange(128) % 10
    assert names(network(UNIT), reversed_photos, labels) == ["colors_reversed"]


def test_a_trained_network_knows_the_order_of_colors():
    """It answers by the first channel, which is the last in BGR order."""
    rng = np.random.default_rng(0)
    labels = np.arange(32) % 2
    images = rng.normal(100, 1, (32, 8, 8, 3)).astype("float32")
    images[..., 0] += 20 * labels[:, None, None]
    image = keras.Input((8, 8, 3))
    x = keras.layers.GlobalAveragePooling2D()(image)
    last = keras.layers.Dense(2, "softmax", name="last")
    model = keras.Model(image, last(x))
    kernel = np.array([[-1.0, 1.0], [0, 0], [0, 0]])
    last.set_weights([kernel, np.array([110.0, -110.0])])
    assert names(model, images, labels) == []
    found = check(model, (images[..., ::-1], labels))
    (finding,) = found.findings
    assert finding.name == "colors_reversed"
    assert "With red and blue exchanged the loss is" in finding.what


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"lrn_n": 11}, "norm1, norm2: a window of 11 channels is what Tensor"),
        ({"lrn_n": 1}, "norm1, norm2: a window of one channel"),
        ({"lrn_n": 39}, "norm1: a window of 39 channels holds all 19"),
    ],
)
def test_windows_of_norms(changes, text):
    wide = dataclasses.replace(
        PAPER, filters=(38, 78, 12, 12, 12), fc_units=(8, 8), **changes
    )
    found = check(network(wide), (photos(), LABELS))
    windows = [f for f in found.findings if f.name == "window_not_meant"]
    assert any(finding.what.startswith(text) for finding in windows)


def test_windows_larger_than_their_map():
    found = check(network(UNIT, 40), (photos(size=40), LABELS))
    assert [finding.what for finding in found.findings] == [
        "conv2: a window of 5 x 5 is larger than its map of 4 x 4 pixels.",
        "conv3, conv4, conv5, pool5: a window of 3 x 3 is larger than its map "
        "of 2 x 2 pixels.",
    ]


def test_any_keras_model():
    """One without an architecture, which divides by 255 itself."""
    image = keras.Input((16, 16, 3))
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(4, 3, activation="relu")(x)
    x = keras.layers.Flatten()(x)
    model = keras.Model(image, keras.layers.Dense(10)(x))
    assert names(model, photos(size=16)) == []
    assert names(model, photos(size=16) / 255) == ["pixels_too_small"]


def test_of_several_outputs_the_first_counts():
    image = keras.Input((16, 16, 3))
    x = keras.layers.Flatten()(image)
    outputs = [
        keras.layers.Dense(
            10,
            "softmax",
            kernel_initializer=keras.initializers.RandomNormal(stddev=std),
        )(x)
        for std in (1e-4, 1.0)
    ]
    assert names(keras.Model(image, outputs), photos(size=16)) == []
    assert names(keras.Model(image, outputs[::-1]), photos(size=16)) == [
        "loss_too_large"
    ]


def test_a_model_that_is_not_for_classes():
    image = keras.Input((16, 16, 3))
    outputs = keras.layers.Conv2D(10, 3)(image)
    found = check(keras.Model(image, outputs), [(photos(size=16), LABELS)])
    assert found.findings == () and found.facts == ()


@pytest.mark.parametrize(
    "data, match",
    [
        ([], "must have at least one batch. Received: none"),
        ("digits", "`data` must be batches of images and labels"),
        (photos(4), "`data` must be batches of images and labels"),
        ([(photos(4)[0], LABELS)], r"Received: shape=\(99, 99, 3\)"),
        ([photos(4)], "Received: a batch is ndarray"),
    ],
)
def test_wrong_data(data, match):
    with pytest.raises(ValueError, match=match):
        check(network(UNIT), data)


@pytest.mark.parametrize(
    "model, options, match",
    [
        (keras.Sequential(), {}, "must be a functional.*Sequential"),
        (None, {}, "must be a functional.*NoneType"),
        ("a network", {"examples": -1}, "`examples` must be an integer.*=-1"),
        (
            "a network",
            {"examples": None},
            "`examples` must be an integer.*=None",
        ),
        (
            "a network",
            {},
            r"takes images of shape \(99, 99, 3\).*\(64, 64, 3\)",
        ),
    ],
)
def test_wrong_arguments(model, options, match):
    model = network(UNIT) if model == "a network" else model
    with pytest.raises(ValueError, match=match):
        check(model, (photos(size=64), LABELS), **options)


def test_what_is_printed():
    finding = Finding("x", "This is wrong.", "Do that.")
    text = str(Preflight((finding,), ("loss 1.00",), 0.25))
    assert text == (
        "Preflight: 1 finding (loss 1.00; 0.2 s)\n"
        "1. This is wrong.\n"
        "   What to do: Do that."
    )


def test_a_network_of_other_classes_than_the_images():
    model = network(with_width(PAPER, 0.05), 67, classes=12)
    images = photos(12, 67)
    source = load_source((images, np.arange(12) % 4))
    found = check(model, (images, np.arange(12) % 4), source, examples=0)
    (one,) = [f for f in found.findings if f.name == "classes_differ"]
    assert "12 classes, the images are of 4" in one.what


def test_the_data_stay_where_they_were():
    source = load_source((photos(24, 67), np.arange(24) % 4))
    data = TrainingData(source, input_size=67, batch_size=4)
    data.seek(3, step=2)
    check(network(with_width(PAPER, 0.05), 67, classes=4), data, examples=0)
    assert data.position == (3, 2)
