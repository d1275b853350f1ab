import numpy as np
import pytest
import tensorflow as tf

from keras_alexnet.data import image_cache


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
        look_up = image_cache.keep_in_memory(*arguments)
    else:
        path = tmp_path / "new" / "images.npy"
        look_up = image_cache.keep_in_file(*arguments, path)
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
        image_cache.keep_in_file(broken, 150, (2, 2), path)
    assert not list(tmp_path.iterdir())
    image_cache.keep_in_file(counting_load(calls), 150, (2, 2), path)
    calls.clear()
    look_up = image_cache.keep_in_file(counting_load(calls), 150, (2, 2), path)
    assert int(look_up(tf.constant(9, tf.int64))[0, 0]) == 9
    assert not calls
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "images.npy"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As on a full disk, what is longer cannot be written.
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"images .0.1 MB. cannot be.*s.npy"):
            image_cache.keep_in_file(
                lambda i: tf.zeros((16, 16), tf.uint8), 500, (16, 16), path
            )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_a_file_of_other_images_is_refused(tmp_path):
    path = tmp_path / "images.npy"
    image_cache.keep_in_file(counting_load([]), 3, (2, 2), path)
    with pytest.raises(ValueError, match=r"\(3, 2, 2\), wanted is \(4, 2, 2"):
        image_cache.keep_in_file(counting_load([]), 4, (2, 2), path)


def test_images_are_kept_in_the_memory_of_the_cpu(monkeypatch):
    made = []

    def spy(value):
        made.append(value.device)
        return own_variable(value)

    own_variable = image_cache.own_variable
    monkeypatch.setattr(image_cache, "own_variable", spy)
    with tf.device("CPU:1"):
        image_cache.keep_in_memory(counting_load([]), 3, (2, 2))
    assert made[0].endswith("CPU:0")
