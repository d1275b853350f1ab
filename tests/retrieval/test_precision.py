import itertools

import numpy as np
import pytest

from keras_alexnet.retrieval import precision_at_k


def test_by_hand():
    distances = [[1, 2, 3, 4], [4, 3, 2, 1]]
    relevant = [[1, 0, 1, 1], [1, 0, 1, 1]]
    assert precision_at_k(distances, relevant, 1).tolist() == [1, 1]
    assert precision_at_k(distances, relevant, 2).tolist() == [0.5, 1]
    assert precision_at_k(distances, relevant, 4).tolist() == [0.75, 0.75]


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_the_mean_over_all_orders_of_equals(k):
    distances = np.array([0, 1, 1, 1, 2])
    relevant = np.array([False, True, False, True, True])
    shares = []
    for order in itertools.permutations(range(5)):
        order = np.array(order)
        ranked = order[np.argsort(distances[order], kind="stable")]
        shares.append(relevant[ranked[:k]].mean())
    got = precision_at_k(distances[None], relevant[None], k)
    assert got[0] == pytest.approx(np.mean(shares))


def test_sklearn_agrees_where_distances_differ():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    distances = rng.random((1, 40))
    relevant = rng.random((1, 40)) < 0.3
    precision, _, _ = metrics.precision_recall_curve(relevant[0], -distances[0])
    for k in (1, 10, 40):
        # Its curve ends with the nearest alone, and then a 1.
        want = precision[::-1][k]
        assert precision_at_k(distances, relevant, k)[0] == pytest.approx(want)


def test_the_query_itself_is_left_out():
    distances = np.array([[np.inf, 1.0, 2.0]])
    relevant = np.array([[True, False, True]])
    assert precision_at_k(distances, relevant, 2)[0] == 0.5
    with pytest.raises(ValueError, match="in 1 to 2, the number.*k=3"):
        precision_at_k(distances, relevant, 3)


@pytest.mark.parametrize(
    "distances, relevant, k, message",
    [
        ([[1.0]], [[True, False]], 1, r"one shape .*\(1, 1\) and \(1, 2\)"),
        ([1.0], [True], 1, r"one shape .*\(1,\) and \(1,\)"),
        ([[1.0, np.nan]], [[True, True]], 1, "must be numbers. Received: NaN"),
        ([[1.0, 2.0]], [[True, True]], 0, "in 1 to 2, .*k=0"),
    ],
)
def test_wrong_arguments(distances, relevant, k, message):
    with pytest.raises(ValueError, match=message):
        precision_at_k(distances, relevant, k)
