"""Whether a network is right as often as it says."""

import dataclasses

import numpy as np

from keras_alexnet.evaluation.checks import check_labels
from keras_alexnet.evaluation.checks import check_probabilities
from keras_alexnet.evaluation.errors import top_k_wrong
from keras_alexnet.evaluation.errors import wilson_interval


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Confidence and accuracy of answers, in bins of confidence.

    The confidence is the probability of the class that is answered. What the
    bins say is called a reliability diagram.

    Attributes:
        edges: Array of `bins + 1` confidences, from 0 to 1.
        counts: Integer array, answers per bin. A confidence on an edge is in
            the bin below it.
        confidence: Array, the mean confidence in each bin; NaN where a bin is
            empty.
        accuracy: Array, the share of right answers; NaN where it is empty.
        right: Integer array, the number of right answers per bin.

    Example:

    >>> sure, unsure = [0.75, 0.25], [0.55, 0.45]
    >>> print(calibration([sure] * 4 + [unsure] * 4, [0, 0, 0, 1] * 2))
    expected calibration error 10.0 % (15 bins, n = 8): confidence 65.0 %, \
accuracy 75.0 %

    Reference: [Guo et al., 2017](https://arxiv.org/abs/1706.04599),
    equations 2 and 3.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    right: np.ndarray

    @property
    def n(self):
        """The number of answers."""
        return int(self.counts.sum())

    @property
    def expected_error(self):
        """The mean distance of confidence and accuracy, over all answers.

        ```
        ECE = sum over bins of count / n * |accuracy - confidence|
        ```
        """
        return float(np.nansum(self.counts * self._gaps) / self.n)

    @property
    def largest_error(self):
        """The largest distance of the two in a bin."""
        return float(np.nanmax(self._gaps))

    @property
    def _gaps(self):
        return np.abs(self.accuracy - self.confidence)

    def intervals(self):
        """95 % intervals of the accuracy, `None` for each empty bin."""
        return [
            wilson_interval(int(right), int(count)) if count else None
            for right, count in zip(self.right, self.counts, strict=True)
        ]

    def __str__(self):
        confidence = np.nansum(self.counts * self.confidence) / self.n
        accuracy = self.right.sum() / self.n
        return (
            f"expected calibration error {100 * self.expected_error:.1f} % "
            f"({len(self.counts)} bins, n = {self.n}): confidence "
            f"{100 * confidence:.1f} %, accuracy {100 * accuracy:.1f} %"
        )


def calibration(probabilities, labels, bins=15):
    """Compares the confidence of answers with how often they are right.

    Args:
        probabilities: Array of shape `(n, classes)`.
        labels: Integer array of shape `(n,)`.
        bins: Integer, intervals of confidence of equal width. Defaults to
            `15`, as the reference has it.

    Returns:
        A `Calibration`.

    Raises:
        ValueError: If `bins` is not a positive integer, there is no example,
            or the arrays are not probabilities and as many labels.

    Example:

    >>> found = calibration([[0.8, 0.2], [0.6, 0.4]], [0, 1], bins=5)
    >>> round(found.expected_error, 2)  # (|1 - 0.8| + |0 - 0.6|) / 2
    0.4

    Reference: [Guo et al., 2017](https://arxiv.org/abs/1706.04599), section
    2.
    """
    probabilities = np.asarray(probabilities, "float64")
    labels = np.asarray(labels)
    _check(probabilities, labels, bins)
    top = probabilities.max(axis=1)
    wrong = top_k_wrong(probabilities, labels, 1)
    edges = np.linspace(0, 1, bins + 1)
    # Up to an edge, as in the reference; 0 is in the first bin.
    places = np.searchsorted(edges[1:-1], top, side="left")
    counts = np.bincount(places, minlength=bins)
    right = np.bincount(places[~wrong], minlength=bins)
    sums = np.bincount(places, top, minlength=bins)
    filled = np.where(counts, counts, np.nan)
    return Calibration(edges, counts, sums / filled, right / filled, right)


def confusion_matrix(labels, answers, classes):
    """How often each class is taken for each.

    Args:
        labels: Integer array of shape `(n,)`, the correct classes.
        answers: Integer array of shape `(n,)`.
        classes: Integer.

    Returns:
        Integer array of shape `(classes, classes)`: a row per correct class,
        a column per answer, as scikit-learn has it.

    Raises:
        ValueError: If the arrays are not of one length, or a class is out of
            range.

    Example:

    >>> confusion_matrix([0, 0, 1], [0, 1, 1], classes=2).tolist()
    [[1, 1], [0, 1]]
    """
    labels, answers = np.asarray(labels), np.asarray(answers)
    if labels.shape != answers.shape or labels.ndim != 1:
        raise ValueError(
            "`labels` and `answers` must be of one length. Received: shapes "
            f"{labels.shape} and {answers.shape}"
        )
    check_labels(labels, classes, first=0)
    check_labels(answers, classes, first=0)
    # Products of small integers would overflow.
    labels, answers = labels.astype("int64"), answers.astype("int64")
    flat = np.bincount(labels * classes + answers, minlength=classes**2)
    return flat.reshape(classes, classes)


def _check(probabilities, labels, bins):
    if not isinstance(bins, int) or bins < 1:
        raise ValueError(
            f"`bins` must be a positive integer. Received: bins={bins!r}"
        )
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1]:
        raise ValueError(
            "`probabilities` must have shape (n, classes), and `labels` (n,). "
            f"Received: shapes {probabilities.shape} and {labels.shape}"
        )
    if not len(labels):
        raise ValueError("There must be at least one example. Received: none")
    check_probabilities(probabilities)
    check_labels(labels, probabilities.shape[1], first=0)
