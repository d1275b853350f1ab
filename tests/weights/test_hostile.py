"""Files made to break a reader: an error at once, and nothing executed."""

import io
import os
import pickle
import struct
import sys
import time
import tracemalloc
import zipfile

import numpy as np
import pytest

from keras_alexnet.weights.caffe_net import CaffeLayer
from keras_alexnet.weights.caffe_net import CaffeNet
from keras_alexnet.weights.caffemodel import read_binaryproto
from keras_alexnet.weights.caffemodel import read_caffemodel
from keras_alexnet.weights.caffemodel import write_caffemodel
from keras_alexnet.weights.pytorch import LEGACY_HEADERS
from keras_alexnet.weights.state_dict import read_state_dict
from keras_alexnet.weights.state_dict import write_state_dict
from keras_alexnet.weights.unpickling import read_pickle

MEGABYTE = 2**20


def varint(value):
    data = b""
    while value > 0x7F:
        data += bytes([value & 0x7F | 0x80])
        value >>= 7
    return data + bytes([value])


def field(number, data):
    return varint(number * 8 + 2) + varint(len(data)) + data


def layer(blob):
    """A file of one layer with one blob."""
    return field(100, field(1, b"conv1") + field(7, blob))


@pytest.fixture
def refuse(tmp_path):
    """Asserts that a file is refused, within a second and 30 MB."""

    def check(data, read, match):
        path = tmp_path / "hostile"
        path.write_bytes(data)
        # Of the processor's time: the machine may have other work.
        started = time.process_time()
        with pytest.raises(ValueError, match=match):
            read(path)
        assert time.process_time() - started < 1.0
        tracemalloc.start()
        try:
            with pytest.raises(ValueError):
                read(path)
            assert tracemalloc.get_traced_memory()[1] < 30 * MEGABYTE
        finally:
            tracemalloc.stop()
        assert os.listdir(tmp_path) == ["hostile"]

    return check


@pytest.fixture
def small_caffemodel(tmp_path):
    kernel = np.arange(4, dtype="float32").reshape(2, 2)
    layers = (
        CaffeLayer(
            "fc6", "InnerProduct", ("a",), ("b",), {"num_output": 2}, (kernel,)
        ),
        CaffeLayer("norm1", "LRN", ("b",), ("c",), {"alpha": 1e-4}),
    )
    path = tmp_path / "small"
    write_caffemodel(path, CaffeNet("tiny", layers, 8))
    data = path.read_bytes()
    path.unlink()
    return data


@pytest.mark.parametrize(
    "data, match",
    [
        # A blob of 2 GiB in a file of some bytes.
        (
            field(100, varint(7 * 8 + 2) + varint(2**31) + b"x" * 900),
            "2147483648 bytes begins where only",
        ),
        (layer(varint(5 * 8 + 2) + varint(2**63)), "begins where only"),
        (layer(field(7, varint(8) + varint(2**62))), "0 values are there"),
        (layer(field(7, (varint(8) + varint(2**40)) * 3)), "0 values"),
        # A negative side, and more sides than Caffe allows.
        (layer(varint(8) + b"\xff" * 9 + b"\x01"), "0 values are there"),
        (
            layer(
                field(7, varint(8) + b"\x01") * 1 + field(7, b"\x08\x01" * 33)
            ),
            "0 values are there",
        ),
        (layer(field(5, b"abc")), "not a whole number of values"),
        (layer(varint(5 * 8) + b"\x01"), "`data` has wire type 0"),
        (field(100, varint(1 * 8 + 5) + b"abcd"), "`name` has wire type 5"),
        (b"\xff" * 20, "more than ten bytes"),
        (b"\x03\x04", "no field 0"),
        (b"\x4b\x4c", "no field 9 of wire type 3"),
        (b"\x07", "no field 0 of wire type 7"),
        (b"\x29abc", "is cut off"),
        (b"\x78\x01" * 10**6, "more than 100000 fields"),
        (field(100, b"") * 200_000, "more than 100000 fields"),
        (field(1, b"x" * 10**6), "`name` has 1000000 bytes"),
        (b"", "has no layers"),
        (b"<!DOCTYPE html><html>Not found</html>", "not a Caffe file"),
    ],
)
def test_caffemodels_that_lie(data, match, refuse):
    refuse(data, read_caffemodel, match)


def test_a_shape_of_many_sides(refuse):
    data = field(7, b"\x08\x01" * 60) + field(5, struct.pack("<f", 1.0))
    refuse(layer(data), read_caffemodel, "1 values are there")


def test_nesting_beyond_the_schema_is_not_followed(refuse):
    data = b""
    for _ in range(2000):
        data = field(100, data)
    # The outermost is a layer; what is inside of it is no known field.
    refuse(data, read_binaryproto, "0 values|stated to have")


def test_every_truncation_and_every_flipped_bit(small_caffemodel, tmp_path):
    path = tmp_path / "damaged"
    sound = small_caffemodel
    variants = [sound[:end] for end in range(len(sound))]
    for position in range(len(sound)):
        for bit in range(8):
            flipped = bytearray(sound)
            flipped[position] ^= 1 << bit
            variants.append(bytes(flipped))
    refused = 0
    for data in variants:
        path.write_bytes(data)
        try:
            net = read_caffemodel(path)
        except ValueError as error:
            assert str(path) in str(error)
            refused += 1
        else:
            assert sum(b.size for one in net.layers for b in one.blobs) <= 8
    assert refused > len(sound)


class Evil:
    """Unpickling this would run a command."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def zipped(data_pickle, compression=zipfile.ZIP_STORED, **records):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data_pickle)
        for name, data in records.items():
            archive.writestr(f"archive/data/{name}", data)
    return file.getvalue()


def legacy(object_pickle, rest=b""):
    parts = [pickle.dumps(value, 2) for value in LEGACY_HEADERS]
    parts += [pickle.dumps({"little_endian": True}, 2), object_pickle]
    return b"".join(parts) + rest


def tensor_pickle(count=4, size=(2, 2), stride=(2, 1), offset=0):
    """A state dict `{"a": tensor}`, in the instructions of a pickle."""

    def numbers(values):
        return pickle.dumps(values, 2)[2:-1].replace(b"q\x00", b"")

    storage = (
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
        b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + numbers(count) + b"tQ"
    )
    return (
        b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + numbers(offset)
        + numbers(size)
        + numbers(stride)
        + b"\x89}tRs."
    )


@pytest.fixture(params=["with torch", "without torch"])
def torch_or_not(request, monkeypatch):
    if request.param == "without torch":
        monkeypatch.setitem(sys.modules, "torch", None)
    else:
        pytest.importorskip("torch")


@pytest.mark.parametrize("wrap", [zipped, legacy])
@pytest.mark.parametrize("protocol", [2, 4])
def test_nothing_is_executed(wrap, protocol, refuse, torch_or_not, tmp_path):
    marker = tmp_path.parent / "executed"
    hostile = pickle.dumps({"state_dict": Evil(marker)}, protocol)
    refuse(wrap(hostile), read_state_dict, r"calls posix\.system")
    assert not marker.exists()
    # The fixture would have seen it.
    pickle.loads(hostile)
    assert marker.exists()
    marker.unlink()


def test_the_handmade_pickle_is_sound(torch_or_not, tmp_path):
    path = tmp_path / "a.pth"
    data = struct.pack("<4f", 0, 1, 2, 3)
    path.write_bytes(zipped(tensor_pickle(), **{"0": data}))
    found = read_state_dict(path)
    assert found["a"].tolist() == [[0.0, 1.0], [2.0, 3.0]]
    rest = b"\x80\x02]X\x01\x00\x00\x000a." + struct.pack("<q", 4) + data
    path.write_bytes(legacy(tensor_pickle(), rest))
    assert read_state_dict(path)["a"].tolist() == [[0.0, 1.0], [2.0, 3.0]]


@pytest.mark.parametrize(
    "change, match",
    [
        ({"size": (2, 3)}, "reaches out"),
        ({"offset": 1}, "reaches out"),
        ({"stride": (4, 1)}, "reaches out"),
        ({"size": (10**6, 10**6), "stride": (0, 0)}, "reaches out"),
        ({"size": (-1, 2)}, "for a count"),
        ({"offset": -1}, "for a count"),
        ({"count": 2**29}, "cut off|in the middle"),
        ({"count": 2**60}, "cut off|in the middle"),
        ({"count": -1}, "for a count"),
        ({"size": 4}, "cannot be read"),
        ({"size": (2.0, 2.0)}, "a float for a count"),
        ({"size": (1,) * 70, "stride": (1,) * 70}, "rank 70"),
    ],
)
@pytest.mark.parametrize("format", ["zip", "legacy"])
def test_tensors_that_lie(format, change, match, refuse, torch_or_not):
    pickled = tensor_pickle(**change)
    data = struct.pack("<4f", 0, 1, 2, 3)
    if format == "zip":
        hostile = zipped(pickled, **{"0": data})
    else:
        keys = b"\x80\x02]X\x01\x00\x00\x000a."
        hostile = legacy(pickled, keys + struct.pack("<q", 4) + data)
    refuse(hostile, read_state_dict, match)


def test_zip_bombs(refuse, torch_or_not):
    bomb = zipped(
        tensor_pickle(10**8, (10**8,), (1,)),
        zipfile.ZIP_DEFLATED,
        **{"0": bytes(20 * MEGABYTE)},
    )
    assert len(bomb) < MEGABYTE
    refuse(bomb, read_state_dict, "is compressed")


def test_overlapping_records(refuse, torch_or_not):
    data = zipped(tensor_pickle(), **{"0": bytes(16)})
    # The directory's entry for the storage claims 2 GiB.
    at = data.rindex(b"PK\x01\x02")
    hostile = bytearray(data)
    hostile[at + 20 : at + 28] = struct.pack("<II", 2**31, 2**31)
    refuse(bytes(hostile), read_state_dict, "larger than the file")


def test_paths_lead_nowhere(refuse, torch_or_not, tmp_path):
    hostile = zipped(
        tensor_pickle(), **{"../../../../escaped": b"x", "0/../0": b"y"}
    )
    refuse(hostile, read_state_dict, "no storage '0'")
    assert not (tmp_path.parent / "escaped").exists()


@pytest.mark.parametrize("wrap", [zipped, legacy])
def test_truncated_archives(wrap, torch_or_not, tmp_path):
    data = struct.pack("<4f", 0, 1, 2, 3)
    if wrap is zipped:
        sound = zipped(tensor_pickle(), **{"0": data})
    else:
        keys = b"\x80\x02]X\x01\x00\x00\x000a."
        sound = legacy(tensor_pickle(), keys + struct.pack("<q", 4) + data)
    path = tmp_path / "a.pth"
    for end in range(0, len(sound), 3):
        path.write_bytes(sound[:end])
        with pytest.raises(ValueError, match="cannot be read"):
            read_state_dict(path)


@pytest.mark.parametrize(
    "pickled, match",
    [
        # Tuples in tuples, 40,000 deep, as the key of a dict.
        (b"\x80\x02})" + b"\x85" * 40_000 + b"K\x01s.", "no string"),
        (b"\x80\x02]K\x01R.", "calls a list"),
        (b"\x80\x02" + b"0" * 100 + b".", "has the instruction POP"),
        (b"\x80\x02K\x01" + b"q\x00" * 10**6, "too many instructions"),
        (b"\x80\x02K\x01" + b"(" * 10**6 + b".", "too many"),
        (b"\x80\x04\x8e" + struct.pack("<q", 2**62) + b"x.", "cannot be read"),
        (b"\x80\x02\x8b\xff\xff\xff\x7fx.", "cannot be read"),
        (b"\x80\x02X\xff\xff\xff\x7fx.", "cannot be read"),
        (b"\x80\x02ios\nsystem\n.", "has the instruction INST"),
        (b"\x80\x02cos\nsystem\n(X\x02\x00\x00\x00idtR.", r"calls os\.system"),
        (b"\x80\x02t.", "cannot be read"),
        (b"\x80\x02.", "cannot be read"),
        (b"\x80\x02K\x01", "cannot be read"),
        (b"\x80\x02h\x05.", "cannot be read"),
        (b"\x80\x02}K\x01a.", "no list"),
        (b"", "cannot be read"),
        (b"\x80\x02(X\x06\x00\x00\x00module)K\x01K\x01K\x01tQ.", "cannot be"),
    ],
)
def test_pickles_that_are_none(pickled, match, refuse):
    def read(path):
        return read_pickle(path.read_bytes())

    refuse(pickled, read, match)


def test_large_memo_numbers_take_no_memory():
    pickled = b"\x80\x02K\x07r\xff\xff\xff\x7f0."
    with pytest.raises(ValueError, match="POP"):
        read_pickle(pickled)
    assert read_pickle(b"\x80\x02K\x07r\xff\xff\xff\x7f.").value == 7


def test_safetensors_that_lie(refuse, tmp_path):
    write_state_dict(tmp_path / "hostile", {"a": np.ones(4, "float32")})
    sound = (tmp_path / "hostile").read_bytes()
    (tmp_path / "hostile").unlink()
    for hostile in (
        struct.pack("<q", 2**40) + b"{" + sound[9:],
        sound.replace(b"[4]", b"[9]"),
        sound.replace(b"[0,16]", b"[0,96]"),
        sound[:-1],
    ):
        assert hostile != sound
        refuse(hostile, read_state_dict, "cannot be read as safetensors")
