import math
import numbers

import keras
import numpy as np
from keras import activations
from keras import constraints
from keras import initializers
from keras import ops
from keras import regularizers


@keras.saving.register_keras_serializable("keras_alexnet")
class LocallyConnected2D(keras.layers.Layer):
    """Unshared convolution: each position has a kernel and biases of its own.

    ```
    y[p, f] = activation(sum(window(p) * kernel[p, :, f]) + bias[p, f])
    ```

    Keras 2 had this layer and Keras 3 removed it. Arguments and weights are
    those of Keras 2, so the weights of channels-last layers fit both.

    **Weights.** `kernel` is of shape `(height_out * width_out, kernel_height *
    kernel_width * channels, filters)`: positions row by row, and of each
    window rows, then columns, then channels, whatever the data format. `bias`
    is of shape `(height_out, width_out, filters)`.

    **Convention.** An initializer that looks at the number of inputs, such as
    `"glorot_uniform"`, counts the inputs of one window.
    Keras 2 counted the positions, too: its weights began smaller by the
    square root of their number.

    A batch is computed as one product of matrices per position, from a copy
    of all windows: it takes kernel height times kernel width as much memory
    as the images.

    Args:
        filters: Integer. Number of output channels.
        kernel_size: Integer or pair. Height and width of the window.
        strides: Integer or pair. Defaults to `(1, 1)`.
        padding: `"valid"` or `"same"`. Defaults to `"valid"`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        activation: Name or callable. Defaults to `None`.
        use_bias: Boolean. Defaults to `True`.
        kernel_initializer: Defaults to `"glorot_uniform"`.
        bias_initializer: Defaults to `"zeros"`.
        kernel_regularizer: Defaults to `None`.
        bias_regularizer: Defaults to `None`.
        activity_regularizer: Defaults to `None`.
        kernel_constraint: Defaults to `None`.
        bias_constraint: Defaults to `None`.
        **kwargs: `name`, `dtype` and other base layer arguments.

    Call arguments:
        inputs: Tensor of rank 4, of a fixed height and width.

    Returns:
        Tensor of rank 4.

    Raises:
        ValueError: If an argument is out of its range, or images have no
            fixed size or are smaller than the window.

    Example:

    >>> import numpy as np
    >>> import keras_alexnet
    >>> local3 = keras_alexnet.layers.LocallyConnected2D(
    ...     64, 3, padding="same", data_format="channels_last")
    >>> local3(np.zeros((1, 6, 6, 64), "float32")).shape == (1, 6, 6, 64)
    True
    >>> tuple(local3.kernel.shape), tuple(local3.bias.shape)
    ((36, 576, 64), (6, 6, 64))

    Reference: the layer type `local` of cuda-convnet, `LayerParams.wiki`.
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1),
        padding="valid",
        data_format=None,
        activation=None,
        use_bias=True,
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = _count("filters", filters)
        self.kernel_size = _pair("kernel_size", kernel_size)
        self.strides = _pair("strides", strides)
        self.padding = _choice("padding", padding, ("valid", "same"))
        self.data_format = _choice(
            "data_format",
            data_format or keras.config.image_data_format(),
            ("channels_last", "channels_first"),
        )
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        height, width, channels = self._image(input_shape)
        if None in (height, width, channels):
            raise ValueError(
                "Images must have a fixed size: there is a kernel for each "
                f"position. Received: input_shape={tuple(input_shape)}"
            )
        sizes = self._output_sizes(height, width)
        if min(sizes) < 1:
            raise ValueError(
                "Images must not be smaller than the window. Received: "
                f"input_shape={tuple(input_shape)}, "
                f"kernel_size={self.kernel_size}"
            )
        window = math.prod(self.kernel_size) * channels
        self.kernel = self.add_weight(
            name="kernel",
            shape=(math.prod(sizes), window, self.filters),
            initializer=self._kernel_initializer(math.prod(sizes)),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(*sizes, self.filters),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))

    def call(self, inputs):
        first = self.data_format == "channels_first"
        height, width, channels = self._image(inputs.shape)
        sizes = self._output_sizes(height, width)
        # The batch comes last: what is gathered are whole rows of memory, and
        # the kernels need not be moved.
        order = (2, 3, 1, 0) if first else (1, 2, 3, 0)
        pixels = ops.reshape(
            ops.transpose(inputs, order), (height * width, channels, -1)
        )
        table = self._positions(height, width)
        if table.max() == height * width:
            pixels = ops.pad(pixels, ((0, 1), (0, 0), (0, 0)))
        windows = ops.reshape(
            ops.take(pixels, table.ravel(), axis=0),
            (len(table), -1, ops.shape(pixels)[2]),
        )
        outputs = ops.matmul(ops.transpose(self.kernel, (0, 2, 1)), windows)
        outputs = ops.reshape(outputs, (*sizes, self.filters, -1))
        outputs = ops.transpose(
            outputs, (3, 2, 0, 1) if first else (3, 0, 1, 2)
        )
        if self.use_bias:
            bias = ops.transpose(self.bias, (2, 0, 1)) if first else self.bias
            outputs = outputs + bias
        return self.activation(outputs)

    def compute_output_shape(self, input_shape):
        height, width, _ = self._image(input_shape)
        sizes = self._output_sizes(height, width)
        if self.data_format == "channels_first":
            return (input_shape[0], self.filters, *sizes)
        return (input_shape[0], *sizes, self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(
                self.kernel_initializer
            ),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(
                self.kernel_regularizer
            ),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(
                self.activity_regularizer
            ),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }

    def _image(self, shape):
        """Height, width and channels."""
        if self.data_format == "channels_first":
            return shape[2], shape[3], shape[1]
        return tuple(shape[1:])

    def _output_sizes(self, height, width):
        same = self.padding == "same"
        return tuple(
            size and -(-(size if same else size - kernel + 1) // stride)
            for size, kernel, stride in zip(
                (height, width), self.kernel_size, self.strides, strict=True
            )
        )

    def _kernel_initializer(self, positions):
        given = self.kernel_initializer
        if not isinstance(given, initializers.VarianceScaling):
            return given
        # Keras takes the first axis for pixels of one large window.
        return lambda shape, dtype=None: (
            given(shape, dtype) * math.sqrt(positions)
        )

    def _positions(self, height, width):
        """Which pixel is where in which window.

        Returns:
            Integer array of shape `(positions, kernel_height * kernel_width)`
            of pixels counted row by row; `height * width` is one of padding.
        """
        rows, columns = (
            self._pixels(axis, size)
            for axis, size in enumerate((height, width))
        )
        rows = rows[:, None, :, None]
        columns = columns[None, :, None, :]
        outside = (rows < 0) | (rows >= height)
        outside = outside | (columns < 0) | (columns >= width)
        pixels = np.where(outside, height * width, rows * width + columns)
        return pixels.reshape(-1, math.prod(self.kernel_size)).astype("int32")

    def _pixels(self, axis, size):
        """Along one axis: pixels of each window, from -1 down outside."""
        kernel, stride = self.kernel_size[axis], self.strides[axis]
        count = self._output_sizes(size, size)[axis]
        start = 0
        if self.padding == "same":
            start = -(max(stride * (count - 1) + kernel - size, 0) // 2)
        return start + stride * np.arange(count)[:, None] + np.arange(kernel)


def _count(name, value):
    whole = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not whole or int(value) != value or value < 1:
        raise ValueError(
            f"`{name}` must be an integer, 1 or more. "
            f"Received: {name}={value!r}"
        )
    return int(value)


def _pair(name, value):
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value,) * 2
    if len(pair) != 2:
        raise ValueError(
            f"`{name}` must be an integer or a pair. Received: {name}={value!r}"
        )
    return tuple(_count(name, side) for side in pair)


def _choice(name, value, choices):
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {choices}. Received: {name}={value!r}"
        )
    return value
