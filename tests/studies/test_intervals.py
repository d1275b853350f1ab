import math

import numpy as np
import pytest
from scipy import stats

from keras_alexnet.studies.intervals import fit_power_law
from keras_alexnet.studies.intervals import mean_and_error
from keras_alexnet.studies.intervals import paired_difference

RNG = np.random.default_rng(1)


def test_mean_and_error_by_hand():
    mean, error = mean_and_error([0.10, 0.12, 0.14, 0.16])
    assert mean == pytest.approx(0.13)
    # s = sqrt((9 + 1 + 1 + 9) / 3) / 100.
    assert error == pytest.approx(math.sqrt(20 / 3) / 100 / 2)


def test_one_value_has_no_error():
    mean, error = mean_and_error([0.3])
    assert mean == 0.3
    assert math.isnan(error)


@pytest.mark.parametrize("n", [2, 3, 10])
def test_paired_interval_is_scipy_s(n):
    a, b = RNG.normal(size=(2, n))
    ours = paired_difference(a, b)
    theirs = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert ours.value == pytest.approx((a - b).mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    samples = rng.normal(1.0, 2.0, size=(2000, 3))
    hits = sum(paired_difference(s, np.zeros(3)).contains(1.0) for s in samples)
    # Four standard deviations of a binomial about 95 %.
    assert abs(hits / 2000 - 0.95) < 0.02


def test_ties_of_counted_values_keep_a_width():
    tied = [0.3, 0.3, 0.3], [0.2, 0.2, 0.2]
    sure = paired_difference(*tied)
    assert (sure.low, sure.high) == pytest.approx((0.1, 0.1))
    counted = paired_difference(*tied, step=0.01)
    # The standard deviation of the difference of two rounded values.
    rng = np.random.default_rng(0)
    first, second = rng.uniform(0, 1, (2, 100_000))
    noise = (np.round(first, 2) - first) - (np.round(second, 2) - second)
    reach = stats.t.ppf(0.975, 2) * noise.std() / math.sqrt(3)
    assert counted.high - 0.1 == pytest.approx(reach, rel=0.01)
    assert 0.1 - counted.low == pytest.approx(reach, rel=0.01)


def test_steps_do_not_matter_where_values_vary():
    values, baseline = [0.1, 0.4, 0.8], [0.0, 0.0, 0.0]
    assert paired_difference(values, baseline, step=0.01) == (
        paired_difference(values, baseline)
    )


def test_one_pair_contains_everything():
    interval = paired_difference([0.2], [0.1])
    assert interval.value == pytest.approx(0.1)
    assert interval.contains(0)
    assert interval.contains(-1e9)


@pytest.mark.parametrize("values, baseline", [([1.0], [1.0, 2.0]), ([], [])])
def test_refuses_what_is_no_pairs(values, baseline):
    with pytest.raises(ValueError, match="must be pairs"):
        paired_difference(values, baseline)


def test_power_law_is_the_regression_of_logarithms():
    x = np.array([0.125, 0.25, 0.5, 1.0] * 3)
    y = 0.3 * x**-0.4 * np.exp(RNG.normal(0, 0.1, len(x)))
    law = fit_power_law(x, y)
    line = stats.linregress(np.log(x), np.log(y))
    reach = stats.t.ppf(0.975, len(x) - 2) * line.stderr
    assert law.exponent.value == pytest.approx(-line.slope)
    assert law.exponent.low == pytest.approx(-line.slope - reach)
    assert law.exponent.high == pytest.approx(-line.slope + reach)
    assert law.coefficient == pytest.approx(math.exp(line.intercept))


def test_power_law_per_doubling():
    law = fit_power_law([1, 2, 4, 8], [8.0, 4.0, 2.0, 1.0])
    assert law.per_doubling().value == pytest.approx(0.5)
    assert law(16) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "x, y, message",
    [
        ([1, 2], [1.0, 0.5], "two different values or more"),
        ([1, 1, 1], [1.0, 0.5, 0.2], "two different values or more"),
        ([1, 2, 4], [1.0, 0.5, 0.0], "must be positive"),
    ],
)
def test_power_law_refuses(x, y, message):
    with pytest.raises(ValueError, match=message):
        fit_power_law(x, y)
