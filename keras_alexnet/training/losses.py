"""The cost that a network is trained by."""

import keras
from keras import ops

from keras_alexnet.fields import check_shares


@keras.saving.register_keras_serializable("keras_alexnet")
class LabelCrossentropy(keras.losses.Loss):
    """Cross-entropy of integer labels, which may be smoothed.

    ```
    cost = -(1 - s) log p[label] - s mean(log p),  s = label_smoothing
    ```

    Convention: that of Keras's `CategoricalCrossentropy`, with labels in place
    of one-hot vectors: `s` is spread over all classes, the right one included.
    With `s = 0` it is Keras's `SparseCategoricalCrossentropy`, the paper's
    cost.

    Args:
        label_smoothing: Float in [0, 1). Defaults to `0`.
        from_logits: Boolean. Whether the network gives logits, not
            probabilities. Defaults to `False`.
        **kwargs: `name`, `reduction` and `dtype`, as of `keras.losses.Loss`.

    Call arguments:
        y_true: Integer labels of shape `(batch,)` or `(batch, 1)`.
        y_pred: Probabilities or logits of shape `(batch, classes)`.

    Raises:
        ValueError: If `label_smoothing` is out of its range.

    Example:

    >>> import numpy as np
    >>> loss = LabelCrossentropy(label_smoothing=0.2)
    >>> cost = loss(np.array([0]), np.array([[0.5, 0.25, 0.25]]))
    >>> print(round(float(cost), 4))  # -0.8 log 0.5 - 0.2 (log 0.03125) / 3
    0.7856

    Reference: [Szegedy et al., 2016](https://arxiv.org/abs/1512.00567),
    section 7.
    """

    def __init__(
        self,
        label_smoothing=0.0,
        from_logits=False,
        name="label_crossentropy",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing
        self.from_logits = from_logits
        check_shares(self, "label_smoothing")

    def call(self, y_true, y_pred):
        y_pred = ops.convert_to_tensor(y_pred)
        # It refuses labels out of range, of which one-hot rows are all 0.
        cost = keras.losses.sparse_categorical_crossentropy(
            y_true, y_pred, from_logits=self.from_logits
        )
        if not self.label_smoothing:
            return cost
        # Keras goes back from a softmax to its logits, and so knows the
        # gradient of a probability that has become 0.
        spread = keras.losses.categorical_crossentropy(
            ops.ones_like(y_pred) / y_pred.shape[-1],
            y_pred,
            from_logits=self.from_logits,
        )
        smoothing = self.label_smoothing
        return (1 - smoothing) * cost + smoothing * spread

    def get_config(self):
        return {
            **super().get_config(),
            "label_smoothing": self.label_smoothing,
            "from_logits": self.from_logits,
        }
