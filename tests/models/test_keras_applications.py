"""VGG16 and VGG19 from files in the format of keras.applications."""

import dataclasses
import hashlib

import h5py
import keras
import numpy as np
import pytest
from small_networks import predict

from keras_alexnet.models import architecture_of
from keras_alexnet.models import build_network
from keras_alexnet.models import load_network
from keras_alexnet.models import pretrained
from keras_alexnet.models.presets import ARCHITECTURES
from keras_alexnet.weights import published

NAMES = {"vgg_d": "VGG16", "vgg_e": "VGG19"}
SHARE = 32


def narrow(name, preset):
    """A network of keras.applications with narrow layers."""
    model = getattr(keras.applications, name)(
        weights=None, input_shape=(32, 32, 3), classes=6
    )

    def clone(layer):
        config = layer.get_config()
        for key, share in (("filters", SHARE), ("units", 256)):
            if key in config and layer.name != "predictions":
                config[key] //= share
        return type(layer).from_config(config)

    return keras.models.clone_model(model, clone_function=clone)


def save(model, path, edit=None):
    """Writes the format of Keras before version 3."""
    with h5py.File(path, "w") as file:
        layers = [layer.name for layer in model.layers]
        file.attrs["layer_names"] = [name.encode() for name in layers]
        for layer in model.layers:
            group = file.create_group(layer.name)
            names = [
                f"{layer.name}_{kind}_1:0"
                for kind, _ in zip("Wb", layer.weights, strict=False)
            ]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, value in zip(names, layer.get_weights(), strict=True):
                group.create_dataset(name, data=value)
        if edit:
            edit(file)


@pytest.mark.parametrize("preset", NAMES)
def test_outputs_are_those_of_keras_applications(preset, tmp_path):
    theirs = narrow(NAMES[preset], preset)
    path = tmp_path / "vgg.h5"
    save(theirs, path)
    architecture, classes = architecture_of(path)
    assert (architecture.name, classes) == (preset, 6)
    ours = build_network(
        architecture,
        weights=path,
        input_shape=(32, 32, 3),
        include_preprocessing=True,
    )
    image = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3))
    module = getattr(keras.applications, NAMES[preset].lower())
    prepared = module.preprocess_input(image.copy())
    np.testing.assert_allclose(
        predict(ours, image), predict(theirs, prepared), rtol=1e-4, atol=1e-6
    )


def test_imagenet_is_verified_by_md5(tmp_path, monkeypatch):
    theirs = narrow("VGG16", "vgg_d")
    entry = published.PUBLISHED["vgg_d"]
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    path = mirror / entry.url.rsplit("/", 1)[1]
    save(theirs, path)
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    vgg = ARCHITECTURES["vgg_d"]
    small = dataclasses.replace(
        vgg,
        input_size=32,
        filters=tuple(count // SHARE for count in vgg.filters),
        fc_units=(16, 16),
    )
    monkeypatch.setitem(ARCHITECTURES, "vgg_d", small)
    monkeypatch.setitem(
        published.PUBLISHED,
        "vgg_d",
        dataclasses.replace(entry, digest=f"md5:{digest}"),
    )
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(published.MIRROR, f"file://{mirror}")
    found = pretrained.read_weights("imagenet", "vgg_d")
    assert (found.classes, found.channel_order) == (6, "bgr")
    for kept, wanted in zip(
        [array for pair in found.arrays.values() for array in pair],
        theirs.get_weights(),
        strict=True,
    ):
        np.testing.assert_array_equal(kept, wanted)


def rename(file):
    names = file.attrs["layer_names"]
    file.attrs["layer_names"] = [n.replace("fc1", "fc9") for n in names]
    file.move("fc1", "fc9")


def without_top(file):
    names = [n for n in file.attrs["layer_names"] if n.startswith("block")]
    file.attrs["layer_names"] = names


def reshaped(file):
    group = file["block3_conv2"]
    name = group.attrs["weight_names"][0]
    value = np.asarray(group[name])
    del group[name]
    group.create_dataset(name, data=value[..., :-1])


def hollow(file):
    group = file["fc2"]
    name = group.attrs["weight_names"][0]
    del group[name]
    group.create_dataset(name, shape=(2**20, 2**20), dtype="float32")


@pytest.mark.parametrize(
    "edit, match",
    [
        (rename, "`fc9` with 2 arrays is no part of it"),
        (without_top, "wanted are those of `vgg_d` or `vgg_e`, with the top"),
        (reshaped, r"`conv3_2` has arrays of shapes \(3, 3, 8, 7\)"),
        (hollow, r"`fc2` is stated to have shape \(1048576, 1048576\)"),
        (lambda file: file.__delitem__("fc1"), "cannot be read: .*fc1"),
        (
            lambda file: file.attrs.__delitem__("layer_names"),
            "no `layer_names`",
        ),
    ],
)
def test_other_files_are_refused(edit, match, tmp_path):
    path = tmp_path / "vgg.h5"
    save(narrow("VGG16", "vgg_d"), path, edit)
    wanted = f"(?s)vgg.h5 is no VGG16 or VGG19 of keras.applications.*{match}"
    with pytest.raises(ValueError, match=wanted):
        load_network(path)


def test_what_is_no_hdf5(tmp_path):
    path = tmp_path / "vgg.h5"
    path.write_bytes(b"<html>")
    with pytest.raises(ValueError, match="cannot be read.*signature"):
        load_network(path)
