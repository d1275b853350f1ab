"""What `load_network` makes of files: presets, other nets, refusals."""

import dataclasses
import hashlib

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import predict
from small_networks import small

from keras_alexnet.models import GOOGLENET
from keras_alexnet.models import GoogLeNet
from keras_alexnet.models import build_network
from keras_alexnet.models import load_caffe
from keras_alexnet.models import load_network
from keras_alexnet.models import load_weights
from keras_alexnet.models import save_weights
from keras_alexnet.models.presets import ARCHITECTURES
from keras_alexnet.training import SMALL_DATA_RECIPE
from keras_alexnet.training import train
from keras_alexnet.weights import published

pytest.importorskip("google.protobuf")
import caffe_nets  # noqa: E402

# By what is read; of ZFNet those images that leave nothing to round.
PRESETS = {
    "caffe": caffe_nets.alexnet,
    "caffenet": lambda: caffe_nets.alexnet(caffenet=True),
    "zfnet": caffe_nets.zfnet,
    **{
        f"vgg_{letter.lower().replace('-', '_')}": (
            lambda letter=letter: caffe_nets.vgg(letter)
        )
        for letter in caffe_nets.VGG_BLOCKS
    },
    "googlenet": caffe_nets.googlenet,
}
BGR = (104.01, 116.67, 122.68)


def image(size):
    random = np.random.default_rng(0)
    return random.integers(0, 256, (size, size, 3), "uint8")


def opencv(prototxt, weights, pixels, mean, scale=1.0):
    """What OpenCV says of one RGB image, prepared as everyone does it."""
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV to compare with")
    net = cv2.dnn.readNetFromCaffe(str(prototxt), str(weights))
    bgr = np.ascontiguousarray(pixels[..., ::-1])
    net.setInput(cv2.dnn.blobFromImage(bgr, scale, mean=mean))
    return net.forward()


@pytest.mark.parametrize(
    "name, whole",
    [*((name, True) for name in PRESETS), ("caffe", False), ("vgg_c", False)],
)
def test_presets_are_recognized(name, whole, tmp_path):
    net = PRESETS[name]()
    # Pixels of some tens must not saturate the softmax.
    for layer in list(net.blobs)[:1]:
        net.blobs[layer][0] /= 60
    prototxt, weights = net.save(tmp_path, whole)
    model = load_network(weights, prototxt=None if whole else prototxt)
    assert model.architecture.name == name
    mean = model.architecture.pixel_mean[::-1]
    pixels = image(net.shapes["data"][1])
    wanted = opencv(prototxt, weights, pixels, mean)
    assert wanted.max() < 0.99
    np.testing.assert_allclose(
        predict(model, pixels[None]), wanted, rtol=1e-3, atol=1e-6
    )


@pytest.mark.parametrize("auxiliary", [False, True])
def test_googlenet_with_and_without_its_heads(auxiliary, tmp_path):
    net = caffe_nets.googlenet(size=224, width=1 / 32, auxiliary=True)
    _, weights = net.save(tmp_path, whole=True)
    plain = load_caffe(weights)
    architecture = load_network(weights).architecture
    model = GoogLeNet(
        weights=weights, architecture=architecture, auxiliary=auxiliary
    )
    x = np.random.default_rng(0).normal(size=(1, 224, 224, 3))
    first, second, main = plain(x)
    found = model(x)
    found = found if auxiliary else [found]
    for ours, theirs in zip(found, (main, first, second), strict=False):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_what_we_write_of_googlenet_is_read_again(tmp_path):
    architecture = dataclasses.replace(
        GOOGLENET.scaled(1 / 16), input_size=96, norms=("norm2",)
    )
    model = GoogLeNet(architecture=architecture, classes=7)
    path = tmp_path / "net.caffemodel"
    save_weights(model, path)
    text = (tmp_path / "net.prototxt").read_text()
    # Weights for Caffe's own files must have Caffe's own names.
    for name in ("conv1/7x7_s2", "inception_3a/5x5_reduce", "pool5/7x7_s1"):
        assert f'name: "{name}"' in text
    again = load_network(path)
    # Of heads that it does not have, the file cannot say anything.
    whole = {
        name: getattr(GOOGLENET, name)
        for name in ("auxiliary_filters", "auxiliary_units")
    }
    assert again.architecture == dataclasses.replace(architecture, **whole)
    other = GoogLeNet(architecture=architecture, classes=7)
    load_weights(other, path)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "old, new",
    [
        ("kernel_size: 3 stride: 1 pad: 1 }", "kernel_size: 5 pad: 2 }"),
        pytest.param(
            "local_size: 5 alpha: 1e-2",
            "local_size: 5 norm_region: 1",
            marks=pytest.mark.slow,
        ),
        (
            'bottom: "inception_3a/1x1"\n  bottom: "inception_3a/3x3"',
            'bottom: "inception_3a/3x3"\n  bottom: "inception_3a/1x1"',
        ),
        pytest.param('type: "ReLU"', 'type: "TanH"', marks=pytest.mark.slow),
    ],
)
def test_googlenets_names_alone_are_not_googlenet(old, new, tmp_path):
    net = caffe_nets.googlenet()
    assert old in net.text
    net.text = net.text.replace(old, new, 1)
    prototxt, weights = net.save(tmp_path)
    with pytest.warns(UserWarning, match="does not state the mean color"):
        model = load_network(weights, prototxt=prototxt)
    assert not hasattr(model, "architecture")
    with pytest.raises(ValueError, match="has another type, other settings"):
        load_network(weights, GOOGLENET.scaled(1 / 8), prototxt)


def test_a_fine_tuned_googlenet(tmp_path):
    net = caffe_nets.googlenet(classes=5)
    net.text = net.text.replace("loss3/classifier", "flowers")
    net.blobs["flowers"] = net.blobs.pop("loss3/classifier")
    _, weights = net.save(tmp_path, whole=True)
    model = load_network(weights)
    assert model.architecture.name == "googlenet"
    assert model.output_shape == (None, 5)


@pytest.mark.parametrize("make", [caffe_nets.nin, caffe_nets.resnet50])
def test_other_networks_are_plain_models_for_raw_images(make, tmp_path):
    net = make()
    for layer in list(net.blobs)[:1]:
        net.blobs[layer][0] /= 60
    prototxt, weights = net.save(tmp_path, whole=True)
    with pytest.warns(UserWarning, match="not state the mean.*set_mean"):
        model = load_network(weights)
    assert type(model).__mro__.count(keras.Model) == 1
    pixels = image(net.shapes["data"][1])
    wanted = opencv(prototxt, weights, pixels, BGR)
    found = predict(model, pixels[None])
    np.testing.assert_allclose(
        found, wanted.reshape(found.shape), rtol=1e-3, atol=1e-6
    )
    model.save(tmp_path / "net.keras")
    again = load_network(tmp_path / "net.keras")
    np.testing.assert_array_equal(predict(again, pixels[None]), found)


def test_mean_and_scale_are_those_of_a_training_file(tmp_path):
    net = caffe_nets.nin(size=99)
    start = net.text.index("layer {")
    end = net.text.index("layer {", start + 1)
    deploy = net.text
    prototxt, weights = net.save(tmp_path)
    data = (
        'layer {{ name: "data" type: "Data" top: "data" top: "label"\n'
        "  include {{ phase: {} }}\n  transform_param {{ crop_size: 99 "
        "mean_value: 10 mean_value: 20 mean_value: 30 scale: 0.0125 }}\n"
        '  data_param {{ source: "x" batch_size: 32 backend: LMDB }} }}\n'
    )
    loss = (
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "pool4" '
        'bottom: "label" top: "loss" include { phase: TRAIN } }'
    )
    train_val = tmp_path / "train_val.prototxt"
    train_val.write_text(
        deploy[:start]
        + data.format("TRAIN")
        + data.format("TEST")
        + deploy[end:]
        + loss
    )
    model = load_network(weights, prototxt=train_val)
    pixels = image(99)
    wanted = opencv(prototxt, weights, pixels, (10, 20, 30), 0.0125)
    found = predict(model, pixels[None])
    np.testing.assert_allclose(
        found, wanted.reshape(found.shape), rtol=1e-3, atol=1e-6
    )


@pytest.mark.parametrize(
    "architecture",
    [small("caffe"), GOOGLENET.scaled(1 / 64)],
    ids=["caffe", "googlenet"],
)
def test_mean_and_scale_of_networks_that_are_recognized(architecture, tmp_path):
    save_weights(
        build_network(architecture, classes=2), tmp_path / "net.caffemodel"
    )
    deploy = (tmp_path / "net.prototxt").read_text()
    start = deploy.index("layer {")
    end = deploy.index("layer {", start + 1)
    train = tmp_path / "train.prototxt"
    train.write_text(
        deploy[:start] + 'layer { name: "data" type: "Data" top: "data" '
        f"transform_param {{ crop_size: {architecture.input_size} "
        "mean_value: 128 scale: 0.0125 } }\n" + deploy[end:]
    )
    model = load_network(tmp_path / "net.caffemodel", prototxt=train)
    assert model.architecture.name == architecture.name
    layer = model.get_layer("preprocessing")
    np.testing.assert_allclose(layer.mean, [128.0] * 3)
    np.testing.assert_allclose(layer.std, [80.0] * 3, rtol=1e-6)


@pytest.mark.parametrize(
    "old, new, match",
    [
        ("mean_value: 10", "mean_value: 10 mean_value: 11", "2 mean values"),
        ("mean_value: 10", "mean_value: 10 scale: -1", "`std` must be"),
        ("crop_size: 8", "", "not say how large its images"),
    ],
)
def test_data_that_cannot_be_prepared(old, new, match, tmp_path):
    net = caffe_nets.Net("n", 8)
    net.softmax(net.global_pool("pool", net.conv("conv", "data", 4, 3)))
    data = (
        'layer { name: "data" type: "Data" top: "data"'
        " transform_param { crop_size: 8 mean_value: 10 } }\n"
    )
    body = net.text[net.text.index("layer {", 30) :]
    net.text = data.replace(old, new) + body
    prototxt, weights = net.save(tmp_path)
    with pytest.raises(ValueError, match=f"net.prototxt .*{match}"):
        load_network(weights, prototxt=prototxt)


def test_grey_images_are_for_load_caffe(tmp_path):
    net = caffe_nets.Net("lenet", 28, channels=1)
    x = net.pool("pool1", net.conv("conv1", "data", 20, 5), 2, 2)
    net.softmax(net.dense("ip1", x, 10))
    prototxt, weights = net.save(tmp_path)
    with pytest.raises(ValueError, match="images of 1 channels.*`load_caffe`"):
        load_network(weights, prototxt=prototxt)
    assert load_caffe(weights, prototxt).input_shape == (None, 28, 28, 1)


def test_a_prototxt_belongs_to_a_caffemodel(tmp_path):
    with pytest.raises(ValueError, match="`prototxt` belongs .*weights='a.pth"):
        load_network("a.pth", prototxt="b.prototxt")
    with pytest.raises(ValueError, match="b.caffemodel.* is absent"):
        load_network(tmp_path / "b.caffemodel")


# What `.keras` files are of, what is asked for, and whether that is the same.
ASKED = [
    (small("paper"), "paper", None),
    (small("paper"), "caffe", "lrn_k: 2.0, not 1.0"),
    (small("caffe"), small("caffe", filters=(16, 16, 24, 12, 16)), None),
    (small("caffe"), "caffenet", "stages of conv1"),
    (small("owt"), "vgg_a", "not"),
    (SMALL_DATA_RECIPE.prepare(small("paper")), "paper", None),
    (SMALL_DATA_RECIPE.prepare(small("paper")), small("paper"), None),
    (
        SMALL_DATA_RECIPE.prepare(small("paper")),
        SMALL_DATA_RECIPE.prepare(ARCHITECTURES["paper"]),
        None,
    ),
    (
        SMALL_DATA_RECIPE.prepare(small("paper")),
        "caffe",
        "columns that LRN keeps apart: 2, not 1",
    ),
]


@pytest.mark.parametrize("architecture, asked, match", ASKED)
def test_a_keras_file_of_another_architecture_is_refused(
    architecture, asked, match, tmp_path
):
    path = tmp_path / "net.keras"
    build(architecture).save(path)
    if match is None:
        assert load_network(path, asked).architecture == architecture
        return
    with pytest.raises(ValueError, match=f"computes something else.*{match}"):
        load_network(path, asked)
    assert load_network(path).architecture == architecture


def test_a_keras_file_that_does_not_say_what_it_is(tmp_path):
    path = tmp_path / "net.keras"
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(path)
    with pytest.raises(ValueError, match="not say which .*architecture='owt'"):
        load_network(path, "owt")
    assert load_network(path).output_shape == (None, 1)


def test_imagenet_of_googlenet(tmp_path, monkeypatch):
    net = caffe_nets.googlenet(size=224, width=1 / 32, auxiliary=True)
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    _, weights = net.save(mirror, whole=True)
    weights.rename(mirror / "bvlc_googlenet.caffemodel")
    data = (mirror / "bvlc_googlenet.caffemodel").read_bytes()
    small = load_network(mirror / "bvlc_googlenet.caffemodel").architecture
    entry = published.PUBLISHED["googlenet"]
    digest = f"sha1:{hashlib.sha1(data).hexdigest()}"
    monkeypatch.setitem(
        published.PUBLISHED,
        "googlenet",
        dataclasses.replace(entry, digest=digest),
    )
    monkeypatch.setitem(ARCHITECTURES, "googlenet", small)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(published.MIRROR, f"file://{mirror}")
    model = load_network("imagenet", "googlenet")
    kernel = net.blobs["inception_4c/5x5"][0]
    np.testing.assert_array_equal(
        model.get_layer("inception_4c_5x5").kernel.numpy(),
        kernel.transpose(2, 3, 1, 0),
    )
    # The second time it is the converted file.
    (mirror / "bvlc_googlenet.caffemodel").unlink()
    heads = GoogLeNet(
        architecture="googlenet",
        classes=10,
        auxiliary=True,
        input_shape=(224, 224, 3),
    )
    load_weights(heads, "imagenet")
    kernel = net.blobs["loss2/fc"][0].reshape(-1, 4, 4, 4)
    np.testing.assert_array_equal(
        heads.get_layer("loss2_fc").kernel.numpy(),
        kernel.transpose(2, 3, 1, 0).reshape(64, -1),
    )


def test_training_refuses_it_too(tmp_path):
    path = tmp_path / "net.keras"
    build(small("paper"), include_preprocessing=True).save(path)
    with pytest.raises(
        ValueError, match="computes something else than 'caffe'"
    ):
        train("digits", "caffe", weights=path, verbose=0)
