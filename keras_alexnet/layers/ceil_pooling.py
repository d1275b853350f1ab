"""What pooling layers have in common whose output size is rounded up."""

import keras

from keras_alexnet.layers.grouped_conv2d import zeros_to_round_up


class CeilPooling:
    """Rounds the output size of the Keras pooling layer beside it up.

    To be the first base class, before `keras.layers.MaxPooling2D` or
    `keras.layers.AveragePooling2D`.

    Args:
        pool_size: Integer or pair. Defaults to `(2, 2)`.
        strides: Integer or pair, at most `pool_size`. Defaults to `pool_size`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype` and other base layer arguments.

    Raises:
        ValueError: If a stride is larger than the window, because the last
            window could then lie outside the image.
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

    def compute_output_shape(self, input_shape):
        padded = list(input_shape)
        for axis, zeros in self.zeros(input_shape).items():
            if padded[axis] is not None:
                padded[axis] += zeros
        return super().compute_output_shape(tuple(padded))

    def get_config(self):
        config = super().get_config()
        # Always "valid": not an argument of this layer.
        del config["padding"]
        return config

    @property
    def spatial_axes(self):
        """The axes of height and width."""
        return (1, 2) if self.data_format == "channels_last" else (2, 3)

    def zeros(self, shape):
        """Dict of a spatial axis to the pixels that windows hang over it."""
        return {
            axis: zeros_to_round_up(shape[axis], size, stride)
            for axis, size, stride in zip(
                self.spatial_axes, self.pool_size, self.strides, strict=True
            )
        }

    def rounds_up_as_same(self, shape):
        """Whether TensorFlow's padding `"same"` makes the same windows.

        It does where both sides lack one pixel, such as 24 pixels for windows
        of 3 at a stride of 2; then no padded copy of the images is needed.
        """
        if keras.backend.backend() != "tensorflow":
            return False
        windows = zip(
            self.zeros(shape).items(), self.pool_size, self.strides, strict=True
        )
        return all(
            shape[axis] is not None
            and count == 1
            and -(-shape[axis] // stride)
            == 1 + (shape[axis] + 1 - size) // stride
            for (axis, count), size, stride in windows
        )
