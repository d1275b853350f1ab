"""Caffe's networks through the graph reader, against OpenCV's reader."""

import math

import keras
import numpy as np
import pytest

pytest.importorskip("google.protobuf")
import caffe_nets  # noqa: E402

from keras_alexnet.models import load_caffe  # noqa: E402
from keras_alexnet.models import save_weights  # noqa: E402

NETS = {
    "alexnet": caffe_nets.alexnet,
    "caffenet": lambda **size: caffe_nets.alexnet(caffenet=True, **size),
    "zfnet": caffe_nets.zfnet,
    **{
        f"vgg {letter}": lambda letter=letter, **size: caffe_nets.vgg(
            letter, **size
        )
        for letter in caffe_nets.VGG_BLOCKS
    },
    "googlenet": caffe_nets.googlenet,
    "nin": caffe_nets.nin,
    "resnet50": caffe_nets.resnet50,
}


def keras_names(name):
    return name.replace("/", "_").replace("scale", "bn").replace("bn_bn", "bn_")


def compare(net, folder, tolerance=1e-4, count=1):
    """All blobs of a network, by OpenCV and by Keras, from the same files."""
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV to compare with")
    prototxt, weights = net.save(folder)
    model = load_caffe(weights, prototxt)
    size = net.shapes["data"][1]
    random = np.random.default_rng(1)
    x = random.normal(0, 1, (count, 3, size, size)).astype("float32")
    theirs = cv2.dnn.readNetFromCaffe(str(prototxt), str(weights))
    # Fused layers leave no output of their own.
    theirs.enableFusion(False)
    theirs.setInput(x)
    wanted = dict(zip(net.compared, theirs.forward(net.compared), strict=True))
    outputs = {
        name: model.get_layer(keras_names(name)).output for name in wanted
    }
    found = keras.Model(model.input, outputs)(x.transpose(0, 2, 3, 1))
    for name, y in wanted.items():
        got = keras.ops.convert_to_numpy(found[name])
        if got.ndim == 4:
            got = got.transpose(0, 3, 1, 2)
        largest = np.abs(y).max()
        assert largest > 1e-3, name
        assert np.abs(got.reshape(y.shape) - y).max() <= tolerance * largest, (
            name
        )
    return model


@pytest.mark.parametrize("name", NETS)
def test_all_blobs_are_those_of_opencv(name, tmp_path):
    net = NETS[name]()
    model = compare(net, tmp_path)
    weighted = len(net.blobs) - sum(
        key.startswith("scale") for key in net.blobs
    )
    assert sum(bool(layer.weights) for layer in model.layers) == weighted


# As they were published: 1000 classes at full width.
FULL = {
    "alexnet": {"size": 227, "units": 4096},
    "caffenet": {"size": 227, "units": 4096},
    "zfnet": {"size": 224, "units": 4096},
    **{
        f"vgg {letter}": {"size": 224, "units": 4096}
        for letter in caffe_nets.VGG_BLOCKS
    },
    "googlenet": {"size": 224},
    "nin": {"size": 224},
    "resnet50": {"size": 224},
}
# Of the networks with published counts (of running statistics three less).
PARAMETERS = {
    "alexnet": 60_965_224,
    "vgg A": 132_863_336,
    "vgg C": 133_638_952,
    "vgg D": 138_357_544,
    "vgg E": 143_667_240,
    "googlenet": 6_998_552,
    "resnet50": 25_557_096,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL)
def test_whole_networks_are_those_of_opencv(name, tmp_path):
    net = NETS[name](width=1, classes=1000, **FULL[name])
    model = compare(net, tmp_path)
    if name in PARAMETERS:
        trained = sum(math.prod(w.shape) for w in model.trainable_weights)
        assert trained == PARAMETERS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", NETS)
def test_onnx_computes_the_same(name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    prototxt, weights = NETS[name]().save(tmp_path)
    model = load_caffe(weights, prototxt)
    x = np.random.default_rng(0).normal(size=(1, *model.input_shape[1:]))
    x = x.astype("float32")
    wanted = keras.ops.convert_to_numpy(model(x))
    path = str(tmp_path / "net.onnx")
    model.export(path, format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path)
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_a_saved_model_needs_nothing_else(tmp_path):
    prototxt, weights = caffe_nets.resnet50(blocks=(1, 1)).save(tmp_path)
    model = load_caffe(weights, prototxt)
    path = tmp_path / "net.keras"
    model.save(path)
    again = keras.saving.load_model(path)
    x = np.random.default_rng(0).normal(size=(1, 64, 64, 3))
    np.testing.assert_array_equal(again(x), model(x))


def test_what_is_written_is_read_by_opencv_again(tmp_path):
    """A model of `keras.applications` in Caffe's files, and its ResNets."""
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV to compare with")
    options = {"weights": None, "classes": 5}
    model = keras.applications.MobileNet(
        input_shape=(32, 32, 3), alpha=0.25, include_top=False, weights=None
    )
    with pytest.raises(ValueError, match="`conv1` pads an image on one side"):
        save_weights(model, tmp_path / "net.caffemodel")
    model = keras.applications.ResNet50(input_shape=(64, 64, 3), **options)
    with pytest.raises(ValueError, match="`pool1_pool` follows a `ZeroPadding"):
        save_weights(model, tmp_path / "net.caffemodel")
    assert not list(tmp_path.iterdir())
    # What is behind that pooling is the same as in Caffe.
    behind = keras.Model(model.get_layer("pool1_pool").output, model.output)
    path = tmp_path / "net.caffemodel"
    save_weights(behind, path)
    x = np.random.default_rng(0).normal(size=(1, 16, 16, 64))
    net = cv2.dnn.readNetFromCaffe(
        str(path.with_suffix(".prototxt")), str(path)
    )
    net.setInput(np.ascontiguousarray(x.transpose(0, 3, 1, 2), "float32"))
    found = net.forward()
    wanted = keras.ops.convert_to_numpy(behind(x.astype("float32")))
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5)
