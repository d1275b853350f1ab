import numpy as np
import pytest
import tensorflow as tf

from keras_alexnet.data.record_files import NAME
from keras_alexnet.data.record_files import RecordFiles
from keras_alexnet.data.record_files import find_positions
from keras_alexnet.data.record_files import write_lengths


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "keras_alexnet"


def write(path, records):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return str(path)


@pytest.fixture
def paths(tmp_path):
    contents = [[b"one", b"", b"three"], [], [b"four" * 100]]
    return [
        write(tmp_path / f"{i}.tfrecord", records)
        for i, records in enumerate(contents)
    ]


def records(files, count):
    return [files.read(*row) for row in files.positions(count)]


def test_records_are_those_that_were_written(paths, home):
    expected = [b"one", b"", b"three", b"four" * 100]
    assert records(RecordFiles(paths), 4) == expected
    # What was found is kept.
    assert len(list(home.iterdir())) == 1
    assert records(RecordFiles(paths), 4) == expected


def test_stored_lengths_give_the_same_positions(paths, home, tmp_path):
    found = find_positions(paths)
    write_lengths(tmp_path, paths)
    np.testing.assert_array_equal(RecordFiles(paths).positions(4), found)
    # A split has some of the files, in an order of its own.
    (position,) = RecordFiles(paths[2:]).positions(1)
    assert position.tolist() == [0, *found[3, 1:]]
    assert not home.exists()


def test_stored_lengths_of_other_files_are_not_taken(paths, home, tmp_path):
    write_lengths(tmp_path, paths[:2])
    write(paths[0], [b"longer than before"])
    assert records(RecordFiles(paths[:1]), 1) == [b"longer than before"]
    assert records(RecordFiles(paths[2:]), 1) == [b"four" * 100]
    assert len(list(home.iterdir())) == 2


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 and no more"])
def test_damaged_lengths(paths, tmp_path, content):
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(ValueError, match=f"{NAME} is damaged .* Remove it"):
        RecordFiles(paths).positions(4)


def test_lengths_without_what_is_needed(paths, tmp_path):
    np.savez(tmp_path / NAME, names=["0.tfrecord"])
    with pytest.raises(ValueError, match="is damaged .*counts"):
        RecordFiles(paths).positions(4)


def test_lengths_that_do_not_fill_their_file(paths, tmp_path):
    """Bytes moved from one record to the next make another file of its size."""
    write_lengths(tmp_path, paths)
    with np.load(tmp_path / NAME) as stored:
        arrays = dict(stored)
    arrays["lengths"][0] += 1
    np.savez(tmp_path / NAME, **arrays)
    assert records(RecordFiles(paths), 4)[0] == b"one"


def test_another_number_of_records(paths):
    with pytest.raises(ValueError, match="hold 4 records, .* says 5"):
        RecordFiles(paths).positions(5)


def test_a_file_that_is_cut_off(paths, tmp_path):
    with open(paths[0], "r+b") as file:
        file.truncate(20)
    with pytest.raises(ValueError, match="0.tfrecord is truncated or no file"):
        write_lengths(tmp_path, paths)
    assert not (tmp_path / NAME).exists()


def test_versions_change_with_the_files(paths):
    files = RecordFiles(paths)
    before = files.versions
    write(paths[1], [b"two"])
    changed = [a != b for a, b in zip(before, files.versions, strict=True)]
    assert changed == [False, True, False]
