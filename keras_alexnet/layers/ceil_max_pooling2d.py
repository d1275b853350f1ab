import keras
from keras import ops

from keras_alexnet.layers.ceil_pooling import CeilPooling


@keras.saving.register_keras_serializable("keras_alexnet")
class CeilMaxPooling2D(CeilPooling, keras.layers.MaxPooling2D):
    """Max pooling whose output size is rounded up, as in 2012 and in Caffe.

    ```
    size_out = 1 + ceil((size + 2 * padding - pool_size) / strides)
    ```

    The last window may hang over the bottom and right edges; what hangs over
    is ignored. `keras.layers.MaxPooling2D` rounds down with `padding="valid"`,
    and with `"same"` it may move the windows. At a window of 3 and a stride of
    2, of 55, 27 and 13 pixels nothing hangs over: 27, 13 and 6 are left here
    and with `"valid"`, but 28, 14 and 7 with `"same"`.

    Args:
        pool_size: Integer or pair. Defaults to `(2, 2)`.
        strides: Integer or pair, at most `pool_size`. Defaults to `pool_size`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        padding: Integer or pair, pixels around the image, fewer than
            `pool_size`. A window that would begin behind the image is left
            out, as in Caffe and PyTorch. Defaults to `0`.
        **kwargs: `name`, `dtype` and other base layer arguments.

    Call arguments:
        inputs: Tensor of rank 4.

    Returns:
        Tensor of rank 4.

    Raises:
        ValueError: If a stride is larger than the window, because the last
            window could then lie outside the image; or if `padding` is.

    Example:

    >>> import numpy as np
    >>> import keras_alexnet
    >>> pool = keras_alexnet.layers.CeilMaxPooling2D(3, 2)
    >>> pool(np.zeros((1, 14, 14, 1), "float32")).shape[1:3] == (7, 7)
    True

    Reference: `layer.py:1164` of the 2012 code, `pooling_layer.cpp:91` of
    Caffe.
    """

    def call(self, inputs):
        if self.rounds_up_as_same(inputs.shape):
            return ops.max_pool(
                inputs, self.pool_size, self.strides, "same", self.data_format
            )
        pads = [(0, 0)] * 4
        shape = ops.shape(inputs)
        for axis, pad in self.pads(shape).items():
            pads[axis] = pad
        # A side that is known only when the graph runs may need some, too.
        if any(not isinstance(n, int) or n for pad in pads for n in pad):
            lowest = float("-inf")
            inputs = ops.pad(inputs, pads, constant_values=lowest)
        return super().call(inputs)
