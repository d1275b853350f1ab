"""Files of `torch.save`, with PyTorch at hand and without."""

import collections
import pickle
import sys
import zipfile

import numpy as np
import pytest

from keras_alexnet.weights.pytorch import read_pth
from keras_alexnet.weights.unpickling import read_pickle

torch = pytest.importorskip("torch")


@pytest.fixture(params=["with torch", "without torch"])
def reader(request, monkeypatch):
    """`read_pth`, in turn where PyTorch is installed and where it is not."""

    def read(path):
        with monkeypatch.context() as patch:
            if request.param == "without torch":
                patch.setitem(sys.modules, "torch", None)
            return read_pth(path)

    return read


def tensors():
    """One tensor of each kind that a state dict may hold."""
    torch.manual_seed(0)
    return {
        "float32": torch.randn(4, 3, 5, 5),
        "parameter": torch.nn.Parameter(torch.randn(3)),
        "bfloat16": torch.randn(3, 4).bfloat16(),
        "half": torch.randn(2).half(),
        "double": torch.randn(2).double(),
        "integer": torch.arange(3),
        "boolean": torch.tensor([True, False]),
        "transposed": torch.randn(3, 4).T,
        "view": torch.randn(10)[3:7],
        "strided": torch.randn(10)[1::3],
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2.5),
    }


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda named: named,
        lambda named: {
            "epoch": 90,
            "arch": "alexnet",
            "state_dict": collections.OrderedDict(named),
            "best_acc1": torch.tensor(56.5),
            "optimizer": {"param_groups": [{"lr": 0.01, "params": [0, 1]}]},
        },
    ],
    ids=["state dict", "checkpoint"],
)
def test_both_formats(reader, wrap, protocol, zipped, tmp_path):
    named = tensors()
    path = tmp_path / "weights.pth"
    torch.save(
        wrap(named),
        path,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=zipped,
    )
    found = reader(path)
    assert found.keys() == named.keys()
    for name, tensor in named.items():
        if tensor.dtype == torch.bfloat16:
            tensor = tensor.float()
        wanted = tensor.detach().numpy()
        assert found[name].dtype == wanted.dtype
        if wanted.size:
            np.testing.assert_array_equal(found[name], wanted)


def test_state_dict_of_a_module_has_metadata(reader, tmp_path):
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    torch.save(module.state_dict(), tmp_path / "weights.pth")
    assert set(reader(tmp_path / "weights.pth")) == {"0.weight", "0.bias"}


def test_big_endian_files(monkeypatch, tmp_path):
    sound, path = tmp_path / "little.pth", tmp_path / "big.pth"
    torch.save({"a": torch.arange(4.0)}, sound)
    with zipfile.ZipFile(sound) as old, zipfile.ZipFile(path, "w") as new:
        for record in old.namelist():
            data = old.read(record)
            if record.endswith("byteorder"):
                data = b"big"
            elif "/data/" in record:
                data = np.frombuffer(data, "<f4").astype(">f4").tobytes()
            new.writestr(record, data)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert read_pth(path)["a"].tolist() == [0.0, 1.0, 2.0, 3.0]


def test_pytorch_is_not_asked(monkeypatch, tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "a.pth")
    monkeypatch.setattr(torch, "load", None)
    assert read_pth(tmp_path / "a.pth")["a"].tolist() == [1.0, 1.0]


def test_tensors_that_are_larger_than_their_file_are_refused(tmp_path):
    """Views that repeat numbers; a reader that follows them fills memory."""
    for kind in (torch.float32, torch.bfloat16):
        one = torch.zeros(1, dtype=kind)
        torch.save({"a": one.expand(2**20, 2**10)}, tmp_path / "a.pth")
        with pytest.raises(ValueError, match="reaches out of its storage"):
            read_pth(tmp_path / "a.pth")


def test_a_whole_model_is_refused(reader, tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pth")
    with pytest.raises(
        ValueError, match=r"torch\.nn\.modules.*Save `model\.state_dict\(\)`"
    ):
        reader(tmp_path / "model.pth")


def test_a_file_without_names_is_refused(reader, tmp_path):
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="no named tensors"):
        reader(tmp_path / "list.pth")


def test_python_2_pickles_are_read():
    # What Python 2 wrote for OrderedDict([("a", 1)]), with byte strings.
    data = (
        b"\x80\x02ccollections\nOrderedDict\nq\x00]q\x01]q\x02"
        b"(U\x01aq\x03K\x01ea\x85q\x04Rq\x05."
    )
    assert read_pickle(data).value == {"a": 1}


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_plain_values_agree_with_pickle(protocol):
    value = {"a": [1, -2, 2**40, 2.5, None, True], "b": ((), (1,), (1, 2, 3))}
    value["again"] = value["a"]
    pickled = pickle.dumps(value, protocol)
    read = read_pickle(pickled + b"rest")
    assert read.value == value
    assert read.length == len(pickled)
