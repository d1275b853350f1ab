import dataclasses
import os

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import small

from keras_alexnet import AlexNet
from keras_alexnet.columns.conversion import divided
from keras_alexnet.models import CIFAR_13
from keras_alexnet.models import architecture_of
from keras_alexnet.models import load_network
from keras_alexnet.models import load_weights
from keras_alexnet.models import save_weights
from keras_alexnet.models import without_norms
from keras_alexnet.models.keras_files import read_description

PAPER = small("paper")


@pytest.fixture(scope="module")
def network():
    return build(PAPER)


@pytest.fixture(params=[".weights.h5", ".keras"])
def path(request, network, tmp_path):
    path = tmp_path / f"net{request.param}"
    save_weights(network, path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    return path


def weights(model):
    return [keras.ops.convert_to_numpy(w).copy() for w in model.weights]


def same(model, other):
    return all(map(np.array_equal, weights(model), weights(other)))


def same_kernels(model, other):
    return all(
        np.array_equal(
            model.get_layer(name).kernel, other.get_layer(name).kernel
        )
        for name in PAPER.layer_names
    )


def test_a_file_says_what_it_is_of(path):
    assert architecture_of(path) == (PAPER, 10)
    assert not read_description(path)["columns"]


def test_a_network_is_built_from_a_file_alone(network, path):
    built = AlexNet(weights=path)
    assert built.architecture == PAPER
    assert same(built, network)
    raw = load_network(path)
    assert raw.output_shape == (None, 10)
    assert same_kernels(raw, network)


def test_without_the_top(network, path):
    features = AlexNet(weights=path, include_top=False)
    kernel = features.get_layer("conv5").kernel
    np.testing.assert_array_equal(kernel, network.get_layer("conv5").kernel)


@pytest.mark.parametrize("columns", [False, True])
def test_with_preprocessing_and_without(columns, path, tmp_path):
    """The mean of the images is the model's own where a file has none."""
    model = build(PAPER, seed=2, include_preprocessing=True)
    model.get_layer("preprocessing").set_mean([1.0, 2.0, 3.0])
    other = divided(model) if columns else model
    other.get_layer("preprocessing").set_mean([1.0, 2.0, 3.0])
    load_weights(other, path)
    mean = other.get_layer("preprocessing").weights[0]
    assert np.unique(mean).tolist() == [1.0, 2.0, 3.0]
    save_weights(other, tmp_path / "with.weights.h5")
    plain = build(PAPER, seed=3)
    load_weights(plain, tmp_path / "with.weights.h5")
    assert same_kernels(plain, load_network(path))


def test_columns_and_one_graph_read_each_other(network, tmp_path):
    columns = divided(network)
    assert columns.architecture == PAPER
    columns.set_weights(
        [np.random.default_rng(3).normal(size=w.shape) for w in columns.weights]
    )
    for name in ("net.weights.h5", "net.keras"):
        save_weights(columns, tmp_path / name)
        assert read_description(tmp_path / name)["columns"]
        whole = build(PAPER, seed=5)
        load_weights(whole, tmp_path / name)
        again = divided(build(PAPER, seed=6))
        save_weights(whole, tmp_path / f"whole-{name}")
        load_weights(again, tmp_path / f"whole-{name}")
        assert same(again, columns)


@pytest.mark.parametrize("preset", ["caffe", "code_2012"])
def test_another_function_of_equal_shapes_is_refused(preset, path):
    model = build(small(preset), seed=2)
    before = weights(model)
    with pytest.raises(ValueError, match="'paper', which computes something"):
        load_weights(model, path)
    with pytest.raises(ValueError, match="'paper', which computes something"):
        model.load_weights(path)
    assert all(map(np.array_equal, before, weights(model)))
    load_weights(model, path, strict=False)
    assert not all(map(np.array_equal, before, weights(model)))


def test_other_shapes_are_refused_and_change_nothing(path):
    model = build(PAPER, seed=2, classes=7)
    before = weights(model)
    with pytest.raises(ValueError, match=f"{path.name} cannot be loaded"):
        load_weights(model, path)
    assert all(map(np.array_equal, before, weights(model)))


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    model = build(PAPER, seed=2)
    kernel = keras.ops.convert_to_numpy(model.get_layer("fc7").kernel).copy()
    kernel[0, 0] = np.inf
    model.get_layer("fc7").kernel.assign(kernel)
    for name in ("net.weights.h5", "net.keras"):
        save_weights(model, tmp_path / name)
        other = build(PAPER, seed=3)
        before = weights(other)
        with pytest.raises(ValueError, match=f"{name} holds NaN .*fc7/kernel"):
            load_weights(other, tmp_path / name)
        assert all(map(np.array_equal, before, weights(other)))


def test_a_file_of_keras_alone_needs_the_architecture(network, tmp_path):
    path = tmp_path / "old.weights.h5"
    keras.Model(network.input, network.output).save_weights(path)
    with pytest.raises(ValueError, match="does not say which architecture"):
        AlexNet(weights=path)
    model = AlexNet(weights=path, architecture=PAPER, classes=10)
    assert same(model, network)


def test_a_file_that_is_absent():
    with pytest.raises(ValueError, match="which is absent"):
        AlexNet(weights="nowhere.weights.h5")
    with pytest.raises(FileNotFoundError):
        load_weights(build(PAPER), "nowhere.weights.h5")


def damaged(data, rng):
    """Cut off, overwritten or with some bits turned."""
    data = bytearray(data)
    kind = rng.integers(3)
    if kind == 0:
        return data[: rng.integers(len(data))]
    if kind == 1:
        start = rng.integers(len(data))
        data[start : start + 512] = rng.bytes(len(data[start : start + 512]))
        return data
    for _ in range(rng.integers(1, 20)):
        # Structure lies at both ends of such files.
        end = min(len(data), 8192)
        place = rng.integers(end) * rng.choice([1, -1])
        data[place] ^= 1 << rng.integers(8)
    return data


MUTATIONS = int(os.environ.get("KERAS_ALEXNET_MUTATIONS", 500))


@pytest.mark.parametrize(
    "count", [15, pytest.param(MUTATIONS, marks=pytest.mark.slow)]
)
def test_damaged_files_are_value_errors_or_load(count, path, network):
    """Keras's own errors are of many classes and name no file."""
    sound = path.read_bytes()
    rng = np.random.default_rng(0)
    model = build(PAPER, seed=2)
    refused = 0
    for _ in range(count):
        path.write_bytes(damaged(sound, rng))
        before = weights(model)
        try:
            load_weights(model, path, strict=False)
        except ValueError as error:
            assert path.name in str(error)
            assert all(map(np.array_equal, before, weights(model)))
            refused += 1
    assert refused > count / 4


ENDINGS = [".weights.h5", ".keras", ".safetensors"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("shape", [(67, 67, 3), (99, 67, 3), (67, 67, 4)])
def test_other_images_are_found_in_the_file(shape, ending, tmp_path):
    model = build(PAPER, input_shape=shape)
    path = tmp_path / f"net{ending}"
    save_weights(model, path)
    # A size of its own does not fit where dense layers depend on it.
    for architecture in (None, PAPER):
        again = AlexNet(weights=path, architecture=architecture)
        assert again.input_shape == (None, *shape)
        assert same(model, again)
        if shape[2] == 3 and (architecture is None or ending != ".keras"):
            raw = load_network(path, architecture)
            assert raw.input_shape == (None, *shape)
            assert same_kernels(raw, model)


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_what_differs_is_named(ending, tmp_path):
    path = tmp_path / f"net{ending}"
    save_weights(build(PAPER, input_shape=(67, 67, 3), classes=7), path)
    with pytest.raises(
        ValueError,
        match="it is of images of 67 x 67 pixels and 7 classes, "
        "the network of images of 99 x 99 pixels and 10 classes",
    ):
        load_weights(build(PAPER), path)


def saved_with_a_mean_image(size, path):
    options = {"include_top": False, "include_preprocessing": True}
    trained = build(PAPER, input_shape=(size, size, 3), **options)
    mean = np.random.default_rng(0).uniform(0, 255, (size, size, 3))
    trained.get_layer("preprocessing").set_mean(mean)
    save_weights(trained, path)
    return trained, mean, options


def center(image, size):
    start = (len(image) - size) // 2
    return image[start : start + size, start : start + size]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_mean_image_for_images_of_other_sizes(ending, tmp_path):
    path = tmp_path / f"net{ending}"
    trained, mean, options = saved_with_a_mean_image(83, path)

    def loaded(size):
        model = AlexNet(weights=path, input_shape=(size, size, 3), **options)
        kernel = model.get_layer("conv3").kernel
        np.testing.assert_array_equal(kernel, trained.get_layer("conv3").kernel)
        return np.array(model.get_layer("preprocessing").get_weights()[0])

    np.testing.assert_allclose(loaded(67), center(mean, 67), rtol=1e-6)
    color = mean.mean(axis=(0, 1))
    np.testing.assert_allclose(loaded(None).ravel(), color, rtol=1e-5)
    with pytest.warns(UserWarning, match="83 x 83 .* smaller than .*99 x 99"):
        found = loaded(99)
    np.testing.assert_allclose(found[7, 50], color, rtol=1e-5)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_mean_image_in_the_other_data_format(ending, tmp_path):
    path = tmp_path / f"net{ending}"
    _, mean, options = saved_with_a_mean_image(67, path)
    keras.config.set_image_data_format("channels_first")
    try:
        model = AlexNet(weights=path, **options)
        assert model.input_shape == (None, 3, 67, 67)
        save_weights(model, path)
    finally:
        keras.config.set_image_data_format("channels_last")
    (found,) = model.get_layer("preprocessing").get_weights()
    np.testing.assert_allclose(found, mean.transpose(2, 0, 1), rtol=1e-6)
    again = AlexNet(weights=path, **options)
    assert again.input_shape == (None, 67, 67, 3)
    (found,) = again.get_layer("preprocessing").get_weights()
    np.testing.assert_allclose(found, mean, rtol=1e-6)


def test_images_larger_than_the_architecture_knows(tmp_path):
    """Its images have 32 pixels."""
    model = build(CIFAR_13, input_shape=(40, 40, 3))
    path = tmp_path / "net.weights.h5"
    save_weights(model, path)
    assert load_network(path).input_shape == (None, 40, 40, 3)


@pytest.mark.parametrize("ending", [".weights.h5", ".safetensors"])
def test_weights_for_pixels_of_another_scale(ending, tmp_path):
    """No norm tells it: the network predicts something else."""
    plain = without_norms(PAPER)
    model = build(plain.divided_by(58.0), include_preprocessing=True)
    path = tmp_path / f"net{ending}"
    save_weights(model, path)
    with pytest.raises(ValueError, match="pixel_std: .*58.0.* not .*1.0"):
        load_network(path, plain)
    assert load_network(path).architecture.pixel_std == (58.0,) * 3


def test_weights_for_colors_in_another_order(tmp_path):
    model = build(PAPER, include_preprocessing=True)
    path = tmp_path / "net.weights.h5"
    save_weights(model, path)
    other = dataclasses.replace(PAPER, channel_order="bgr")
    with pytest.raises(ValueError, match="order 'rgb', the network in 'bgr'"):
        load_network(path, other)


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_a_write_that_fails_leaves_the_file(ending, tmp_path, monkeypatch):
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    path = tmp_path / f"net{ending}"
    save_weights(model, path)
    before = path.read_bytes()

    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    for name in ("save", "save_weights"):
        monkeypatch.setattr(keras.Model, name, _begin_and(full))
    with pytest.raises(OSError, match="No space left"):
        save_weights(model, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def _begin_and(fail):
    def write(self, path, *arguments, **options):
        with open(path, "wb") as file:
            file.write(b"half")
        fail()

    return write
