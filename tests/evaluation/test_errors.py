import dataclasses
import math

import numpy as np
import pytest

from keras_alexnet.evaluation import Errors
from keras_alexnet.evaluation import top_k_wrong
from keras_alexnet.evaluation import wilson_interval

NAMES = ("cat", "dog", "elephant", "fox", "gnu", "hen")


def make_errors():
    labels = np.array([0, 0, 0, 0, 2, 2])
    top1 = np.array([True, False, False, False, True, True])
    top5 = np.array([False] * 5 + [True])
    return Errors(labels, top1, top5, "ten", NAMES)


@pytest.mark.parametrize("errors, n", [(0, 10), (3, 10), (50, 100), (7, 7)])
def test_wilson_interval_solves_its_equation(errors, n):
    # Its bounds are the rates p whose 95 % band just reaches the observed.
    for bound in wilson_interval(errors, n):
        if 0 < bound < 1:
            distance = abs(errors / n - bound)
            band = 1.959964 * math.sqrt(bound * (1 - bound) / n)
            assert distance == pytest.approx(band, rel=1e-5)


def test_wilson_interval_by_hand():
    # n = 100, none wrong: z² / (n + z²) = 3.8415 / 103.8415.
    low, high = wilson_interval(0, 100)
    assert low == pytest.approx(0.0, abs=1e-12)
    assert high == pytest.approx(0.036994, abs=1e-6)


@pytest.mark.parametrize("errors, n", [(1, 0), (-1, 5), (6, 5)])
def test_wilson_interval_refuses(errors, n):
    with pytest.raises(ValueError, match=f"errors={errors}, n={n}"):
        wilson_interval(errors, n)


def test_top_k_wrong_matches_sorting():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(12), 200)
    labels = rng.integers(12, size=200)
    best = np.argsort(-probabilities, axis=1)
    for k in (1, 3, 5, 12):
        want = ~(best[:, :k] == labels[:, None]).any(axis=1)
        np.testing.assert_array_equal(
            top_k_wrong(probabilities, labels, k), want
        )


def test_a_constant_prediction_is_not_always_right():
    wrong = top_k_wrong(np.full((10, 10), 0.1), np.arange(10), 1)
    assert wrong.sum() == 9


def test_nan_is_wrong():
    probabilities = np.full((3, 4), 0.25)
    probabilities[1] = np.nan
    probabilities[2, 1] = np.nan
    wrong = top_k_wrong(probabilities, np.array([0, 0, 0]), 1)
    assert wrong.tolist() == [False, True, True]


def test_intervals_are_python_numbers():
    assert [type(bound) for bound in wilson_interval(3, 6)] == [float, float]


def test_errors():
    errors = make_errors()
    assert errors.n == 6
    assert errors.top1_error == 0.5
    assert errors.top5_error == pytest.approx(1 / 6)
    assert errors.top1_interval == wilson_interval(3, 6)
    cat, elephant = errors.per_class()
    assert (cat["name"], cat["n"], cat["top1_error"]) == ("cat", 4, 0.25)
    assert (elephant["name"], elephant["top5_error"]) == ("elephant", 0.5)


def test_tables():
    errors = make_errors()
    assert str(errors).splitlines() == [
        "ten views, n = 6",
        "top-1 error  50.0 %  (95 % interval 18.8 to 81.2)",
        "top-5 error  16.7 %  (95 % interval 3.0 to 56.4)",
    ]
    lines = errors.table().splitlines()
    assert lines[1].split()[:3] == ["elephant", "2", "100.0"]
    assert lines[2].split()[:3] == ["cat", "4", "25.0"]
    assert len({len(line) for line in lines}) == 1


def test_five_guesses_among_five_classes_are_no_test():
    errors = dataclasses.replace(make_errors(), class_names=NAMES[:5])
    assert errors.top5_error is None and errors.top5_interval is None
    assert [row["top5_error"] for row in errors.per_class()] == [None, None]
    assert "top-5" not in str(errors) and "top-5" not in errors.table()
    assert errors.top1_error == 0.5 and "top-1" in str(errors)
    assert len({len(line) for line in errors.table().splitlines()}) == 1
