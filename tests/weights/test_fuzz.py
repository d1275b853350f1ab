"""Sound files, damaged at random: a reader returns or raises ValueError."""

import os
import sys
import time

import numpy as np
import pytest

from keras_alexnet.weights.caffe_net import CaffeLayer
from keras_alexnet.weights.caffe_net import CaffeNet
from keras_alexnet.weights.caffemodel import read_binaryproto
from keras_alexnet.weights.caffemodel import read_caffemodel
from keras_alexnet.weights.caffemodel import write_caffemodel
from keras_alexnet.weights.prototxt import read_prototxt
from keras_alexnet.weights.state_dict import read_state_dict
from keras_alexnet.weights.state_dict import write_state_dict

hypothesis = pytest.importorskip("hypothesis")
st = hypothesis.strategies
torch = pytest.importorskip("torch")
caffe_files = pytest.importorskip("caffe_files")
caffe_nets = pytest.importorskip("caffe_nets")

pytestmark = pytest.mark.slow

# Of each kind of file; 72000 make a million in all, in some hours.
MUTATIONS = int(os.environ.get("KERAS_ALEXNET_MUTATIONS", 500))


def caffe_2(path):
    kernel = np.ones((2, 2), "float32")
    layer = CaffeLayer(
        "fc6", "InnerProduct", ("a",), ("b",), {"num_output": 2}, (kernel,)
    )
    write_caffemodel(path, CaffeNet("tiny", (layer,), 8))


def caffe_old(generation):
    def write(path):
        net, _ = caffe_files.alexnet(
            generation, filters=(2,) * 5, units=(2, 2), classes=2, map_size=1
        )
        path.write_bytes(net.SerializeToString())

    return write


def mean_image(path):
    blob = caffe_files.message("BlobProto")(data=range(12), num=1, channels=3)
    blob.height = blob.width = 2
    path.write_bytes(blob.SerializeToString())


def pytorch(zipped):
    def write(path):
        named = {"a": torch.ones(2, 2), "b": torch.zeros(3).half()}
        torch.save(
            {"state_dict": named, "epoch": 1},
            path,
            _use_new_zipfile_serialization=zipped,
        )

    return write


def safetensors(path):
    write_state_dict(path, {"a": np.ones((2, 2), "float32")})


def prototxt(path):
    path.write_text(caffe_nets.googlenet(width=1 / 32).text[:4000] + "}")
    # Whole layers only: what is cut off is an error of its own.
    text = path.read_text()
    path.write_text(text[: text.rindex("layer {")])


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["replace", "insert", "delete", "truncate"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=10),
    ),
    min_size=1,
    max_size=6,
)


def damage(data, edits):
    for kind, place, patch in edits:
        at = int(place * len(data))
        keep = at + len(patch) if kind != "insert" else at
        if kind == "truncate":
            patch, keep = b"", len(data)
        elif kind == "delete":
            patch = b""
        data = data[:at] + patch + data[keep:]
    return data


@pytest.mark.parametrize(
    "write, read",
    [
        (caffe_2, read_caffemodel),
        (caffe_old(1), read_caffemodel),
        (caffe_old(0), read_caffemodel),
        (mean_image, read_binaryproto),
        (pytorch(zipped=True), read_state_dict),
        (pytorch(zipped=False), read_state_dict),
        (safetensors, read_state_dict),
        (prototxt, read_prototxt),
    ],
    ids=[
        *("caffe 2", "caffe 1", "caffe 0", "mean", "zip", "legacy", "safe"),
        "prototxt",
    ],
)
@pytest.mark.parametrize("with_torch", [True, False])
def test_damaged_files(write, read, with_torch, tmp_path, monkeypatch):
    path = tmp_path / "file"
    write(path)
    sound = path.read_bytes()
    if not with_torch:
        monkeypatch.setitem(sys.modules, "torch", None)
    refused = []

    @hypothesis.settings(max_examples=MUTATIONS, deadline=None, database=None)
    @hypothesis.given(EDITS)
    def check(edits):
        path.write_bytes(damage(sound, edits))
        started = time.process_time()
        try:
            read(path)
        except ValueError as error:
            refused.append(str(error))
        assert time.process_time() - started < 1.0

    check()
    assert len(refused) > 50
