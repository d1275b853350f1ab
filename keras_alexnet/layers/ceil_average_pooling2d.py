import keras
from keras import ops

from keras_alexnet.layers.ceil_pooling import CeilPooling


@keras.saving.register_keras_serializable("keras_alexnet")
class CeilAveragePooling2D(CeilPooling, keras.layers.AveragePooling2D):
    """Average pooling whose output size is rounded up, as in 2011.

    ```
    size_out = 1 + ceil((size + 2 * padding - pool_size) / strides)
    ```

    The last window may hang over the bottom and right edges. The average is
    taken over the pixels that exist: it is divided by their number and not by
    the area of the whole window. Pixels of the padding count as pixels of
    value 0. Caffe, and PyTorch with `ceil_mode=True`, compute the same.

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
            window could lie outside the image; or if `padding` is.

    Example:

    >>> import numpy as np
    >>> import keras_alexnet
    >>> pool = keras_alexnet.layers.CeilAveragePooling2D(3, 2)
    >>> y = pool(np.full((1, 4, 4, 1), 8, "float32"))
    >>> y.shape[1:3] == (2, 2), float(keras.ops.min(y))
    (True, 8.0)

    Reference: `regionSize` in `cudaconv2/conv_util.cuh` of cuda-convnet;
    `pool_size` in `pooling_layer.cpp` of Caffe.
    """

    def call(self, inputs):
        if self.rounds_up_as_same(inputs.shape):
            # TensorFlow's average is over the pixels that exist, too.
            return ops.average_pool(
                inputs, self.pool_size, self.strides, "same", self.data_format
            )
        shape = ops.shape(inputs)
        zeros = self.zeros(shape)
        # A side that is known only when the graph runs may need some, too.
        some = {
            axis: count
            for axis, count in zeros.items()
            if not isinstance(count, int) or count
        }
        if some or any(self.pixels):
            pads = self.pads(shape)
            pads = [pads.get(axis, (0, 0)) for axis in range(4)]
            inputs = ops.pad(inputs, pads)
        outputs = super().call(inputs)
        for axis, count in some.items():
            outputs = outputs * self._correction(outputs, axis, count)
        return outputs

    def _correction(self, outputs, axis, zeros):
        """Turns averages over whole windows into those over real pixels.

        Only the last window along an axis holds zeros of the padding, because
        there are fewer of them than pixels in a stride.
        """
        size = self.pool_size[self.spatial_axes.index(axis)]
        count = ops.shape(outputs)[axis]
        shape = [1] * 4
        shape[axis] = count
        zeros = ops.cast(zeros, outputs.dtype)
        last = ops.cast(ops.arange(count) == count - 1, outputs.dtype)
        return ops.reshape(1 + last * zeros / (size - zeros), shape)
