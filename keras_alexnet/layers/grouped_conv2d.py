import numbers

import keras
from keras import ops

from keras_alexnet.layers.column_sharding import column_distribution
from keras_alexnet.layers.column_sharding import convolve_columns

# With more groups than this, separate convolutions are no longer faster.
MOST_SPLITS = 8


@keras.saving.register_keras_serializable("keras_alexnet")
class GroupedConv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with fast grouping and two more paddings.

    Channel group `g` of the output sees channel group `g` of the input alone:

    ```
    y[..., g] = conv(x[..., g], kernel[..., g]) + bias[g]
    ```

    The kernel has the layout of `keras.layers.Conv2D(groups=...)`,
    `(height, width, channels // groups, filters)`, so the weights
    of either layer fit the other. Keras compiles a grouped convolution on
    TensorFlow's CPU with XLA, which is slow; here a few groups are separate
    convolutions, whose outputs are concatenated.

    **Padding.** `"ceil"` rounds the output size *up*, as cuda-convnet did in
    2012 and no framework has done since: to
    `1 + ceil((size - kernel) / stride)`, with zeros at the bottom and right
    only. So an input of 224, a kernel of 11 and a stride of 4 give 55, where
    `"valid"` gives 54 and `"same"` 56. An integer adds so many zeros on every
    side and rounds the size down, as Caffe and PyTorch do.

    Args:
        filters: Integer. Number of output channels, divisible by `groups`.
        kernel_size: Integer or pair. Height and width of the window.
        strides: Integer or pair. Defaults to `(1, 1)`.
        padding: `"valid"`, `"same"`, `"ceil"`, or an integer number of
            pixels. Defaults to `"valid"`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        dilation_rate: Integer or pair. Defaults to `(1, 1)`.
        groups: Integer. Defaults to `1`.
        **kwargs: The other arguments of `keras.layers.Conv2D`.

    Call arguments:
        inputs: Tensor of rank 4.

    Returns:
        Tensor of rank 4, the activation of the convolution.

    Raises:
        ValueError: If `padding` is none of the above, or channels or
            filters are not divisible by `groups`.

    Example:

    >>> import numpy as np
    >>> import keras_alexnet
    >>> conv1 = keras_alexnet.layers.GroupedConv2D(
    ...     8, 11, strides=4, padding="ceil")
    >>> conv1(np.zeros((1, 224, 224, 3), "float32")).shape[1:3] == (55, 55)
    True

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 3.5. Rounding up: `layer.py:1004` of the 2012 code.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        data_format=None,
        dilation_rate=(1, 1),
        groups=1,
        **kwargs,
    ):
        self._explicit_padding = None
        if isinstance(padding, str):
            if padding not in ("valid", "same", "ceil"):
                raise ValueError(
                    '`padding` must be "valid", "same", "ceil" or an integer. '
                    f"Received: padding={padding!r}"
                )
        elif (
            isinstance(padding, bool)
            or not isinstance(padding, numbers.Real)
            or int(padding) != padding
            or padding < 0
        ):
            raise ValueError(
                "`padding` in pixels must be an integer, 0 or more, the same "
                f"on all sides. Received: padding={padding!r}"
            )
        else:
            padding = int(padding)
        own = padding if padding not in ("valid", "same") else None
        super().__init__(
            filters,
            kernel_size,
            strides=strides,
            padding="valid" if own is not None else padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            groups=groups,
            **kwargs,
        )
        self._explicit_padding = own

    def convolution_op(self, inputs, kernel):
        inputs = self._pad(inputs)
        axis = -1 if self.data_format == "channels_last" else 1
        distribution = column_distribution(self.groups)
        if distribution is not None:
            convolve = super().convolution_op
            return convolve_columns(
                convolve, inputs, kernel, distribution, axis
            )
        if not self._splits():
            return super().convolution_op(inputs, kernel)
        outputs = [
            ops.conv(
                part,
                part_kernel,
                strides=list(self.strides),
                padding=self.padding,
                data_format=self.data_format,
                dilation_rate=self.dilation_rate,
            )
            for part, part_kernel in zip(
                ops.split(inputs, self.groups, axis=axis),
                ops.split(kernel, self.groups, axis=-1),
                strict=True,
            )
        ]
        return ops.concatenate(outputs, axis=axis)

    def compute_output_shape(self, input_shape):
        if self._explicit_padding is None:
            return super().compute_output_shape(input_shape)
        padded = list(input_shape)
        for axis, pads in zip(
            self._spatial_axes(), self._pads(input_shape), strict=True
        ):
            if padded[axis] is not None:
                padded[axis] += sum(pads)
        return super().compute_output_shape(tuple(padded))

    def get_config(self):
        config = super().get_config()
        if self._explicit_padding is not None:
            config["padding"] = self._explicit_padding
        return config

    def _splits(self):
        if keras.backend.backend() != "tensorflow":
            return False
        if not 1 < self.groups <= MOST_SPLITS:
            return False
        # Imported here: the other backends do not need TensorFlow.
        import tensorflow as tf

        return not tf.config.list_physical_devices("GPU")

    def _spatial_axes(self):
        return (1, 2) if self.data_format == "channels_last" else (2, 3)

    def _pads(self, shape):
        """Zeros (before, after) each spatial axis."""
        if self._explicit_padding != "ceil":
            return [(self._explicit_padding,) * 2] * 2
        return [
            (0, zeros_to_round_up(shape[axis], kernel, stride, dilation))
            for axis, kernel, stride, dilation in zip(
                self._spatial_axes(),
                self.kernel_size,
                self.strides,
                self.dilation_rate,
                strict=True,
            )
        ]

    def _pad(self, inputs):
        if self._explicit_padding is None:
            return inputs
        shape = ops.shape(inputs)
        pads = [(0, 0)] * 4
        for axis, pad in zip(
            self._spatial_axes(), self._pads(shape), strict=True
        ):
            pads[axis] = pad
        return ops.pad(inputs, pads)


def zeros_to_round_up(size, kernel, stride, dilation=1):
    """Zeros at the end that make `(size - window) / stride` whole."""
    if size is None:
        return 0
    window = dilation * (kernel - 1) + 1
    return -(size - window) % stride
