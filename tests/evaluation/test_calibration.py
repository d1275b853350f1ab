import numpy as np
import pytest
from small_networks import build
from small_networks import small

from keras_alexnet.evaluation import Answers
from keras_alexnet.evaluation import answers
from keras_alexnet.evaluation import calibration
from keras_alexnet.evaluation import confusion_matrix
from keras_alexnet.evaluation import evaluate


def random_answers(n=500, classes=7, seed=0):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([0.5] * classes, n)
    return probabilities, rng.integers(0, classes, n)


def test_by_hand():
    """Confidences .75, .75, .55, .95; right, wrong, wrong, right."""
    top = np.array([0.75, 0.75, 0.55, 0.95])
    probabilities = np.stack([top, 1 - top], axis=1)
    found = calibration(probabilities, [0, 1, 1, 0], bins=10)
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 1, 0, 2, 0, 1]
    np.testing.assert_allclose(found.accuracy[[5, 7, 9]], [0, 0.5, 1])
    np.testing.assert_allclose(found.confidence[[5, 7, 9]], [0.55, 0.75, 0.95])
    assert np.isnan(found.accuracy[0]) and found.intervals()[0] is None
    # (0.55 + 2 * 0.25 + 0.05) / 4
    assert found.expected_error == pytest.approx(0.275)
    assert found.largest_error == pytest.approx(0.55)
    assert found.n == 4


def test_edges_belong_to_the_bin_below():
    found = calibration([[0.75, 0.25], [1.0, 0.0]], [0, 0], bins=4)
    assert found.counts.tolist() == [0, 0, 1, 1]


def test_it_is_that_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.calibration")
    probabilities, labels = random_answers()
    found = calibration(probabilities, labels, bins=10)
    right = probabilities.argmax(1) == labels
    accuracy, confidence = sklearn.calibration_curve(
        right, probabilities.max(1), n_bins=10
    )
    filled = found.counts > 0
    np.testing.assert_allclose(found.accuracy[filled], accuracy)
    np.testing.assert_allclose(found.confidence[filled], confidence)


def test_a_calibrated_network_has_no_error():
    """Labels drawn from the probabilities themselves."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.5] * 3, 20_000)
    labels = [rng.choice(3, p=p) for p in probabilities]
    assert calibration(probabilities, labels).expected_error < 0.015


def test_confusions_are_those_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    probabilities, labels = random_answers()
    guessed = probabilities.argmax(1)
    np.testing.assert_array_equal(
        confusion_matrix(labels, guessed, 7),
        metrics.confusion_matrix(labels, guessed, labels=range(7)),
    )


def test_answers_sort_by_confidence():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    found = Answers(np.array([0, 0, 1, 1]), probabilities, "center", ("a", "b"))
    assert found.best().tolist() == [0, 3]
    assert found.worst().tolist() == [1, 2]
    assert found.worst(1).tolist() == [1]
    assert found.errors().top1_error == 0.5


def test_answers_are_those_of_evaluate():
    network = build(small("paper"), include_preprocessing=True)
    rng = np.random.default_rng(0)
    data = [
        (rng.uniform(0, 255, (3, 113, 113, 3)), rng.integers(0, 10, 3))
        for _ in range(2)
    ]
    for views in ("center", "ten"):
        wanted = evaluate(network, data, views)
        found = answers(network, data, views).errors()
        assert found.record() == wanted.record()
        np.testing.assert_array_equal(found.top5_wrong, wanted.top5_wrong)


@pytest.mark.parametrize(
    "arguments, match",
    [
        (([[0.5, 0.5]], [0], 0), "`bins` must be a positive integer.*bins=0"),
        (([[0.5, 0.5]], [0], 2.5), "`bins` must be a positive integer"),
        (([0.5, 0.5], [0]), r"Received: shapes \(2,\) and \(1,\)"),
        ((np.zeros((0, 2)), []), "at least one example"),
        (([[0.5, 0.9]], [0]), "must be probabilities"),
        (([[np.nan, 0.5]], [0]), "must be finite"),
        (([[0.5, 0.5]], [2]), "Labels must be in 0 to 1"),
    ],
)
def test_wrong_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        calibration(*arguments)


def test_wrong_confusions():
    with pytest.raises(ValueError, match=r"of one length.*\(1,\) and \(2,\)"):
        confusion_matrix([0], [0, 1], 2)
    with pytest.raises(ValueError, match="Labels must be in 0 to 1"):
        confusion_matrix([0], [2], 2)


def test_labels_of_few_bits():
    labels = np.arange(100, dtype="uint8")
    found = confusion_matrix(labels, labels, classes=100)
    np.testing.assert_array_equal(found, np.eye(100))
