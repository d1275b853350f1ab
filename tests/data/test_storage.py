import numpy as np
import pytest
import tensorflow as tf

from keras_alexnet.data import storage


def counting_load(counter):
    def load(index):
        def count(i):
            counter.append(int(i))
            return np.full((2, 2), i, "uint8")

        image = tf.numpy_function(count, [index], tf.uint8)
        return tf.ensure_shape(image, (2, 2))

    return load


@pytest.mark.parametrize("where", ["memory", "file"])
def test_keeps_what_was_loaded_once(where, tmp_path):
    calls = []
    arguments = (counting_load(calls), 150, (2, 2))
    if where == "memory":
        look_up = storage.keep_in_memory(*arguments)
    else:
        path = tmp_path / "new" / "images.npy"
        look_up = storage.keep_in_file(*arguments, path)
    assert sorted(calls) == list(range(150))
    for _ in range(2):
        images = tf.data.Dataset.range(150).map(look_up, num_parallel_calls=2)
        got = [int(image[1, 1]) for image in images]
        assert got == list(range(150))
    assert len(calls) == 150


def test_a_file_is_used_again_and_half_a_file_is_not(tmp_path):
    path = tmp_path / "images.npy"
    calls = []

    def broken(index):
        check = tf.debugging.Assert(index < 70, ["broken"])
        with tf.control_dependencies([check]):
            return counting_load(calls)(index)

    with pytest.raises(tf.errors.InvalidArgumentError, match="broken"):
        storage.keep_in_file(broken, 150, (2, 2), path)
    assert not list(tmp_path.iterdir())
    storage.keep_in_file(counting_load(calls), 150, (2, 2), path)
    calls.clear()
    look_up = storage.keep_in_file(counting_load(calls), 150, (2, 2), path)
    assert int(look_up(tf.constant(9, tf.int64))[0, 0]) == 9
    assert not calls
    assert list(tmp_path.iterdir()) == [path]


def test_digest_tells_sequences_apart():
    names = [
        storage.digest(*parts)
        for parts in (("a", "b"), ("ab",), ("a b",), ("b", "a"), ("a", 1), ())
    ]
    assert len(set(names)) == len(names)
    assert storage.digest("a", 1) == storage.digest("a", "1")


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert storage.cache_folder() == tmp_path / "keras_alexnet"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", "/home/ada")
    assert str(storage.cache_folder()) == "/home/ada/.keras/keras_alexnet"
    assert str(storage.cache_folder("~/here")) == "/home/ada/here"


def test_save_array_leaves_one_file(tmp_path):
    path = tmp_path / "deep" / "a.npy"
    for value in (1, 2):
        storage.save_array(path, np.full(3, value))
        np.testing.assert_array_equal(np.load(path), [value] * 3)
    assert list(path.parent.iterdir()) == [path]
