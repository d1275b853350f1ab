"""Caffe's files: read what Google's runtime writes, and the other way."""

import tracemalloc

import numpy as np
import pytest

from keras_alexnet.weights.caffe_net import CaffeLayer
from keras_alexnet.weights.caffe_net import CaffeNet
from keras_alexnet.weights.caffemodel import read_binaryproto
from keras_alexnet.weights.caffemodel import read_caffemodel
from keras_alexnet.weights.caffemodel import write_caffemodel
from keras_alexnet.weights.prototxt import write_prototxt

pytest.importorskip("google.protobuf")
import caffe_files  # noqa: E402


def save(message, path):
    path.write_bytes(message.SerializeToString())
    return path


@pytest.mark.parametrize("legacy_shapes", [False, True])
@pytest.mark.parametrize("generation", [0, 1, 2])
def test_every_generation_reads_alike(generation, legacy_shapes, tmp_path):
    message, arrays = caffe_files.alexnet(
        generation, legacy_shapes=legacy_shapes
    )
    net = read_caffemodel(save(message, tmp_path / "net.caffemodel"))
    assert net.name == "small"
    assert net.input_size == 99
    found = {layer.name: layer for layer in net.layers}
    assert list(found)[:5] == ["data", "conv1", "relu1", "norm1", "pool1"]
    assert found["conv2"].type == "Convolution"
    assert found["conv2"].bottoms == ("pool1",)
    assert found["conv2"].settings["pad"] == 2
    assert found["norm1"].settings["local_size"] == 5
    assert found["loss"].type == "SoftmaxWithLoss"
    for name, wanted in arrays.items():
        for ours, theirs in zip(found[name].blobs, wanted, strict=True):
            np.testing.assert_array_equal(ours.ravel(), theirs.ravel())
            legacy = (1,) * (4 - theirs.ndim) + theirs.shape
            assert ours.shape == (legacy if legacy_shapes else theirs.shape)


def test_googles_runtime_reads_what_we_write(tmp_path):
    kernel = np.arange(24, dtype="float32").reshape(2, 3, 2, 2)
    layers = (
        CaffeLayer(
            "conv1",
            "Convolution",
            ("data",),
            ("conv1",),
            {"num_output": 2, "pad": 1, "stride": 4},
            (kernel[::-1], np.zeros(2, "float32")),
        ),
        CaffeLayer("norm1", "LRN", ("conv1",), ("norm1",), {"alpha": 1e-4}),
    )
    path = tmp_path / "net.caffemodel"
    write_caffemodel(path, CaffeNet("tiny", layers, 32))
    net = caffe_files.message("NetParameter")()
    net.ParseFromString(path.read_bytes())
    assert [layer.type for layer in net.layer] == [
        "Input",
        "Convolution",
        "LRN",
    ]
    assert list(net.layer[1].convolution_param.stride) == [4]
    assert net.layer[2].lrn_param.alpha == np.float32(1e-4)
    blob = net.layer[1].blobs[0]
    assert list(blob.shape.dim) == [2, 3, 2, 2]
    np.testing.assert_array_equal(blob.data, kernel[::-1].ravel())
    again = read_caffemodel(path)
    assert again.input_size == 32
    assert again.layers[1].settings == {"num_output": 2, "pad": 1, "stride": 4}


def test_prototxt_is_what_caffe_prints(tmp_path):
    layer = CaffeLayer('a"b', "LRN", ("data",), ("c",), {"alpha": 1e-4})
    write_prototxt(tmp_path / "net.prototxt", CaffeNet("n", (layer,), 8))
    assert (tmp_path / "net.prototxt").read_text() == (
        'name: "n"\nlayer {\n  name: "data"\n  type: "Input"\n  top: "data"\n'
        "  input_param {\n    shape {\n      dim: 1\n      dim: 3\n"
        "      dim: 8\n      dim: 8\n    }\n  }\n}\n"
        'layer {\n  name: "a\\"b"\n  type: "LRN"\n  bottom: "data"\n'
        '  top: "c"\n  lrn_param {\n    alpha: 0.0001\n  }\n}\n'
    )


def test_double_and_unpacked_data(tmp_path):
    net = caffe_files.message("NetParameter")()
    blob = net.layer.add(name="fc", type="InnerProduct").blobs.add()
    blob.double_data.extend([1.5, 2.5])
    blob.shape.dim.extend([1, 2])
    path = save(net, tmp_path / "net.caffemodel")
    (array,) = read_caffemodel(path).layers[0].blobs
    assert array.dtype == "float32"
    assert array.tolist() == [[1.5, 2.5]]
    # A blob of two floats, each a field of its own: key 0x2d.
    floats = np.array([1.5, 2.5], "<f4")
    blob = b"".join(b"\x2d" + value.tobytes() for value in floats)
    blob += bytes([0x08, 2])
    layer = bytes([0x3A, len(blob)]) + blob
    path.write_bytes(bytes([0xA2, 0x06, len(layer)]) + layer)
    with pytest.raises(ValueError, match=r"shape \(2, 0, 0, 0\)"):
        read_caffemodel(path)
    layer = layer.replace(bytes([0x08, 2]), b"")
    layer = bytes([0x3A, len(blob) + 2]) + blob[:-2] + b"\x3a\x02\x08\x02"
    path.write_bytes(bytes([0xA2, 0x06, len(layer)]) + layer)
    (array,) = read_caffemodel(path).layers[0].blobs
    assert array.tolist() == [1.5, 2.5]


@pytest.mark.parametrize("legacy", [False, True])
def test_binaryproto_mean_image(legacy, tmp_path):
    image = np.arange(60, dtype="float32").reshape(3, 4, 5)
    blob = caffe_files.message("BlobProto")(data=image.ravel())
    if legacy:
        blob.num, blob.channels, blob.height, blob.width = 1, 3, 4, 5
    else:
        blob.shape.dim.extend(image.shape)
    path = save(blob, tmp_path / "mean.binaryproto")
    np.testing.assert_array_equal(read_binaryproto(path), image)


def test_peak_memory_is_about_the_file(tmp_path):
    blobs = tuple(np.ones((1000, count), "float32") for count in (4000, 1000))
    path = tmp_path / "net.caffemodel"
    write_caffemodel(path, CaffeNet("n", (CaffeLayer("a", "b", blobs=blobs),)))
    size = path.stat().st_size
    assert size > 16e6
    del blobs
    tracemalloc.start()
    try:
        net = read_caffemodel(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert net.layers
    assert peak < 1.1 * size


def test_a_file_without_layers_is_refused(tmp_path):
    net = caffe_files.message("NetParameter")(name="empty")
    with pytest.raises(ValueError, match="has no layers"):
        read_caffemodel(save(net, tmp_path / "net.caffemodel"))


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(b"old")
    broken = CaffeLayer("fc", "InnerProduct", blobs=(np.array(["x"]),))
    with pytest.raises(ValueError, match="could not convert"):
        write_caffemodel(path, CaffeNet("n", (broken,)))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
