"""The probabilities that a network gives the images of a data set."""

import dataclasses

import numpy as np

from keras_alexnet.evaluation.checks import as_integers
from keras_alexnet.evaluation.checks import batches
from keras_alexnet.evaluation.checks import check_labels
from keras_alexnet.evaluation.checks import check_weights
from keras_alexnet.evaluation.checks import names_of_classes
from keras_alexnet.evaluation.errors import Errors
from keras_alexnet.evaluation.errors import top_k_wrong
from keras_alexnet.evaluation.views import predict_views


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a network answers to each image, and what is correct.

    Attributes:
        labels: Integer array of shape `(n,)`.
        probabilities: Array of shape `(n, classes)`.
        views: Name of the views that were averaged.
        class_names: Tuple of names, one per class.
    """

    labels: np.ndarray
    probabilities: np.ndarray
    views: str
    class_names: tuple

    @property
    def classes(self):
        """Integer array, the most probable class of each image."""
        return self.probabilities.argmax(axis=1)

    @property
    def confidences(self):
        """Array, the probability of the most probable class."""
        return self.probabilities.max(axis=1)

    def errors(self):
        """The `Errors`, equal to those of `evaluate`."""
        return Errors(
            self.labels,
            top_k_wrong(self.probabilities, self.labels, 1),
            top_k_wrong(self.probabilities, self.labels, 5),
            self.views,
            self.class_names,
        )

    def worst(self, count=10):
        """Indices of the most confident wrong answers, the worst first."""
        return self._confident(self.classes != self.labels, count)

    def best(self, count=10):
        """Indices of the most confident right answers, the best first."""
        return self._confident(self.classes == self.labels, count)

    def _confident(self, chosen, count):
        order = np.argsort(-self.confidences, kind="stable")
        return order[chosen[order]][:count]


def answers(
    model,
    data,
    views="center",
    class_names=None,
    order="cuda-convnet",
    scales=None,
):
    """The probabilities of each class for each image of a data set.

    `evaluate` gives the errors alone, and needs less memory.

    Args:
        model: As of `evaluate`.
        data: As of `evaluate`.
        views: As of `predict_views`. Defaults to `"center"`.
        class_names: Optional names. Defaults to the indices.
        order, scales: As of `predict_views`.

    Returns:
        An `Answers`.

    Raises:
        ValueError: As of `evaluate`.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> model = AlexNet(classes=3, input_shape=(64, 64, 3))
    >>> found = answers(model, [(np.zeros((2, 64, 64, 3)), [0, 2])])
    >>> found.probabilities.shape, found.errors().n
    ((2, 3), 2)
    """
    check_weights(model)
    labels, probabilities = [], []
    for images, batch_labels in batches(data):
        found = predict_views(model, images, views, order=order, scales=scales)
        batch_labels = as_integers(batch_labels, *found.shape)
        first = sum(map(len, labels))
        check_labels(batch_labels, found.shape[1], first)
        labels.append(batch_labels)
        probabilities.append(found)
    if not labels:
        raise ValueError("`data` must have at least one batch. Received: none")
    probabilities = np.concatenate(probabilities)
    names = names_of_classes(class_names, probabilities.shape[1])
    return Answers(np.concatenate(labels), probabilities, views, names)
