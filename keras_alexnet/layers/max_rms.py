import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_alexnet")
class MaxRMS(keras.constraints.Constraint):
    """Limits the root mean square of each filter's weights, as ZFNet does.

    ```
    w <- w * min(1, max_value / sqrt(mean(w ** 2)))
    ```

    The mean is over all axes but the last, that of the filters, so each
    filter (or unit of a dense layer) is limited by itself. Convention:
    `keras.constraints.MaxNorm` limits the root of the *sum* of squares, and
    by default over the first axis alone.

    Args:
        max_value: Float, positive. Defaults to `0.1`.

    Call arguments:
        w: Tensor of weights, filters last.

    Returns:
        Tensor of the shape of `w`.

    Raises:
        ValueError: If `max_value` is not positive.

    Example:

    >>> from keras_alexnet.layers import MaxRMS
    >>> w = MaxRMS(0.1)([[0.3, 0.05], [0.4, 0.05]])
    >>> [round(float(x), 4) for x in keras.ops.ravel(w)]
    [0.0849, 0.05, 0.1131, 0.05]

    Reference: [Zeiler and Fergus, 2014](https://arxiv.org/abs/1311.2901),
    section 3.1: "renormalize each filter in the convolutional layers whose
    RMS value exceeds a fixed radius of 10^-1".
    """

    def __init__(self, max_value=0.1):
        if not max_value > 0:
            raise ValueError(
                f"`max_value` must be positive. Received: max_value={max_value}"
            )
        self.max_value = max_value

    def __call__(self, w):
        w = ops.convert_to_tensor(w)
        axes = tuple(range(len(w.shape) - 1))
        mean = ops.mean(ops.square(w), axis=axes, keepdims=True)
        # The root of the larger one: a filter of zeros is not divided by 0.
        return w * (
            self.max_value
            / ops.sqrt(ops.maximum(mean, ops.cast(self.max_value**2, w.dtype)))
        )

    def get_config(self):
        return {"max_value": self.max_value}
