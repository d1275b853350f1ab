"""Caffe's networks through the graph reader, against OpenCV's reader."""

import keras
import numpy as np
import pytest

pytest.importorskip("google.protobuf")
import caffe_nets  # noqa: E402

from keras_alexnet.models import load_caffe  # noqa: E402

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
