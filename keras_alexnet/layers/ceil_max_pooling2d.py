import keras
from keras import ops

from keras_alexnet.layers.grouped_conv2d import zeros_to_round_up


@keras.saving.register_keras_serializable("keras_alexnet")
class CeilMaxPooling2D(keras.layers.MaxPooling2D):
    """Max pooling whose output size is rounded up, as in 2012 and in Caffe.

    ```
    size_out = 1 + ceil((size - pool_size) / strides)
    ```

    The last window may hang over the bottom and right edges; what hangs over
    is ignored. `keras.layers.MaxPooling2D` rounds down with `padding="valid"`,
    and with `"same"` it moves the windows. Where nothing hangs over (55, 27
    and 13 pixels, window 3, stride 2), all three give the same.

    Args:
        pool_size: Integer or pair. Defaults to `(2, 2)`.
        strides: Integer or pair, at most `pool_size`. Defaults to `pool_size`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype` and other base layer arguments.

    Call arguments:
        inputs: Tensor of rank 4.

    Returns:
        Tensor of rank 4.

    Raises:
        ValueError: If a stride is larger than the window, because the last
            window could then lie outside the image.

    Example:

    >>> import numpy as np
    >>> import keras_alexnet
    >>> pool = keras_alexnet.layers.CeilMaxPooling2D(3, 2)
    >>> pool(np.zeros((1, 14, 14, 1), "float32")).shape[1:3] == (7, 7)
    True

    Reference: `layer.py:1164` of the 2012 code, `pooling_layer.cpp:91` of
    Caffe.
    """

    def __init__(
        self, pool_size=(2, 2), strides=None, data_format=None, **kwargs
    ):
        super().__init__(
            pool_size, strides=strides, data_format=data_format, **kwargs
        )
        if any(
            stride > size
            for stride, size in zip(self.strides, self.pool_size, strict=True)
        ):
            raise ValueError(
                "`strides` must not exceed `pool_size`. Received: "
                f"pool_size={self.pool_size}, strides={self.strides}"
            )

    def call(self, inputs):
        if rounds_up_as_same(inputs.shape, self._pads(inputs.shape), self):
            return ops.max_pool(
                inputs, self.pool_size, self.strides, "same", self.data_format
            )
        pads = [(0, 0)] * 4
        shape = ops.shape(inputs)
        for axis, pad in self._pads(shape).items():
            pads[axis] = (0, pad)
        if any(pad != (0, 0) for pad in pads):
            lowest = float("-inf")
            inputs = ops.pad(inputs, pads, constant_values=lowest)
        return super().call(inputs)

    def compute_output_shape(self, input_shape):
        padded = list(input_shape)
        for axis, pad in self._pads(input_shape).items():
            if padded[axis] is not None:
                padded[axis] += pad
        return super().compute_output_shape(tuple(padded))

    def get_config(self):
        config = super().get_config()
        # Always "valid": not an argument of this layer.
        del config["padding"]
        return config

    def _pads(self, shape):
        axes = (1, 2) if self.data_format == "channels_last" else (2, 3)
        return {
            axis: zeros_to_round_up(shape[axis], size, stride)
            for axis, size, stride in zip(
                axes, self.pool_size, self.strides, strict=True
            )
        }


def rounds_up_as_same(shape, zeros, layer):
    """Whether TensorFlow's padding `"same"` makes the windows of a layer.

    It does where both sides lack one pixel, such as 24 pixels for windows of 3
    at a stride of 2; then no padded copy of the images is needed.

    Args:
        shape: Tuple, of the inputs.
        zeros: Dict of axis to the pixels that hang over.
        layer: A pooling layer.

    Returns:
        Boolean.

    Example:

    >>> layer = CeilMaxPooling2D(3, 2)
    >>> rounds_up_as_same((8, 24, 24, 1), {1: 1, 2: 1}, layer)
    True
    """
    if keras.backend.backend() != "tensorflow":
        return False
    windows = zip(zeros.items(), layer.pool_size, layer.strides, strict=True)
    return all(
        shape[axis] is not None
        and count == 1
        and -(-shape[axis] // stride) == 1 + (shape[axis] + 1 - size) // stride
        for (axis, count), size, stride in windows
    )
