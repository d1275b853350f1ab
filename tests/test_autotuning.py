import pytest

tf = pytest.importorskip("tensorflow")

from keras_alexnet.autotuning import without_autotuning  # noqa: E402


def test_what_is_asked_for_is_left():
    options = tf.data.Options()
    options.autotune.enabled = True
    dataset = tf.data.Dataset.range(3).with_options(options)
    assert without_autotuning(dataset) is dataset


def test_elements_and_length_stay():
    dataset = without_autotuning(
        tf.data.Dataset.range(5)
        .map(lambda i: i + 1, num_parallel_calls=tf.data.AUTOTUNE)
        .batch(2)
        .prefetch(tf.data.AUTOTUNE)
    )
    assert int(dataset.cardinality()) == 3
    assert [x.tolist() for x in dataset.as_numpy_iterator()] == [
        [1, 2],
        [3, 4],
        [5],
    ]
