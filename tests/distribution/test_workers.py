import pathlib
import types

import pytest
import tensorflow as tf

from keras_alexnet.distribution import worker_folder
from keras_alexnet.distribution.workers import gather_rows
from keras_alexnet.distribution.workers import place_among_workers


def test_workers_but_the_first_have_folders_of_their_own(tmp_path):
    def worker(task_id):
        return types.SimpleNamespace(
            extended=types.SimpleNamespace(should_checkpoint=task_id == 0),
            cluster_resolver=types.SimpleNamespace(task_id=task_id),
        )

    assert worker_folder(worker(0), tmp_path) == pathlib.Path(tmp_path)
    assert worker_folder(worker(2), tmp_path) == tmp_path / "worker2"
    assert (tmp_path / "worker2").is_dir()


@pytest.mark.parametrize(
    "jobs, task, want",
    [
        ({"worker": ["a", "b", "c"]}, ("worker", 2), (3, 2)),
        ({"chief": ["a"], "worker": ["b", "c"]}, ("chief", 0), (3, 0)),
        ({"chief": ["a"], "worker": ["b", "c"]}, ("worker", 1), (3, 2)),
        # It trains nothing.
        ({"worker": ["a", "b"], "evaluator": ["c"]}, ("worker", 0), (2, 0)),
        ({"worker": ["a"]}, ("worker", 0), (1, 0)),
        ({}, (None, None), (1, 0)),
    ],
)
def test_place_among_workers(jobs, task, want):
    resolver = types.SimpleNamespace(
        cluster_spec=lambda: tf.train.ClusterSpec(jobs),
        task_type=task[0],
        task_id=task[1],
    )
    strategy = types.SimpleNamespace(cluster_resolver=resolver)
    assert place_among_workers(strategy) == want


def test_without_a_cluster_there_is_one_worker():
    assert place_among_workers(None) == (1, 0)
    assert place_among_workers(tf.distribute.MirroredStrategy(["/CPU:0"])) == (
        1,
        0,
    )


def test_gathered_rows_are_sorted_and_each_is_there_once():
    # What other workers give comes before and after.
    strategy = types.SimpleNamespace(
        gather=lambda rows, axis: tf.concat([[[5, 1]], rows, [[2, 7]]], axis)
    )
    found = gather_rows(strategy, [[3, 0], [2, 7]])
    assert found.tolist() == [[2, 7], [3, 0], [5, 1]]
