"""Loading and saving: what fits into what, and what is refused."""

import contextlib
import dataclasses
import functools
import hashlib
import http.server
import threading

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import outputs
from small_networks import small

from keras_alexnet.models import AlexNet
from keras_alexnet.models import pretrained
from keras_alexnet.models import save_weights
from keras_alexnet.models.presets import ARCHITECTURES
from keras_alexnet.models.presets import IMAGENET_ARCHITECTURES
from keras_alexnet.models.pretrained import architecture_of
from keras_alexnet.models.pretrained import load_weights
from keras_alexnet.models.pretrained import read_weights
from keras_alexnet.weights import published

CAFFE = small("caffe")


@pytest.fixture
def caffemodel(tmp_path):
    path = tmp_path / "net.caffemodel"
    save_weights(build(CAFFE), path)
    return path


def kernels(model):
    return {
        layer.name: layer.get_weights()
        for layer in model.layers
        if layer.get_weights()
    }


def assert_equal(a, b, names=None):
    for name in names or a:
        for x, y in zip(a[name], b[name], strict=True):
            np.testing.assert_array_equal(x, y)


def test_without_the_top_the_convolutions_are_loaded(caffemodel):
    model = build(CAFFE, seed=2, include_top=False)
    load_weights(model, caffemodel)
    assert_equal(kernels(model), kernels(build(CAFFE)))


def test_a_preprocessing_layer_does_not_matter(caffemodel):
    model = build(CAFFE, seed=2, include_preprocessing=True)
    load_weights(model, caffemodel)
    names = CAFFE.layer_names
    assert_equal(kernels(model), kernels(build(CAFFE)), names)


def test_a_failed_load_changes_nothing(caffemodel):
    model = build(CAFFE, seed=2, classes=7)
    before = kernels(model)
    with pytest.raises(
        ValueError, match=r"layer `fc8`: it has shape \(24, 10\), .*\(24, 7\)"
    ):
        load_weights(model, caffemodel)
    assert_equal(before, kernels(model))


def test_weights_that_diverged_are_refused(tmp_path):
    model = build(CAFFE)
    kernel = keras.ops.convert_to_numpy(model.get_layer("conv4").kernel).copy()
    kernel[0, 0, 0, 0] = np.nan
    model.get_layer("conv4").kernel.assign(kernel)
    path = tmp_path / "net.caffemodel"
    save_weights(model, path)
    with pytest.raises(ValueError, match="net.caffemodel holds NaN.*`conv4`"):
        load_weights(build(CAFFE), path)


@pytest.mark.parametrize(
    "preset, match",
    [
        ("caffenet", "stages of conv1: activation norm pool, not activation p"),
        ("paper", r"lrn_k: 1\.0, not 2\.0"),
        ("code_2012", "columns that LRN keeps apart: 1, not 2"),
    ],
)
def test_another_function_of_equal_shapes_is_refused(preset, match, caffemodel):
    architecture = small(preset, input_size=99)
    model = build(architecture, seed=2)
    with pytest.raises(
        ValueError,
        match=f"'caffe', which computes something else .*{match}.*strict=False",
    ):
        load_weights(model, caffemodel)
    load_weights(model, caffemodel, strict=False)
    names = architecture.layer_names[1:]
    assert_equal(kernels(model), kernels(build(CAFFE)), names)


def test_another_channel_order_swaps_conv1(caffemodel):
    """The same outputs, of images with the channels the other way round."""
    rgb = dataclasses.replace(CAFFE, channel_order="rgb")
    model = build(rgb, seed=2)
    load_weights(model, caffemodel)
    x = np.random.default_rng(0).normal(0, 60, (1, 99, 99, 3))
    (found,) = outputs(model, x[..., ::-1], ["prob"])
    (wanted,) = outputs(build(CAFFE), x, ["prob"])
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    again = caffemodel.with_name("again.caffemodel")
    save_weights(model, again)
    assert again.read_bytes() == caffemodel.read_bytes()


# What can be loaded into what: the table of the README.
SAME, SHAPES, NEVER = "same function", "strict=False", "never"
FITS = {
    "caffe": {"caffe": SAME, "caffenet": SHAPES, "owt": NEVER},
    "caffenet": {"caffe": SHAPES, "caffenet": SAME, "owt": NEVER},
    "owt": {"caffe": NEVER, "caffenet": NEVER, "owt": SAME},
}


def narrow(preset):
    """A preset with a sixteenth of its own filters."""
    filters = tuple(
        count // 16 for count in IMAGENET_ARCHITECTURES[preset].filters
    )
    return small(preset, input_size=99, filters=filters)


@pytest.mark.parametrize("preset", IMAGENET_ARCHITECTURES)
@pytest.mark.parametrize("file", FITS)
def test_what_can_be_loaded_into_what(file, preset, tmp_path):
    source = narrow(file)
    ending = "safetensors" if file == "owt" else "caffemodel"
    path = tmp_path / f"net.{ending}"
    save_weights(build(source), path)
    architecture = narrow(preset)
    two_columns = file != "owt" and preset in ("paper", "code_2012")
    wanted = FITS[file].get(preset, SHAPES if two_columns else NEVER)
    model = build(architecture, seed=2)
    found = NEVER
    for strict, answer in ((False, SHAPES), (True, SAME)):
        with contextlib.suppress(ValueError):
            load_weights(model, path, strict=strict)
            found = answer
    assert found == wanted


def test_more_layers_than_the_file_has(caffemodel):
    six = small("six_conv", lrn_across_columns=True)
    model = build(six)
    with pytest.raises(ValueError, match="'caffe', which computes something"):
        load_weights(model, caffemodel)
    with pytest.raises(ValueError, match="has no weights for conv6"):
        load_weights(model, caffemodel, strict=False)


def test_the_architecture_builds_the_network(caffemodel):
    architecture, classes = architecture_of(caffemodel)
    model = build(architecture, seed=2, classes=classes)
    load_weights(model, caffemodel)
    assert_equal(kernels(model), kernels(build(CAFFE)))
    with pytest.raises(ValueError, match=r"must end in one of \.caffemodel"):
        architecture_of("net.npz")


def test_files_of_keras(tmp_path):
    path = tmp_path / "net.weights.h5"
    save_weights(build(CAFFE), path)
    model = build(CAFFE, seed=2)
    load_weights(model, path)
    assert_equal(kernels(model), kernels(build(CAFFE)))


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that says nothing of what it does."""

    def log_message(self, *arguments):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch, caffemodel):
    """Small weights in place of the published ones, on a mirror."""
    content = caffemodel.read_bytes()
    entry = dataclasses.replace(
        published.PUBLISHED["caffe"],
        digest=f"sha1:{hashlib.sha1(content).hexdigest()}",
    )
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "bvlc_alexnet.caffemodel").write_bytes(content)
    handler = functools.partial(Quiet, directory=mirror)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(
        published.MIRROR, f"http://127.0.0.1:{server.server_port}"
    )
    monkeypatch.setitem(published.PUBLISHED, "caffe", entry)
    yield mirror / "bvlc_alexnet.caffemodel"
    server.shutdown()
    server.server_close()


def test_imagenet_is_downloaded_and_converted_once(served, tmp_path):
    model = build(CAFFE, seed=2)
    load_weights(model, "imagenet")
    assert_equal(kernels(model), kernels(build(CAFFE)))
    (cached,) = (tmp_path / "home" / "models").iterdir()
    assert cached.name.startswith("keras_alexnet-bvlc_alexnet-")
    served.unlink()
    features = build(CAFFE, seed=3, include_top=False)
    load_weights(features, "imagenet")
    assert_equal(kernels(features), kernels(build(CAFFE)))


def test_the_builder_loads_what_it_is_given(served, caffemodel, tmp_path):
    keras_file = tmp_path / "net.weights.h5"
    save_weights(build(CAFFE), keras_file)
    for weights in ("imagenet", caffemodel, str(caffemodel), keras_file):
        features = weights != keras_file and build(
            CAFFE, seed=3, include_top=False, weights=weights
        )
        model = features or build(CAFFE, seed=3, weights=weights)
        assert_equal(kernels(model), kernels(build(CAFFE)))


def test_the_builder_refuses_weights(caffemodel, tmp_path):
    with pytest.raises(ValueError, match="`classes` must be 1000.*classes=10"):
        build(CAFFE, weights="imagenet")
    with pytest.raises(ValueError, match='"cifar10" or the .*is absent'):
        build(CAFFE, weights=tmp_path / "absent.caffemodel")
    with pytest.raises(ValueError, match="computes something else"):
        build(small("caffenet"), weights=caffemodel)


def test_a_model_of_other_layers_is_refused(caffemodel):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="must carry its architecture"):
        load_weights(model, caffemodel)


def test_a_download_that_is_no_network_leaves_nothing(served, tmp_path):
    served.write_bytes(b"<html>not here</html>")
    with pytest.raises(ValueError, match="It is a web page"):
        load_weights(build(CAFFE), "imagenet")
    assert not list((tmp_path / "home" / "models").iterdir())


def truncated(data):
    return data[:1000]


def overwritten(data):
    """Sound as a file, with other numbers in it."""
    return data[:-4000] + bytes(400) + data[-3600:]


@pytest.mark.parametrize("damage", [truncated, overwritten])
def test_a_damaged_copy_of_imagenet_is_downloaded_again(
    damage, served, tmp_path
):
    load_weights(build(CAFFE), "imagenet")
    (cached,) = (tmp_path / "home" / "models").iterdir()
    sound = cached.read_bytes()
    cached.write_bytes(damage(sound))
    model = build(CAFFE, seed=2)
    with pytest.warns(UserWarning, match="are damaged .* downloaded again"):
        load_weights(model, "imagenet")
    assert_equal(kernels(model), kernels(build(CAFFE)))
    assert cached.read_bytes() == sound


def test_imagenet_means_caffe_where_nothing_else_is_said(served, monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "caffe", CAFFE)
    found = read_weights("imagenet")
    assert (found.architecture, found.classes) == (CAFFE, 10)
    model = AlexNet(weights="imagenet")
    assert model.architecture == CAFFE
    assert_equal(kernels(model), kernels(build(CAFFE)))


def test_imagenet_of_what_is_not_published():
    paper = small("paper")
    with pytest.raises(
        ValueError,
        match="architectures caffe, caffenet, .*, owt. Received: 'pap",
    ):
        load_weights(build(paper), "imagenet")
    changed = small("caffe", lrn_k=2.0)
    with pytest.raises(ValueError, match=r"changed in lrn_k: 1\.0, not 2\.0"):
        load_weights(build(changed), "imagenet")


def test_the_download_is_by_name(monkeypatch):
    assert pretrained.READERS.keys() >= {".caffemodel", ".pth"}
    for entry in published.PUBLISHED.values():
        assert pretrained.ending_of(entry.url) in pretrained.READERS
