"""Evaluation by Beam gives the answers of one process, bit for bit."""

import functools
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from beam.beam_networks import grouped

from keras_alexnet.beam import evaluate_split
from keras_alexnet.data import evaluation_data
from keras_alexnet.data import image_size
from keras_alexnet.data import load_source
from keras_alexnet.evaluation import answers
from keras_alexnet.evaluation import read_answers

pytest.importorskip("apache_beam")
pytest.importorskip("pyarrow")
pytest.importorskip("PIL.Image", reason="writes pictures")

ROOT = pathlib.Path(__file__).parents[2]
HERE = ["--runner=FnApiRunner"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten classes of three images each, one of which is damaged."""
    from data.pictures import encode
    from data.pictures import picture

    place = tmp_path_factory.mktemp("pictures")
    for split, count in (("train", 1), ("test", 3)):
        for label in range(10):
            (place / split / str(label)).mkdir(parents=True)
            for index in range(count):
                image = picture(120, 140, 10 * index + label)
                content = encode(image, "JPEG", quality=90)
                if (split, label, index) == ("test", 4, 1):
                    content = content[: len(content) // 2] + content[-40:]
                path = place / split / str(label) / f"{index}.jpg"
                path.write_bytes(content)
    return place


def test_answers_and_errors_are_those_of_one_process(folder, tmp_path):
    source = load_source(folder)
    model = grouped()
    data = evaluation_data(source, batch_size=4, resize=image_size(model))
    kinds = ("ten", "center")
    found, damaged = evaluate_split(
        grouped,
        functools.partial(load_source, folder),
        tmp_path / "answers.parquet",
        views=kinds,
        batch_size=4,
        shards=3,
        options=HERE,
    )
    (line,) = damaged
    assert line.startswith(f"{folder}/test/4/1.jpg\tCorrupt JPEG")
    for errors, kind in zip(found, kinds, strict=True):
        want = answers(model, data, kind, source.class_names)
        files = sorted(tmp_path.glob(f"answers-{kind}-*"))
        assert [file.name[-17:] for file in files] == [
            f"-0000{i}-of-00003.parquet"[-17:] for i in range(3)
        ]
        parts = [read_answers(file, kind, source.class_names) for file in files]
        np.testing.assert_array_equal(
            np.concatenate([part.probabilities for part, _, _ in parts]),
            want.probabilities,
        )
        names = [name for _, examples, _ in parts for name in examples]
        assert names == source.split("test").names() and len(set(names)) == 30
        assert str(errors) == str(want.errors())
        assert errors.table() == want.errors().table()
        np.testing.assert_array_equal(errors.labels, want.labels)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"output": "a.npz"}, "`output` must end in .parquet.*'a.npz'"),
        ({"views": "ten"}, "`views` must be one or more of.*views='ten'"),
        ({"views": ["five"]}, r"`views` must be one or more.*\['five'\]"),
        ({"batch_size": 0}, "`batch_size` must be a positive.*batch_size=0"),
        ({"shards": -1}, "`shards` must be a positive integer.*shards=-1"),
        ({"split": "other"}, "`split` must be one of.*'other'"),
    ],
)
def test_arguments(changes, message, folder, tmp_path):
    arguments = {
        "load": lambda: keras.Sequential([keras.Input((8, 8, 3))]),
        "open_source": functools.partial(load_source, folder),
        "output": tmp_path / "a.parquet",
        "options": HERE,
        **changes,
    }
    with pytest.raises(ValueError, match=message):
        evaluate_split(**arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_example(folder, tmp_path):
    """The same printed text, and the same rows, in one process and in two."""
    grouped().save(tmp_path / "net.keras")
    printed = []
    for place, more in (
        ("one", []),
        (
            "two",
            [
                "--shards=2",
                "--runner=DirectRunner",
                "--",
                "--direct_running_mode=multi_processing",
                "--direct_num_workers=2",
            ],
        ),
    ):
        done = subprocess.run(
            [
                sys.executable,
                ROOT / "examples" / "evaluate.py",
                f"--model={tmp_path / 'net.keras'}",
                f"--dataset={folder}",
                "--views=center",
                "--batch_size=8",
                f"--answers={tmp_path / place / 'answers.parquet'}",
                *more,
            ],
            capture_output=True,
            text=True,
            timeout=600,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout)
    assert printed[0] == printed[1] and "center view, n = 30" in printed[0]
    assert "Damaged, and judged as far as decoded: 1" in printed[0]
    (one,) = (tmp_path / "one").glob("*.parquet")
    assert one.name == "answers-center.parquet"
    two = sorted((tmp_path / "two").glob("*.parquet"))
    rows = [read_answers(file, "center", range(10)) for file in (one, *two)]
    np.testing.assert_array_equal(
        rows[0][0].probabilities,
        np.concatenate([part.probabilities for part, _, _ in rows[1:]]),
    )
    assert rows[0][1] == rows[1][1] + rows[2][1]
