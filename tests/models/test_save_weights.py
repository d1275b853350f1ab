"""Every network through every writer: refused, or right in other software."""

import dataclasses
import warnings

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import predict
from small_networks import small

from keras_alexnet.columns.conversion import divided
from keras_alexnet.models import Architecture
from keras_alexnet.models import load_weights
from keras_alexnet.models import save_weights
from keras_alexnet.models.difference import different_computations
from keras_alexnet.models.presets import IMAGENET_ARCHITECTURES
from keras_alexnet.models.presets import OWT
from keras_alexnet.models.safetensors_files import read_safetensors
from keras_alexnet.weights.caffemodel import read_caffemodel

if keras.backend.backend() != "tensorflow":
    pytest.skip("no backend has a part in it", allow_module_level=True)

# One other value of every field that a network can have.
CHANGES = {
    "name": "other",
    "input_size": 98,
    "columns": 4,
    "filters": (16, 8, 16, 12, 16),
    "kernel_sizes": (7, 5, 3, 5, 3),
    "strides": (3, 1, 1, 1, 1),
    "paddings": (1, 2, "same", 1, "same"),
    "stages": (
        ("norm", "pool", "activation"),
        ("activation", "pool"),
        ("activation",),
        ("activation", "norm"),
        ("activation", "pool"),
    ),
    "cross": ("conv2", "conv3", "fc6", "fc7"),
    "activation": "tanh",
    "normalization": "batch",
    "lrn_k": 2.0,
    "lrn_n": 3,
    "lrn_alpha": 1e-2,
    "lrn_beta": 0.5,
    "lrn_convention": "sum",
    "lrn_across_columns": False,
    "spatial_n": 3,
    "spatial_alpha": 1e-2,
    "spatial_beta": 0.5,
    "pool_size": 2,
    "pool_strides": 3,
    "pool_rounding": "floor",
    "fc_units": (28, 12),
    "dropout": 0.25,
    "dropout_position": "before",
    "initial_stds": (0.2,) * 8,
    "initial_biases": (0.2,) * 8,
    "pixel_mean": (1.0, 2.0, 3.0),
    "pixel_std": (58.0, 30.0, 20.0),
    "mean": "image",
    "channel_order": "rgb",
    "unshared": ("conv3",),
    "average_pools": ("conv2",),
    "image_size": 200,
    "blocks": (2, 3),
    "kernel_max_rms": 0.1,
}
# Fields that other fields must follow.
FOLLOWING = {"blocks": {"cross": ("conv2_1", "fc6", "fc7")}}
# Where the caffe preset has the value above, another.
OWT_CHANGES = {
    "columns": 2,
    "pool_rounding": "ceil",
    "dropout_position": "after",
    "channel_order": "bgr",
    "lrn_convention": "mean",
    # Three pixels would leave nothing of small images.
    "pool_strides": 1,
}


def cases():
    for preset in IMAGENET_ARCHITECTURES:
        yield pytest.param(small(preset), id=preset)
    for base, others in (("caffe", {}), ("owt", OWT_CHANGES)):
        for field, value in {**CHANGES, **others}.items():
            try:
                further = FOLLOWING.get(field, {})
                architecture = small(base, **{field: value}, **further)
            except ValueError:
                # Not for five convolutions of these widths.
                continue
            yield pytest.param(architecture, id=f"{base}-{field}")


CASES = list(cases())


def test_every_field_is_changed():
    fields = {field.name for field in dataclasses.fields(Architecture)}
    assert set(CHANGES) == fields
    tried = {case.id.split("-")[1] for case in CASES if "-" in case.id}
    assert tried == fields


def saved(model, path):
    """Whether it was saved. What is refused leaves no file."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            save_weights(model, path)
    except (ValueError, UserWarning) as error:
        assert model.architecture.name in str(error) or "ignores" in str(error)
        if isinstance(error, ValueError):
            assert not list(path.parent.iterdir())
        return False
    return True


def pixels(architecture):
    """Centered RGB pixels, and what the network's input is then."""
    size = architecture.input_size
    x = np.random.default_rng(0).normal(0, 60, (2, size, size, 3))
    own = x / architecture.pixel_std
    return x, own[..., ::-1] if architecture.channel_order == "bgr" else own


def assert_agrees(found, wanted):
    assert np.abs(found - wanted).max() <= 1e-4 * max(np.abs(wanted).max(), 1)


@pytest.mark.parametrize("architecture", CASES)
def test_opencv_computes_the_same_or_it_is_refused(architecture, tmp_path):
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV to compare with")
    model = build(architecture, classifier_activation=None)
    path = tmp_path / "net.caffemodel"
    if not saved(model, path):
        assert architecture.name not in ("caffe", "caffenet", "owt") or (
            architecture not in (small("caffe"), small("caffenet"))
        )
        return
    x, own = pixels(architecture)
    net = cv2.dnn.readNetFromCaffe(
        str(path.with_suffix(".prototxt")), str(path)
    )
    net.setInput(np.ascontiguousarray(x[..., ::-1].transpose(0, 3, 1, 2)))
    assert_agrees(predict(model, own), net.forward("fc8"))


@pytest.mark.parametrize("architecture", CASES)
def test_pytorch_computes_the_same_or_has_no_such_network(
    architecture, tmp_path
):
    torch = pytest.importorskip("torch")
    from models.test_torchvision import TorchAlexNet
    from safetensors.torch import load_file

    model = build(architecture, classifier_activation=None)
    path = tmp_path / "net.safetensors"
    if not saved(model, path):
        assert architecture.normalization == "batch"
        return
    x, own = pixels(architecture)
    if read_safetensors(path) is not None:
        assert different_computations(architecture, OWT, x.shape[1])
        again = build(architecture, seed=2, classifier_activation=None)
        load_weights(again, path)
        np.testing.assert_array_equal(predict(again, own), predict(model, own))
        return
    network = TorchAlexNet(architecture.filters, architecture.fc_units).eval()
    network.load_state_dict(load_file(path))
    theirs = (x / OWT.pixel_std).transpose(0, 3, 1, 2).astype("float32")
    with torch.no_grad():
        wanted = network(torch.tensor(theirs)).numpy()
    assert_agrees(predict(model, own), wanted)


def test_columns_are_saved_as_one_graph(tmp_path):
    whole = build(small("caffe"))
    columns = divided(whole)
    for model, name in ((whole, "a"), (columns, "b")):
        model.set_weights(
            [np.full(w.shape, 0.5, "float32") for w in model.weights]
        )
        save_weights(model, tmp_path / f"{name}.caffemodel")
    first, second = (tmp_path / f"{name}.caffemodel" for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def changed(layer):
    """A copy of a layer, some with other settings."""
    config = layer.get_config()
    if layer.name == "norm1":
        config["alpha"] *= 1000
    if layer.name == "conv4":
        config["activation"] = "tanh"
    return type(layer).from_config(config)


def test_changed_layers_are_refused_for_pytorch(tmp_path):
    model = build(small("owt"), classifier_activation=None)
    clone = keras.models.clone_model(model, clone_function=changed)
    with pytest.raises(ValueError, match="Layer `conv4` is not that of"):
        save_weights(clone, tmp_path / "net.safetensors")


def test_changed_layers_are_written_for_caffe(tmp_path):
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV to compare with")
    model = build(small("caffe"), classifier_activation=None)
    clone = keras.models.clone_model(model, clone_function=changed)
    clone.set_weights(model.get_weights())
    path = tmp_path / "net.caffemodel"
    save_weights(clone, path)
    x, own = pixels(model.architecture)
    net = cv2.dnn.readNetFromCaffe(
        str(path.with_suffix(".prototxt")), str(path)
    )
    net.setInput(np.ascontiguousarray(x[..., ::-1].transpose(0, 3, 1, 2)))
    found = net.forward("fc8")
    assert_agrees(predict(clone, own), found)
    assert np.abs(predict(model, own) - found).max() > 1e-2


def test_a_network_without_its_top(tmp_path):
    model = build(small("owt"), include_top=False)
    save_weights(model, tmp_path / "net.safetensors")
    again = build(small("owt"), seed=2, include_top=False)
    load_weights(again, tmp_path / "net.safetensors")
    for found, wanted in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(found, wanted)
    save_weights(model, tmp_path / "net.caffemodel")
    assert 'name: "pool5"' in (tmp_path / "net.prototxt").read_text()


def test_models_that_do_not_know_what_they_are(tmp_path):
    model = build(small("caffe"))
    plain = keras.Model(model.input, model.output, name="plain")
    with pytest.raises(ValueError, match="must carry its architecture.*plain"):
        save_weights(plain, tmp_path / "net.safetensors")
    # For Caffe, the layers say it all.
    save_weights(plain, tmp_path / "a.caffemodel")
    save_weights(model, tmp_path / "b.caffemodel")
    first, second = (tmp_path / f"{name}.caffemodel" for name in "ab")
    name = read_caffemodel(second).name
    assert first.read_bytes().replace(b"\x05plain", b"") == (
        second.read_bytes().replace(b"\x05" + name.encode(), b"")
    )


@pytest.mark.parametrize(
    "name, advice", [("net.pth", "safetensors.torch.load_file"), ("net", "")]
)
def test_other_endings(name, advice, tmp_path):
    with pytest.raises(ValueError, match=f"must end in .caffemodel.*{advice}"):
        save_weights(build(small("owt")), tmp_path / name)
