"""Features by Beam are those of one process, bit for bit."""

import functools
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from beam.beam_networks import cifar
from beam.beam_networks import columns
from beam.beam_networks import counted
from beam.beam_networks import grouped
from retrieval.colored_pictures import write_pictures

from keras_alexnet.beam import extract_features
from keras_alexnet.beam import features
from keras_alexnet.data import image_files
from keras_alexnet.retrieval import FeatureExtractor
from keras_alexnet.retrieval import FeatureWriter
from keras_alexnet.retrieval import feature_rows

pytest.importorskip("apache_beam")
parquet = pytest.importorskip("pyarrow.parquet")
pytest.importorskip("PIL.Image", reason="writes pictures")

ROOT = pathlib.Path(__file__).parents[2]
HERE = ["--runner=FnApiRunner"]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Thirteen images, the last of which is none."""
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder, count=4)
    (folder / "red" / "broken.png").write_bytes(b"no image")
    return [str(path) for path in image_files(folder, [], {})]


def table(files):
    """Paths, features and problems of several files."""
    tables = [parquet.read_table(file) for file in files]
    return tuple(
        np.concatenate([np.array(t[name].to_pylist()) for t in tables])
        for name in ("path", "features", "problem")
    )


def in_one_process(load, layer, paths, batch_size):
    extract = FeatureExtractor(load(), layer, batch_size)
    rows, problems = zip(*feature_rows(extract, paths), strict=True)
    return np.concatenate(rows), sum(problems, [])


@pytest.mark.parametrize(
    "load, layer",
    [
        pytest.param(grouped, "fc7", marks=pytest.mark.slow),
        pytest.param(columns, "fc6", marks=pytest.mark.slow),
        (cifar, "conv4"),
    ],
    ids=["grouped", "columns", "cifar"],
)
def test_rows_are_those_of_one_process(load, layer, paths, tmp_path):
    if load is columns and keras.backend.backend() != "tensorflow":
        pytest.skip("columns are TensorFlow's")
    want, problems = in_one_process(load, layer, paths, 3)
    output = tmp_path / "of" / "features.parquet"
    found = extract_features(
        paths, output, load, layer, batch_size=3, shards=3, options=HERE
    )
    names, rows, said = table(found["files"])
    assert [pathlib.Path(file).name for file in found["files"]] == [
        f"features-0000{i}-of-00003.parquet" for i in range(3)
    ]
    assert names.tolist() == paths and said.tolist() == problems
    np.testing.assert_array_equal(rows, want)
    assert np.isnan(rows[-1]).all() and np.isfinite(rows[:-1]).all()
    assert rows[:-1].std() > 0
    assert found["images"] == 13 and found["width"] == rows.shape[1]
    (line,) = (output.parent / "features-problems.txt").read_text().splitlines()
    assert found["problems"] == [line]
    assert line.startswith(f"{paths[-1]}\tUnknown image file format")


@pytest.mark.parametrize(
    "ending",
    [pytest.param(".parquet", marks=pytest.mark.slow), ".tfrecord"],
)
def test_one_file_has_the_bytes_of_the_local_one(ending, paths, tmp_path):
    rows, problems = in_one_process(grouped, "fc7", paths, 4)
    local = tmp_path / f"local{ending}"
    with FeatureWriter(local, rows.shape[1]) as writer:
        # However many come at a time.
        for start in range(0, len(paths), 5):
            part = slice(start, start + 5)
            writer.add(paths[part], rows[part], problems[part])
    found = extract_features(
        paths,
        tmp_path / f"beam{ending}",
        grouped,
        batch_size=4,
        options=HERE,
    )
    (file,) = found["files"]
    assert file.endswith(f"beam-00000-of-00001{ending}")
    assert pathlib.Path(file).read_bytes() == local.read_bytes()


def test_remote_files(paths, tmp_path):
    """TensorFlow's files in memory stand for those of a cloud."""
    for path in paths:
        tf.io.gfile.copy(path, f"ram://set/{os.path.basename(path)}", True)
    names = ["ram://set/0.png", "ram://set/absent.png", "ram://set/1.png"]
    found = extract_features(
        names, "ram://out/f.tfrecord", grouped, batch_size=2, options=HERE
    )
    assert found["files"] == ["ram://out/f-00000-of-00001.tfrecord"]
    (problem,) = found["problems"]
    assert problem.startswith("ram://set/absent.png\t") and len(problem) > 25
    records = tf.data.TFRecordDataset(found["files"])
    examples = [tf.train.Example.FromString(r.numpy()) for r in records]
    assert [
        e.features.feature["path"].bytes_list.value[0].decode()
        for e in examples
    ] == names
    assert not tf.io.gfile.glob("ram://out/.*")


def test_what_is_finished_is_kept(paths, tmp_path):
    log = tmp_path / "log"
    ask = functools.partial(
        extract_features,
        paths,
        tmp_path / "f.parquet",
        functools.partial(counted, log),
        batch_size=2,
        shards=4,
        options=HERE,
    )
    first = ask()
    # Here the pipeline runs in this process, which loads it once in all.
    assert len(log.read_text().splitlines()) == 1
    before = [os.stat(file).st_mtime_ns for file in first["files"]]
    whole = pathlib.Path(first["files"][1]).read_bytes()
    os.unlink(first["files"][1])
    (tmp_path / f".{'0' * 16}-f-00001-of-00004.parquet").write_bytes(b"half")
    # The files of an output of a similar name are not this one's.
    (tmp_path / "f-x-00000-of-00004.parquet").write_bytes(b"")
    assert ask() == first
    after = [os.stat(file).st_mtime_ns for file in first["files"]]
    assert [a == b for a, b in zip(after, before, strict=True)] == [
        True,
        False,
        True,
        True,
    ]
    assert pathlib.Path(first["files"][1]).read_bytes() == whole
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    for changed, message in (
        ({"layer": "fc6"}, "layer: fc7 there, fc6 asked for"),
        ({"batch_size": 3}, "batch_size: 2 there, 3 asked for"),
        ({"version": "new"}, "version:  there, new asked for"),
    ):
        with pytest.raises(ValueError, match=message):
            ask(**changed)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"output": "f.npy"}, "must end in .parquet or .tfrecord.*'f.npy'"),
        ({"batch_size": 0}, "`batch_size` must be a positive.*batch_size=0"),
        ({"shards": True}, "`shards` must be a positive integer.*shards=True"),
        ({"paths": ["a\nb"]}, r"must not have line breaks.*'a\\nb'"),
        ({"paths": ["a\udcff"]}, r"names that are UTF-8.*'a\\udcff'"),
        ({"layer": "fc9"}, "`layer` must name a layer.*'fc9'"),
        ({"options": ["--runner=No"]}, "`--runner`: .*No"),
        ({"options": "--runner=A"}, "`options` must be strings.*'--runner=A'"),
        ({"options": ["x"]}, r"`options` must be strings.*\['x'\]"),
        (
            {"options": ["--direct_running_mode=fast"]},
            "Beam does not take these options: --direct_running_mode=fast",
        ),
        ({"paths": ["no.png"]}, "No image can be read. The first: no.png"),
    ],
)
def test_arguments(changes, message, paths, tmp_path):
    arguments = {
        "paths": paths[:2],
        "output": tmp_path / "f.parquet",
        "load": cifar,
        "layer": "conv4",
        **changes,
    }
    if "options" not in changes:
        arguments["options"] = HERE
    with pytest.raises(ValueError, match=message):
        extract_features(**arguments)
    assert not list(tmp_path.glob("f-0*")) or "paths" in changes


def test_an_error_of_a_worker(paths, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr(features, "writing", full)
    with pytest.raises(RuntimeError, match="(?s)ended with an error: .*space"):
        extract_features(
            paths, tmp_path / "f.parquet", cifar, "conv4", options=HERE
        )
    assert not list(tmp_path.glob("*.parquet"))


def test_without_beam(paths, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(
        ImportError, match=r'pip install "keras-alexnet\[beam\]"'
    ):
        extract_features(paths, tmp_path / "f.parquet", cifar, "conv4")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_killed_worker(paths, tmp_path):
    """The DirectRunner does not go on; a second run does."""
    folder = pathlib.Path(paths[0]).parents[1]
    output, log = tmp_path / "f.parquet", tmp_path / "log"
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "tests" / "beam" / "extract_once.py",
            *map(str, (folder, output, log)),
        ],
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
    )
    assert done.returncode == 1, done.stdout
    assert "RuntimeError: The pipeline ended with an error: " in done.stderr
    assert (tmp_path / "f-images.killed").exists()
    # Each worker loads the network once, and so does the process that waits.
    loads = log.read_text().splitlines()
    assert len(loads) == len(set(loads)) in (2, 3)
    finished = {p: p.read_bytes() for p in tmp_path.glob("f-0*")}
    assert not [p for p in finished if "-00002-of-" in p.name]
    assert list(tmp_path.glob(".*-f-00002-of-00006.parquet"))
    assert not (tmp_path / "f-problems.txt").exists()
    found = extract_features(
        paths, output, grouped, batch_size=2, shards=6, options=HERE
    )
    assert len(found["files"]) == 6 and len(found["problems"]) == 1
    for path, content in finished.items():
        assert path.read_bytes() == content
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
    want, problems = in_one_process(grouped, "fc7", paths, 2)
    names, rows, said = table(found["files"])
    assert names.tolist() == paths and said.tolist() == problems
    np.testing.assert_array_equal(rows, want)
