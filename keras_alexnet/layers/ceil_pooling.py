"""What pooling layers have in common whose output size is rounded up."""

import numbers

import keras
from keras import ops

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
        padding: Integer or pair, pixels around the image, fewer than
            `pool_size`. A window must begin in the image or in the padding
            before it. Defaults to `0`.
        **kwargs: `name`, `dtype` and other base layer arguments.

    Raises:
        ValueError: If a stride is larger than the window, because the last
            window could then lie outside the image; or if `padding` is.
    """

    def __init__(
        self,
        pool_size=(2, 2),
        strides=None,
        data_format=None,
        padding=0,
        **kwargs,
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
        pair = (padding,) * 2 if isinstance(padding, numbers.Real) else padding
        fits = len(pair) == 2 and all(
            int(pixels) == pixels and 0 <= pixels < size
            for pixels, size in zip(pair, self.pool_size, strict=True)
        )
        if not fits:
            raise ValueError(
                "`padding` must be an integer number of pixels or a pair, 0 or "
                "more and smaller than `pool_size`. Received: "
                f"padding={padding!r}, pool_size={self.pool_size}"
            )
        self.pixels = tuple(int(pixels) for pixels in pair)

    def compute_output_shape(self, input_shape):
        padded = list(input_shape)
        for axis, pads in self.pads(input_shape).items():
            if padded[axis] is not None:
                padded[axis] += sum(pads)
        return super().compute_output_shape(tuple(padded))

    def get_config(self):
        # (Keras's own padding is always "valid".)
        return {**super().get_config(), "padding": self.pixels}

    @property
    def spatial_axes(self):
        """The axes of height and width."""
        return (1, 2) if self.data_format == "channels_last" else (2, 3)

    def pads(self, shape):
        """Dict of a spatial axis to the pixels added before and after it."""
        return {
            axis: (pixels, _pixels_after(shape[axis], size, stride, pixels))
            for axis, size, stride, pixels in self._windows()
        }

    def zeros(self, shape):
        """Dict of a spatial axis to the pixels that windows hang over it.

        That is over the padding, too.
        """
        return {
            axis: _overhang(shape[axis], size, stride, pixels)
            for axis, size, stride, pixels in self._windows()
        }

    def _windows(self):
        return zip(
            self.spatial_axes,
            self.pool_size,
            self.strides,
            self.pixels,
            strict=True,
        )

    def rounds_up_as_same(self, shape):
        """Whether TensorFlow's padding `"same"` makes the same windows.

        It does where both sides lack one pixel, such as 24 pixels for windows
        of 3 at a stride of 2; then no padded copy of the images is needed.
        """
        if keras.backend.backend() != "tensorflow" or any(self.pixels):
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


def _overhang(size, window, stride, pixels):
    """Pixels by which the last window hangs over the padded image."""
    if size is None or not pixels:
        return zeros_to_round_up(size, window, stride)
    over = _last_end(size, window, stride, pixels) - (size + 2 * pixels)
    return _at_least_0(over)


def _pixels_after(size, window, stride, pixels):
    """Pixels to add at the end so that all windows are complete."""
    if size is None or not pixels:
        return zeros_to_round_up(size, window, stride)
    end = _last_end(size, window, stride, pixels)
    return _at_least_0(end - (size + pixels))


def _last_end(size, window, stride, pixels):
    """Where the last window ends, counted from the beginning of the padding."""
    rounded = -(-(size + 2 * pixels - window) // stride) * stride
    inside = (size + pixels - 1) // stride * stride
    smaller = min if isinstance(size, int) else ops.minimum
    return smaller(rounded, inside) + window


def _at_least_0(count):
    return max(count, 0) if isinstance(count, int) else ops.maximum(count, 0)
