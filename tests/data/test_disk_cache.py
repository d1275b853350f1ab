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
