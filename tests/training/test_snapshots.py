import errno
import os

import numpy as np
import pytest

from keras_alexnet.training.snapshots import Snapshots


def arrays_of(number):
    return {"model/0/w": np.full((50, 3), number, "float32")}


def write(snapshots, number):
    snapshots.write(arrays_of(number), {"epoch": number})


def read(snapshots):
    arrays, position = snapshots.read()
    number = position["epoch"]
    np.testing.assert_array_equal(
        arrays["model/0/w"], arrays_of(number)["model/0/w"]
    )
    return number


@pytest.fixture
def snapshots(tmp_path):
    return Snapshots(tmp_path / "run")


def test_keeps_the_last_and_the_one_before(snapshots):
    assert snapshots.read() is None
    for number in range(4):
        write(snapshots, number)
        assert read(snapshots) == number
    names = sorted(path.name for path in snapshots.directory.iterdir())
    assert names == ["backup.npz", "backup.previous.npz"]
    os.remove(snapshots.last)
    assert read(snapshots) == 2


def test_a_position_may_hold_numbers_of_numpy(snapshots):
    position = {"loss": np.float32(0.5), "best": float("inf"), "none": None}
    snapshots.write({}, position)
    assert snapshots.read() == ({}, position)


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.6, 0.9, 0.99])
def test_truncated(snapshots, share):
    write(snapshots, 1)
    write(snapshots, 2)
    os.truncate(snapshots.last, int(share * snapshots.last.stat().st_size))
    with pytest.warns(UserWarning, match="backup.npz is damaged"):
        assert read(snapshots) == 1


def test_a_damaged_one_does_not_replace_the_one_before(snapshots):
    write(snapshots, 1)
    write(snapshots, 2)
    os.truncate(snapshots.last, 10)
    with pytest.warns(UserWarning, match="damaged"):
        assert read(snapshots) == 1
    write(snapshots, 3)
    os.remove(snapshots.last)
    assert read(snapshots) == 1


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_altered(snapshots, share):
    write(snapshots, 1)
    write(snapshots, 2)
    data = bytearray(snapshots.last.read_bytes())
    data[int(share * len(data))] ^= 1
    snapshots.last.write_bytes(data)
    with pytest.warns(UserWarning, match="backup.npz is damaged"):
        assert read(snapshots) == 1


def test_all_damaged(snapshots):
    write(snapshots, 1)
    os.truncate(snapshots.last, 10)
    with (
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(OSError, match="All backups in .*run are damaged. Del"),
    ):
        snapshots.read()


def test_a_full_disk_is_told_with_sizes(snapshots):
    write(snapshots, 1)
    # Every write to it fails as on a full disk.
    full = snapshots.directory / "backup.new.npz"
    try:
        full.symlink_to("/dev/full")
    except OSError:
        pytest.skip("needs /dev/full")
    arrays = {"model/0/w": np.zeros(1_000_000, "float32")}
    with pytest.raises(OSError) as caught:
        snapshots.write(arrays, {})
    assert caught.value.errno == errno.ENOSPC
    message = caught.value.strerror
    assert str(snapshots.last) in message
    assert "it needs 4.0 MB, and" in message and "MB are free" in message
    assert [path.name for path in snapshots.directory.iterdir()] == [
        "backup.npz"
    ]
    assert read(snapshots) == 1
    write(snapshots, 2)
    assert read(snapshots) == 2


def test_no_part_is_left_of_what_cannot_be_written(snapshots, monkeypatch):
    def fail(file, **arrays):
        file.write(b"a part of it")
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    write(snapshots, 1)
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", fail)
        with pytest.raises(OSError, match="could not be written .Input/output"):
            write(snapshots, 2)
    assert [path.name for path in snapshots.directory.iterdir()] == [
        "backup.npz"
    ]


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    snapshots = Snapshots(tmp_path / "file" / "run")
    with pytest.raises(
        OSError, match="`directory` must be a folder that .* Received: direc"
    ):
        snapshots.check_writable()


def test_a_folder_that_can_be_written_to_is_left_empty(snapshots):
    snapshots.check_writable()
    assert list(snapshots.directory.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_what_cannot_be_read_now_is_not_damaged(snapshots, monkeypatch, number):
    write(snapshots, 1)
    write(snapshots, 2)
    load = np.load

    def fail(path):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(np, "load", fail)
        patch.setattr("time.sleep", lambda seconds: None)
        with pytest.raises(OSError, match="backup.npz cannot be read now"):
            snapshots.read()
    # It is still the last one, and takes its place when a third is written.
    write(snapshots, 3)
    os.remove(snapshots.last)
    assert read(snapshots) == 2
    assert np.load is load


def test_an_error_that_passes_is_passed_over(snapshots, monkeypatch):
    write(snapshots, 1)
    load, failures = np.load, [errno.ESTALE, errno.EIO]

    def fail_twice(path):
        if failures:
            number = failures.pop()
            raise OSError(number, os.strerror(number))
        return load(path)

    monkeypatch.setattr(np, "load", fail_twice)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert read(snapshots) == 1


class Crash(Exception):
    pass


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("good", [0, 1])
def test_a_crash_while_writing_leaves_a_whole_one(
    snapshots, monkeypatch, call, good
):
    """`good` calls succeed before the one at which the process dies."""
    write(snapshots, 1)
    write(snapshots, 2)
    original, calls = getattr(os, call), []

    def crash(*args):
        calls.append(args)
        if len(calls) > good:
            raise Crash
        return original(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, crash)
        with pytest.raises(Crash):
            write(snapshots, 3)
    # Two flushes, of the file and then of its directory, one after all.
    want = {"fsync": [2, 3], "replace": [2, 2]}[call][good]
    assert read(snapshots) == want
    write(snapshots, 4)
    assert read(snapshots) == 4


def test_it_is_on_the_disk_before_it_takes_the_name(snapshots, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)

        def record(*args, name=name, original=original):
            calls.append(name)
            return original(*args)

        monkeypatch.setattr(os, name, record)
    write(snapshots, 1)
    write(snapshots, 2)
    once = ["fsync", "replace", "fsync"]
    assert calls == once + ["fsync", "replace", "replace", "fsync"]
