import os

import numpy as np
import pytest

from keras_alexnet.data.disk_cache import cache_path
from keras_alexnet.data.disk_cache import cached_array
from keras_alexnet.data.disk_cache import digest


def test_digest_tells_sequences_apart():
    names = [
        digest(*parts)
        for parts in (("a", "b"), ("ab",), ("a b",), ("b", "a"), ("a", 1), ())
    ]
    assert len(set(names)) == len(names)
    assert digest("a", 1) == digest("a", "1")


def test_the_path_tells_what_the_array_depends_on(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    path = cache_path("mean", "digits", 64)
    assert path == tmp_path / "keras_alexnet" / path.name
    assert path.name.startswith("mean-") and path.suffix == ".npy"
    assert path.name != cache_path("mean", "digits", 65).name
    monkeypatch.setenv("HOME", "/home/ada")
    folder = cache_path("mean", folder="~/here").parent
    assert str(folder) == "/home/ada/here"


def test_an_array_is_computed_once(tmp_path):
    path = tmp_path / "deep" / "a.npy"
    for value in (1, 2):
        found = cached_array(path, lambda value=value: np.full(3, value))
        np.testing.assert_array_equal(found, [1] * 3)
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_computed_leaves_nothing(tmp_path):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        cached_array(tmp_path / "a.npy", fail)
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_computed_again(tmp_path):
    path = tmp_path / "a.npy"
    cached_array(path, lambda: np.arange(100))
    path.write_bytes(path.read_bytes()[:90])
    with pytest.warns(UserWarning, match="a.npy is damaged and computed again"):
        found = cached_array(path, lambda: np.arange(100))
    np.testing.assert_array_equal(found, np.arange(100))
    np.testing.assert_array_equal(np.load(path), found)


def test_others_may_read_what_is_kept(tmp_path):
    before = os.umask(0o022)
    try:
        cached_array(tmp_path / "a.npy", lambda: np.zeros(3))
    finally:
        os.umask(before)
    assert (tmp_path / "a.npy").stat().st_mode & 0o777 == 0o644


def test_what_cannot_be_kept_is_computed_with_a_warning(tmp_path):
    (tmp_path / "file").write_text("no folder")
    path = tmp_path / "file" / "a.npy"
    with pytest.warns(UserWarning, match="a.npy cannot be written, so it is"):
        assert cached_array(path, lambda: np.arange(3)).tolist() == [0, 1, 2]
