"""Means, paired differences and power laws, with 95 % intervals."""

import dataclasses
import math

import numpy as np
from scipy import stats


@dataclasses.dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % interval.

    Args:
        value, low, high: Floats.
        n: Integer, on how many values it rests.

    Example:

    >>> Interval(0.5, -0.1, 1.1, 3).contains(0)
    True
    """

    value: float
    low: float
    high: float
    n: int

    def contains(self, value):
        """Whether a value is within the interval, the bounds included."""
        return self.low <= value <= self.high


def mean_and_error(values):
    """Mean and standard error of the mean.

    ```
    s / sqrt(n),  s² = Σ (x - mean)² / (n - 1)
    ```

    Args:
        values: Sequence of floats, one or more.

    Returns:
        Pair of floats; the error of one value is NaN.

    Example:

    >>> mean_and_error([1.0, 3.0])
    (2.0, 1.0)
    """
    error = stats.sem(values) if len(values) > 1 else math.nan
    return float(np.mean(values)), float(error)


def paired_difference(values, baseline, step=0.0):
    """Mean of the differences between pairs, with Student's interval.

    ```
    d ± t s / sqrt(n),  t: 97.5 % point with n - 1 degrees of freedom
    ```

    Pairs that share a seed share what it decides, so their difference varies
    less than that of two means.

    Values that are counted in steps may tie by chance: three differences of
    no image at all do not mean that the fourth is none. Therefore `s` is at
    least the standard deviation of the difference of two values, each
    rounded to the nearest step, which is `step / sqrt(6)`.

    Args:
        values: Sequence of floats.
        baseline: Sequence of floats, as many and in the same order.
        step: Float, the least amount by which values can differ: `1 / n` for
            error rates of `n` images. Defaults to `0.0`; then the interval
            of differences that are all equal has no width.

    Returns:
        An `Interval`; of one pair, from -inf to inf.

    Raises:
        ValueError: If they are not equally many, or none.

    Example:

    >>> d = paired_difference([3.0, 5.0, 4.0], [1.0, 2.0, 3.0])
    >>> d.value, round(d.low, 2), round(d.high, 2)
    (2.0, -0.48, 4.48)
    """
    if len(values) != len(baseline) or not len(values):
        raise ValueError(
            "`values` and `baseline` must be pairs. Received: "
            f"{len(values)} and {len(baseline)} values"
        )
    n = len(values)
    mean, error = mean_and_error(np.subtract(values, baseline))
    if n < 2:
        return Interval(mean, -math.inf, math.inf, n)
    error = max(error, step / math.sqrt(6 * n))
    return _student_interval(mean, error, n - 1, n)


@dataclasses.dataclass(frozen=True)
class PowerLaw:
    """`y = coefficient * x ** -exponent`.

    Args:
        coefficient: Float, `y` at 1.
        exponent: An `Interval`.

    Example:

    >>> law = fit_power_law([1, 2, 4], [0.8, 0.4, 0.2])
    >>> round(float(law(8)), 3), round(law.exponent.value, 3)
    (0.1, 1.0)
    """

    coefficient: float
    exponent: Interval

    def __call__(self, x):
        return self.coefficient * np.asarray(x) ** -self.exponent.value

    def per_doubling(self):
        """What a doubling of `x` multiplies `y` by, an `Interval`."""
        b = self.exponent
        return Interval(2**-b.value, 2**-b.high, 2**-b.low, b.n)


def fit_power_law(x, y):
    """Fits a power law by least squares of the logarithms.

    ```
    log y = log coefficient - exponent * log x + noise
    ```

    The interval is that of the slope of a regression line: it takes the noise
    to be normal and the law to hold.

    Args:
        x: Sequence of positive floats, at least two different ones.
        y: Sequence of positive floats, three or more.

    Returns:
        A `PowerLaw`.

    Raises:
        ValueError: If there are too few, or some are not positive.

    Example:

    >>> law = fit_power_law([1, 1, 4, 4], [1.0, 1.2, 0.5, 0.6])
    >>> [round(v, 2) for v in (law.exponent.low, law.exponent.high)]
    [0.1, 0.9]
    """
    x, y = np.asarray(x, "float64"), np.asarray(y, "float64")
    if len(y) < 3 or len(set(x.tolist())) < 2:
        raise ValueError(
            "`x` must have two different values or more, and `y` three. "
            f"Received: x={x.tolist()}, y={y.tolist()}"
        )
    if min(x.min(), y.min()) <= 0:
        raise ValueError(
            "`x` and `y` must be positive. "
            f"Received: x={x.tolist()}, y={y.tolist()}"
        )
    line = stats.linregress(np.log(x), np.log(y))
    return PowerLaw(
        math.exp(line.intercept),
        _student_interval(-line.slope, line.stderr, len(y) - 2, len(y)),
    )


def _student_interval(value, error, freedom, n):
    """The 95 % interval of an estimate with a standard error."""
    reach = stats.t.ppf(0.975, freedom) * error
    return Interval(float(value), float(value - reach), float(value + reach), n)
