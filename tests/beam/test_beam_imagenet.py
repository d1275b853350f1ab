"""Preparation by Beam gives the bytes of one process."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
from data.imagenet_like import OPTIONS
from data.imagenet_like import SIDE
from data.imagenet_like import SYNSETS
from data.imagenet_like import contents
from data.imagenet_like import training_images
from data.imagenet_like import write_small

from keras_alexnet import beam
from keras_alexnet.data import prepare_imagenet
from keras_alexnet.data import record_shards

pytest.importorskip("apache_beam")

ROOT = pathlib.Path(__file__).parents[2]
HERE = ["--runner=FnApiRunner"]


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    return write_small(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def prepared(archives, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared") / "set"
    prepare_imagenet(archives, folder, workers=1, **OPTIONS)
    return folder


def test_bytes_are_those_of_one_process(
    archives, prepared, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    # Relative paths, of which workers elsewhere know nothing.
    source = os.path.relpath(archives)
    report = beam.prepare_imagenet(source, "out", HERE, **OPTIONS)
    assert contents(tmp_path / "out") == contents(prepared)
    assert report == json.loads((prepared / "preparation.json").read_text())
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").iterdir()}
    assert beam.prepare_imagenet(source, "out", HERE, **OPTIONS) == report
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_one_way_goes_on_where_the_other_was(archives, prepared, tmp_path):
    write = record_shards._write_shard
    written = []

    def interrupted(shard, *rest):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(shard.path)
        write(shard, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_shards, "_write_shard", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare_imagenet(archives, tmp_path / "out", **OPTIONS)
    before = [path.stat().st_mtime_ns for path in written]
    beam.prepare_imagenet(archives, tmp_path / "out", HERE, **OPTIONS)
    assert contents(tmp_path / "out") == contents(prepared)
    assert [path.stat().st_mtime_ns for path in written] == before


@pytest.mark.slow
def test_an_image_that_cannot_be_decoded(tmp_path):
    train = training_images()
    train[SYNSETS[1]][5] = b"\xff\xd8\xff no image"
    folder = write_small(tmp_path / "archives", train=train)
    messages = []
    for prepare in (prepare_imagenet, beam.prepare_imagenet):
        output = tmp_path / prepare.__module__
        with pytest.raises(ValueError) as error:
            prepare(folder, output, **OPTIONS)
        messages.append(str(error.value))
        assert not (output / "dataset_info.json").exists()
    assert messages[0] == messages[1]
    assert "n02105855_5.JPEG" in messages[0]
    for prepare in (prepare_imagenet, beam.prepare_imagenet):
        output = tmp_path / prepare.__name__ / prepare.__module__
        report = prepare(folder, output, on_error="skip", **OPTIONS)
        messages.append((report, contents(output)))
    assert messages[2] == messages[3]
    (skipped,) = messages[3][0]["skipped"]
    assert skipped.startswith("n02105855_5.JPEG: ")


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"output": "gs://a/b"}, "`output` must be a folder of this machine"),
        ({"workers": 0}, "`workers` must be a positive integer.*=0"),
        ({"options": ["--runner=Other"]}, "`--runner`: .*Other"),
        ({"side": 0}, "`side` must be an integer"),
    ],
)
def test_arguments(arguments, message, archives, tmp_path):
    arguments = {
        "source": archives,
        "output": tmp_path / "out",
        **OPTIONS,
        **arguments,
    }
    with pytest.raises(ValueError, match=message):
        beam.prepare_imagenet(**arguments)
    assert not list(tmp_path.rglob("*.tfrecord*"))


def test_without_beam(archives, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(ImportError, match=r'"keras-alexnet\[beam\]"'):
        beam.prepare_imagenet(archives, tmp_path / "out", **OPTIONS)


def run(script, *arguments):
    return subprocess.run(
        [sys.executable, ROOT / script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
    )


@pytest.mark.slow
def test_a_killed_worker(archives, prepared, tmp_path):
    """The DirectRunner does not go on; a second run does."""
    output = tmp_path / "out"
    script = "tests/beam/prepare_once.py"
    done = run(script, archives, output)
    assert done.returncode == 1 and (tmp_path / "killed").exists()
    assert "RuntimeError: The pipeline ended with an error: " in done.stderr
    finished = {p: p.read_bytes() for p in output.glob("ilsvrc2012-*")}
    assert not [p for p in finished if "-train.tfrecord-00002-" in p.name]
    assert not (output / "dataset_info.json").exists()
    whole = contents(prepared)
    for path, content in finished.items():
        assert whole[path.name] == content
    beam.prepare_imagenet(archives, output, HERE, **OPTIONS)
    assert contents(output) == whole


@pytest.mark.slow
def test_the_example(archives, prepared, tmp_path):
    done = run(
        "examples/prepare_imagenet.py",
        f"--source={archives}",
        f"--output={tmp_path / 'out'}",
        "--expected=any",
        f"--side={SIDE}",
        "--images_per_shard=5",
        "--runner=DirectRunner",
        "--",
        "--direct_running_mode=multi_processing",
        "--direct_num_workers=2",
    )
    assert done.returncode == 0, done.stderr
    assert "train: 24 images" in done.stdout
    assert contents(tmp_path / "out") == contents(prepared)
