import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from keras_alexnet.data import TrainingData
from keras_alexnet.data import evaluation_data
from keras_alexnet.data import load_source
from keras_alexnet.data.shares import FIRST
from keras_alexnet.data.shares import Share


def numbered(count=50, side=12):
    """A source whose pixels say the image's number."""
    rows, columns = np.mgrid[:side, :side]
    images = np.stack(
        [np.stack([rows, columns, rows * 0 + i], -1) for i in range(count)]
    ).astype("uint8")
    labels = np.arange(count) % 5
    return load_source({"train": (images, labels), "test": (images, labels)})


SOURCE = numbered()


def counted(fetched):
    """The source; the list receives the number of each image it gives."""

    def counting(split):
        def fetch(index):
            note = tf.py_function(lambda i: fetched.append(int(i)), [index], [])
            with tf.control_dependencies([note]):
                return split.fetch(tf.identity(index))

        return dataclasses.replace(split, fetch=fetch)

    splits = {key: counting(split) for key, split in SOURCE.splits.items()}
    return dataclasses.replace(SOURCE, splits=splits)


def make(source=SOURCE, **changes):
    arguments = dict(input_size=8, resize=12, batch_size=8, seed=1)
    return TrainingData(source, **{**arguments, **changes})


def arrays(batches):
    return [(x.numpy(), y.numpy()) for x, y in batches]


def union(shares, steps, replicas):
    """Batches put together as `tf.distribute` numbers the replicas' parts."""
    workers, each = len(shares), replicas // len(shares)
    for step in range(steps):
        parts = [
            share[step * each + place]
            for place in range(each)
            for share in shares
            # Where there are more replicas than images, the last have none.
            if step * each + place < len(share)
        ]
        assert len(parts) <= workers * each
        yield tuple(
            np.concatenate(column) for column in zip(*parts, strict=True)
        )


def assert_equal(first, second):
    first, second = list(first), list(second)
    assert len(first) == len(second) > 0
    for (x, y), (u, v) in zip(first, second, strict=True):
        np.testing.assert_array_equal(x, u)
        np.testing.assert_array_equal(y, v)


@pytest.mark.parametrize("workers, replicas", [(4, 4), (2, 6)])
def test_shares_are_the_batches_of_one_worker(workers, replicas):
    """Noise included, in epochs that `seek` begins anywhere."""
    whole = make()
    fetched = [[] for _ in range(workers)]
    datas = [make(counted(numbers)) for numbers in fetched]
    datasets = [
        data.share(workers, worker, replicas)
        for worker, data in enumerate(datas)
    ]
    for epoch, step in ((0, 0), (3, 4), (1, 6)):
        whole.seek(epoch, step)
        want = arrays(whole.dataset)
        shares = []
        for numbers, data, dataset in zip(
            fetched, datas, datasets, strict=True
        ):
            numbers.clear()
            data.seek(epoch, step)
            shares.append(arrays(dataset))
            # Two more than its own: the end of the first, unhurried steps
            # finds them begun.
            own = sum(len(labels) for _, labels in shares[-1])
            assert own <= len(numbers) <= own + 2
        if step < 6:
            assert_equal(union(shares, 6 - step, replicas), want)
        else:
            assert want == [] and not any(shares)


def test_a_share_has_a_known_size_where_all_are_equal():
    spec = make(color=False).share(2, 1).element_spec
    assert spec[0] == tf.TensorSpec((4, 8, 8, 3), tf.float32)
    assert spec[1] == tf.TensorSpec((4,), tf.int64)
    # 3, 3 and 2 rows.
    assert make(color=False).share(3, 2).element_spec[0].shape[0] == 2
    assert make(color=False).share(1, 0, 3).element_spec[0].shape[0] is None


@pytest.mark.parametrize("workers, replicas", [(3, 3)])
def test_a_last_smaller_batch_is_shared(workers, replicas):
    want = arrays(make(drop_remainder=False).dataset)
    shares = [
        arrays(make(drop_remainder=False).share(workers, worker, replicas))
        for worker in range(workers)
    ]
    assert len(want) == 7 and len(want[-1][0]) == 2
    assert_equal(union(shares, 7, replicas), want)


def test_epochs_of_a_share_follow_each_other():
    data, whole = make(color=False), make(color=False)
    share = data.share(2, 0)
    for _ in range(2):
        want = arrays(whole.dataset)
        got = arrays(share)
        assert_equal(got, [(x[:4], y[:4]) for x, y in want])


@pytest.mark.parametrize(
    "batch, workers, replicas, view",
    [(10, 4, 4, None), (16, 2, 4, "center")],
)
def test_evaluation_is_shared(batch, workers, replicas, view):
    options = dict(input_size=8, resize=12, batch_size=batch, view=view)
    want = arrays(evaluation_data(SOURCE, **options))
    fetched, shares = [], []
    for worker in range(workers):
        data = evaluation_data(counted(fetched), **options)
        shares.append(arrays(data.share(workers, worker, replicas)))
    assert_equal(union(shares, len(want), replicas), want)
    assert sorted(set(fetched)) == list(range(50))
    assert len(fetched) <= 50 + 2 * workers


def test_each_replica_must_have_a_row():
    message = "smaller than the number of replicas.*batch_size=8 for 10 repl"
    with pytest.raises(ValueError, match=message):
        make(color=False).share(5, 0, 10)
    tests = evaluation_data(SOURCE, resize=12, batch_size=8)
    with pytest.raises(ValueError, match=message):
        tests.share(10, 0)


def test_the_first_batch_costs_no_more_than_itself():
    """Keras takes one, before training, and throws the iterator away."""
    for make_data in (
        lambda source: make(source, color=False).share(4, 1),
        lambda source: evaluation_data(source, resize=12, batch_size=8).share(
            4, 1
        ),
    ):
        fetched = []
        iterator = iter(make_data(counted(fetched)))
        for _ in range(FIRST):
            next(iterator)
        del iterator
        assert FIRST * 2 <= len(fetched) <= FIRST * 2 + 2


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 8, 64])
def test_blocks_are_those_of_array_split(rows):
    blocks = np.array_split(np.arange(rows), 6)
    for pipeline in range(3):
        share = Share(3, pipeline, 6)
        own = [blocks[pipeline], blocks[pipeline + 3]]
        assert share.sizes(rows) == [len(block) for block in own]
        held = share.holds(tf.range(rows, dtype=tf.int64), rows, 64)
        np.testing.assert_array_equal(np.flatnonzero(held), np.concatenate(own))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((2, 2), r"in 0 to `pipelines - 1`. .*pipelines=2, pipeline=2"),
        ((2, -1), "pipeline=-1"),
        ((0, 0), "pipelines=0"),
        ((2, 0, 3), "divisible by `pipelines`. .*replicas=3, pipelines=2"),
    ],
)
def test_impossible_shares(arguments, message):
    with pytest.raises(ValueError, match=message):
        Share(*arguments)
