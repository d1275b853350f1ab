"""Two runs with one name, neither of which gets files of the other."""

import json
import pickle

import pytest
from beam.beam_networks import cifar

from keras_alexnet.beam.features import FeatureShards
from keras_alexnet.beam.features import Shard
from keras_alexnet.beam.finished import claim

ONE = {"layer": "conv4", "version": "of one network"}
OTHER = {"layer": "conv4", "version": "of another"}


def test_the_same_may_go_on(tmp_path):
    stem = str(tmp_path / "features")
    check = claim(stem, ONE, [])
    again = claim(stem, ONE, [])
    check()
    again()


@pytest.mark.parametrize("scheme", ["", "ram:/"])
def test_another_run_that_begins_meanwhile(scheme, tmp_path):
    stem = f"{scheme}{tmp_path}/features"
    check = claim(stem, ONE, [f"{stem}-00000-of-00001.tfrecord"])
    other = claim(stem, OTHER, [f"{stem}-00000-of-00001.tfrecord"])
    # Workers get it in this way.
    with pytest.raises(RuntimeError, match="features.json is of it now"):
        pickle.loads(pickle.dumps(check))()
    other()


def test_its_files_do_not_appear(tmp_path):
    stem = str(tmp_path / "features")
    shard = Shard(f"{stem}-00000-of-00001.tfrecord", 0, 1)
    (tmp_path / "images.txt").write_text("absent.png\n")
    write = FeatureShards(cifar, "conv4", 2, str(tmp_path / "images.txt"))
    write.check = claim(stem, ONE, [shard.file])
    claim(stem, OTHER, [shard.file])
    before = sorted(tmp_path.iterdir())
    with pytest.raises(RuntimeError, match="Another run was begun meanwhile"):
        write(shard._replace(size=11))
    assert sorted(tmp_path.iterdir()) == before


def test_finished_files_of_something_else(tmp_path):
    stem = str(tmp_path / "features")
    claim(stem, ONE, [])
    (tmp_path / "features-00000-of-00001.tfrecord").touch()
    files = [f"{stem}-00000-of-00001.tfrecord"]
    with pytest.raises(ValueError, match="version: of one network there, of a"):
        claim(stem, OTHER, files)
    claim(stem, ONE, files)


@pytest.mark.parametrize(
    "content", [b"[1, 2]", b"\xff", b"{}", b'{"layer": 1}']
)
def test_a_file_of_somebody_else(content, tmp_path):
    """Nothing tells that it is ours, and it stays."""
    path = tmp_path / "features.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="features.json would be replaced"):
        claim(str(tmp_path / "features"), ONE, [])
    assert path.read_bytes() == content
    path.write_text(json.dumps(OTHER))
    claim(str(tmp_path / "features"), ONE, [])
