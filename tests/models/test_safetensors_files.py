"""The package's own safetensors files."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file
from safetensors.numpy import save_file
from small_networks import build
from small_networks import predict
from small_networks import small
from small_networks import small_inception

from keras_alexnet.columns.conversion import divided
from keras_alexnet.columns.shares import transfer
from keras_alexnet.models import CIFARNet
from keras_alexnet.models import load_network
from keras_alexnet.models import load_weights
from keras_alexnet.models import save_weights
from keras_alexnet.models.pretrained import read_weights
from keras_alexnet.models.safetensors_files import ENTRY
from keras_alexnet.models.safetensors_files import read_safetensors
from keras_alexnet.models.torchvision import NOTES
from keras_alexnet.weights.state_dict import read_metadata


def images(model, count=2):
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (count, *model.input_shape[1:])).astype(
        "float32"
    )


def trained(model):
    """Every number is another, the mean of the images too."""
    rng = np.random.default_rng(1)
    for variable in model.weights:
        spread = 20 if "mean" in variable.path else 0.05
        center = 100 if "mean" in variable.path else 0
        variable.assign(rng.normal(center, spread, variable.shape))
    return model


@pytest.mark.parametrize(
    "preset", ["cifar_26", "cifar_18", "cifar_13", "cifar_11", "figure_1"]
)
def test_networks_for_cifar_with_their_mean_image(preset, tmp_path):
    model = trained(CIFARNet(architecture=preset, include_preprocessing=True))
    path = tmp_path / "net.safetensors"
    save_weights(model, path)
    again = load_network(path)
    assert again.architecture == model.architecture
    x = images(model)
    np.testing.assert_array_equal(predict(again, x), predict(model, x))


@pytest.mark.parametrize("preset", ["paper", "zfnet", "zfnet_ptcv"])
def test_columns_and_relatives(preset, tmp_path):
    model = trained(build(small(preset), include_preprocessing=True))
    path = tmp_path / "net.safetensors"
    saved = model
    if model.architecture.columns > 1:
        saved = divided(model)
        transfer(model.weights, saved.weights)
    save_weights(saved, path)
    again = load_network(path)
    x = images(model)
    np.testing.assert_allclose(
        predict(again, x), predict(model, x), rtol=1e-5, atol=1e-6
    )


def test_a_mean_that_does_not_fit_changes_nothing(tmp_path):
    path = tmp_path / "net.safetensors"
    model = build(small("paper"), include_preprocessing=True)
    save_weights(model, path)
    named = load_file(path)
    named["preprocessing.mean"] = np.full((99, 99, 3), np.nan, "float32")
    save_file(named, path, metadata=read_metadata(path))
    other = build(small("paper"), seed=2, include_preprocessing=True)
    before = other.get_weights()
    with pytest.raises(ValueError, match="NaN or infinity in the mean"):
        load_weights(other, path)
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_size_of_images_is_in_the_file(tmp_path):
    model = build(small("paper"), input_shape=(83, 83, 3))
    path = tmp_path / "net.safetensors"
    save_weights(model, path)
    assert load_network(path).input_shape == model.input_shape


@pytest.mark.parametrize("preset", ["cifar_19", "owt"])
def test_half_precision(preset, tmp_path):
    owt = small("owt")
    model = trained(CIFARNet() if preset == "cifar_19" else build(owt))
    path = tmp_path / "net.safetensors"
    save_weights(model, path, dtype="float16")
    stored = load_file(path)
    assert {array.dtype.name for array in stored.values()} == {"float16"}
    again = load_network(path)
    load_weights(model, path)
    x = images(model)
    own = again.get_layer("preprocessing")(x)
    np.testing.assert_array_equal(predict(again, x), predict(model, own))


def test_numbers_too_large_for_half_precision(tmp_path):
    model = CIFARNet(architecture="cifar_19")
    model.get_layer("conv1").bias.assign(np.full(32, 1e5))
    with pytest.raises(ValueError, match="hold the largest .*, 100000"):
        save_weights(model, tmp_path / "net.safetensors", dtype="float16")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name, dtype",
    [("net.safetensors", "int8"), ("net.weights.h5", "float16")],
)
def test_dtypes_that_files_do_not_have(name, dtype, tmp_path):
    with pytest.raises(ValueError, match=f"`dtype` must .*dtype='{dtype}'"):
        save_weights(CIFARNet(), tmp_path / name, dtype=dtype)


def test_branches_have_no_place(tmp_path):
    with pytest.raises(ValueError, match="a chain of layers.*'googlenet'"):
        save_weights(build(small_inception()), tmp_path / "net.safetensors")
    assert not list(tmp_path.iterdir())


def test_batch_normalization_has_no_place(tmp_path):
    model = build(small("caffe", normalization="batch"))
    with pytest.raises(ValueError, match="statistics of batch normalization"):
        save_weights(model, tmp_path / "net.safetensors")
    assert not list(tmp_path.iterdir())


def rewritten(path, change=lambda arrays: None, entry=None):
    arrays, metadata = load_file(path), read_metadata(path)
    change(arrays)
    if entry is not None:
        metadata[ENTRY] = entry
    save_file(arrays, path, metadata)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "net.safetensors"
    save_weights(build(small("paper")), path)
    return path


def test_an_array_is_missing(saved):
    rewritten(saved, lambda arrays: arrays.pop("fc7.bias"))
    with pytest.raises(ValueError, match="net.safetensors .*: fc7.bias"):
        load_network(saved)


def test_a_layer_is_missing(saved):
    rewritten(saved, lambda a: (a.pop("conv3.bias"), a.pop("conv3.kernel")))
    with pytest.raises(ValueError, match="net.safetensors .*: conv3"):
        load_network(saved)


def test_an_array_is_too_much(saved):
    rewritten(saved, lambda a: a.update(x=np.zeros(1, "float32")))
    with pytest.raises(ValueError, match="too much: x"):
        read_safetensors(saved)


def test_an_array_of_another_shape(saved):
    rewritten(saved, lambda a: a.update({"fc7.bias": np.zeros(3, "float32")}))
    with pytest.raises(ValueError, match="fit layer `fc7`"):
        load_network(saved)


def test_numbers_that_are_not_finite(saved):
    rewritten(saved, lambda a: a["fc7.bias"].fill(np.nan))
    with pytest.raises(ValueError, match="NaN or infinity in layer `fc7`"):
        load_network(saved)


@pytest.mark.parametrize(
    "entry",
    [
        "{",
        "{}",
        '"text"',
        '{"architecture": 3}',
        json.dumps(
            {
                "architecture": keras.saving.serialize_keras_object(
                    keras.layers.Dense(3)
                )
            }
        ),
    ],
)
def test_a_description_of_something_else(entry, saved):
    rewritten(saved, entry=entry)
    with pytest.raises(ValueError, match="description cannot be read"):
        load_network(saved)


def test_a_truncated_file(saved):
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(ValueError, match="net.safetensors cannot be read"):
        load_network(saved)


def test_another_architecture_is_refused(saved):
    other = dataclasses.replace(small("paper"), lrn_alpha=0.5)
    with pytest.raises(ValueError, match="net.safetensors.*lrn_alpha"):
        load_weights(build(other), saved)


def test_what_is_read(saved):
    found = read_weights(saved)
    assert (found.classes, found.mean) == (10, None)
    assert found.architecture == small("paper")


@pytest.mark.parametrize("mean", ["color", "image"])
def test_what_pytorch_does_not_ask_for_is_noted(mean, tmp_path):
    architecture = small("owt", mean=mean, pixel_mean=(9.0, 8.0, 7.0))
    size = 96
    model = build(
        architecture, input_shape=(size, size, 3), include_preprocessing=True
    )
    path = tmp_path / "net.safetensors"
    save_weights(model, path)
    x = np.random.default_rng(0).uniform(0, 255, (2, size, size, 3))
    again = load_network(path)
    assert again.architecture.pixel_mean == (9.0, 8.0, 7.0)
    np.testing.assert_allclose(predict(again, x), predict(model, x), atol=1e-6)
    mean = np.random.default_rng(0).uniform(0, 255, (size, size, 3))
    model.get_layer("preprocessing").set_mean(mean)
    save_weights(model, path)
    np.testing.assert_allclose(
        predict(load_network(path), x), predict(model, x), atol=1e-6
    )
    notes = {NOTES: "{}"}
    save_file(load_file(path), path, metadata=notes)
    with pytest.raises(ValueError, match="notes that cannot be read. KeyErr"):
        load_network(path)
