"""Top-k error."""

import keras
from keras import ops

from keras_alexnet.models.top_k import is_missed


def _is_missed(y_true, y_pred, k):
    """1.0 per example whose class is not among the k most probable."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.convert_to_tensor(y_true)
    if y_true.shape[1:] == y_pred.shape[1:]:
        y_true = ops.argmax(y_true, axis=-1)
    return ops.cast(is_missed(y_pred, y_true, k), keras.backend.floatx())


@keras.saving.register_keras_serializable("keras_alexnet")
class TopKError(keras.metrics.MeanMetricWrapper):
    """Share of examples whose class is not among the k most probable.

    Convention: the paper's error, 1 - accuracy. Of classes with equal scores
    the first is the more probable one; NaN counts as an error.

    Args:
        k: Integer. Defaults to `5`.
        name: String. Defaults to `"top5_error"` for `k=5`.
        dtype: Dtype of the result.

    Call arguments:
        y_true: Integer labels of shape `(batch,)` or `(batch, 1)`, or one-hot
            of shape `(batch, classes)`.
        y_pred: Scores of shape `(batch, classes)`.
        sample_weight: Weights of shape `(batch,)` or `None`.

    Raises:
        ValueError: If `k` is not a positive integer.

    Example:

    >>> scores = [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]
    >>> float(TopKError(2)([1, 2], scores))
    0.5

    Reference: [Krizhevsky et al., 2012](https://papers.nips.cc/paper/4824),
    section 2.
    """

    def __init__(self, k=5, name=None, dtype=None):
        if not isinstance(k, int) or k < 1:
            raise ValueError(f"`k` must be a positive integer. Received: k={k}")
        super().__init__(
            _is_missed, name=name or f"top{k}_error", dtype=dtype, k=k
        )
        self.k = k
        self._direction = "down"

    def get_config(self):
        return {"k": self.k, "name": self.name, "dtype": self.dtype}
