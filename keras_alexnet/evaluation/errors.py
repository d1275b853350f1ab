"""Top-1 and top-5 error with confidence intervals, per class and overall."""

import dataclasses

import numpy as np
from keras import ops

from keras_alexnet.models.top_k import is_missed
from keras_alexnet.text_table import text_table


def wilson_interval(errors, n):
    """95 % confidence interval of an error rate, after Wilson (1927).

    ```
    (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n),  z = 1.96
    ```

    Unlike the textbook `p ± 1.96 sqrt(p(1-p)/n)` it stays within 0 and 1 and
    keeps a width where no error was seen.

    Args:
        errors: Integer, number of wrong answers.
        n: Integer, number of answers, 1 or more.

    Returns:
        Tuple `(low, high)` of floats.

    Raises:
        ValueError: If `n` is less than 1 or `errors` not in 0 to `n`.

    Example:

    >>> [round(bound, 4) for bound in wilson_interval(0, 100)]
    [0.0, 0.037]
    """
    if n < 1 or not 0 <= errors <= n:
        raise ValueError(
            "`n` must be positive and `errors` in 0 to `n`. "
            f"Received: errors={errors}, n={n}"
        )
    # Imported here: it takes a second, and whoever trains imports this module.
    from scipy.stats import binomtest

    low, high = binomtest(errors, n).proportion_ci(method="wilson")
    return float(low), float(high)


def top_k_wrong(probabilities, labels, k):
    """Which examples have `k` classes or more ranked before the label's.

    Of equally probable classes the one with the lower index ranks first, so
    a constant prediction is not right for every class. NaN is wrong.

    Args:
        probabilities: Array of shape `(n, classes)`.
        labels: Integer array of shape `(n,)`.
        k: Integer.

    Returns:
        Boolean array of shape `(n,)`, true where the answer is wrong.

    Example:

    >>> top_k_wrong(np.array([[0.2, 0.5, 0.3]]), np.array([2]), 1).tolist()
    [True]
    """
    return ops.convert_to_numpy(is_missed(probabilities, labels, k))


@dataclasses.dataclass(frozen=True)
class Errors:
    """What a model got wrong on a data set; `str()` is a readable table.

    Five guesses among five classes or fewer are always right, so there is no
    top-5 error then: `top5_error` and `top5_interval` are `None`.

    Args:
        labels: Integer array of shape `(n,)`.
        top1_wrong: Boolean array of shape `(n,)`.
        top5_wrong: Boolean array of shape `(n,)`.
        views: Name of the views that were averaged.
        class_names: Names, one per class.

    Example:

    >>> errors = Errors(np.array([0, 1]), np.array([False, True]),
    ...                 np.array([False, False]), "center", ("cat", "dog"))
    >>> errors.top1_error
    0.5
    >>> print(errors)
    center view, n = 2
    top-1 error  50.0 %  (95 % interval 9.5 to 90.5)
    """

    labels: np.ndarray
    top1_wrong: np.ndarray
    top5_wrong: np.ndarray
    views: str
    class_names: tuple

    @property
    def n(self):
        return len(self.labels)

    @property
    def top1_error(self):
        return float(self.top1_wrong.mean())

    @property
    def top5_error(self):
        return float(self.top5_wrong.mean()) if self._has_top5 else None

    @property
    def top1_interval(self):
        return wilson_interval(int(self.top1_wrong.sum()), self.n)

    @property
    def top5_interval(self):
        if not self._has_top5:
            return None
        return wilson_interval(int(self.top5_wrong.sum()), self.n)

    def record(self):
        """A dict of the figures, which JSON can hold."""
        names = ("n", "top1_error", "top1_interval", "top5_error")
        return {name: getattr(self, name) for name in names}

    @property
    def _has_top5(self):
        return len(self.class_names) > 5

    def per_class(self):
        """Errors of each class that has examples.

        Returns:
            List of dicts with `name`, `n`, `top1_error`, `top5_error` (`None`
            where there is none) and `top1_interval`, in the order of the
            classes.
        """
        rows = []
        for label, name in enumerate(self.class_names):
            chosen = self.labels == label
            n = int(chosen.sum())
            if n:
                wrong, top5 = self.top1_wrong[chosen], self.top5_wrong[chosen]
                rows.append(
                    {
                        "name": name,
                        "n": n,
                        "top1_error": float(wrong.mean()),
                        "top5_error": float(top5.mean())
                        if self._has_top5
                        else None,
                        "top1_interval": wilson_interval(int(wrong.sum()), n),
                    }
                )
        return rows

    def table(self):
        """The per-class errors as text, the worst class first."""
        rows = sorted(self.per_class(), key=lambda row: -row["top1_error"])
        cells = [("class", "n", "top-1 %", "95 % interval", "top-5 %")]
        for row in rows:
            low, high = row["top1_interval"]
            top5 = row["top5_error"]
            cells.append(
                (
                    row["name"],
                    str(row["n"]),
                    f"{100 * row['top1_error']:.1f}",
                    f"{100 * low:.1f} to {100 * high:.1f}",
                    "" if top5 is None else f"{100 * top5:.1f}",
                )
            )
        if not self._has_top5:
            cells = [row[:-1] for row in cells]
        return text_table(cells, "<>")

    def __str__(self):
        plural = "view" if self.views == "center" else "views"
        lines = [f"{self.views} {plural}, n = {self.n}"]
        for name in ("top1", "top5") if self._has_top5 else ("top1",):
            low, high = getattr(self, f"{name}_interval")
            lines.append(
                f"top-{name[-1]} error "
                f"{100 * getattr(self, f'{name}_error'):5.1f} %  "
                f"(95 % interval {100 * low:.1f} to {100 * high:.1f})"
            )
        return "\n".join(lines)
