import contextlib
import contextvars
import functools
import math

import keras
import numpy as np
from keras import ops

REGIONS = ("across_channels", "within_channel")
CONVENTIONS = ("sum", "mean")

# Above this width a channel band matrix costs more than `n` shifted sums.
WIDEST_BAND = 512

# Numbers per image below which compiling takes longer than it will save.
SMALLEST_COMPILED = 8192

_compile_forward = contextvars.ContextVar("compile_forward", default=False)


@contextlib.contextmanager
def compiled_normalization():
    """Within it the forward pass is compiled in inference, too.

    Layers cannot tell prediction from the tracing of an exporter, and few
    exporters know what XLA has compiled.
    """
    token = _compile_forward.set(True)
    try:
        yield
    finally:
        _compile_forward.reset(token)


@keras.saving.register_keras_serializable("keras_alexnet")
class LocalResponseNormalization(keras.layers.Layer):
    """Local response normalization: activations compete with neighbors.

    ```
    b[i] = a[i] / (k + alpha * sum(a[j]**2 for j in window(i))) ** beta
    ```

    The window of channel `i` holds the `n` channels `i - n//2` to
    `i + (n-1)//2`, clipped to the channels that exist. With
    `region="within_channel"` it is the `n` x `n` pixels around each pixel of
    the same channel instead, zero outside the image.

    **Conventions.** The printed equation and TensorFlow multiply the *sum* of
    squares by `alpha` (`convention="sum"`). The code that won in 2012, Caffe,
    PyTorch, MATLAB and cuDNN multiply their *mean*: `alpha` is divided by `n`
    (by `n * n` within a channel), at the borders too
    (`convention="mean"`). The paper's numbers in its authors' convention are
    `alpha=1e-4, convention="mean"`, that is `alpha=2e-5, convention="sum"`.

    | here | TensorFlow | Caffe | PyTorch |
    |---|---|---|---|
    | `k` | `bias` | `k`, default 1 | `k`, default 1 |
    | `n` | `2 * depth_radius + 1` | `local_size` | `size` |
    | `alpha` | `alpha` (sum) | `alpha` (mean) | `alpha` (mean) |

    The squares are summed in float32 whatever the compute dtype (in float16 an
    activation of 256 would overflow); float64 stays float64. On TensorFlow the
    gradient is analytic and recomputes the denominator, so nothing but the
    input is kept for the backward pass.

    Args:
        k: Float, positive. The constant of the denominator. Defaults to `2.0`.
        n: Integer, 1 or more. Width of the window in channels (or pixels). An
            even window reaches one channel further down than up, as in the
            2012 code. It may be wider than the input. Defaults to `5`.
        alpha: Float, 0 or more. Weight of the squares. Defaults to `1e-4`.
        beta: Float, positive. The exponent. Defaults to `0.75`.
        convention: `"sum"` or `"mean"`, see above. Defaults to `"sum"`.
        groups: Integer. Number of equal groups of neighboring channels, each
            normalized by itself, as the columns of the 2012 network are.
            Defaults to `1`.
        region: `"across_channels"` or `"within_channel"` (Caffe's words).
            Defaults to `"across_channels"`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype` and other base layer arguments.

    Call arguments:
        inputs: Tensor of rank 2 or more (rank 4 within a channel), channels
            last or at axis 1.

    Returns:
        Tensor of the shape of `inputs`, in the compute dtype.

    Raises:
        ValueError: If an argument is out of its range, or the channels are
            not divisible by `groups`.

    Example:

    >>> import numpy as np
    >>> import keras_alexnet
    >>> lrn = keras_alexnet.layers.LocalResponseNormalization(
    ...     k=1.0, n=3, alpha=1.0, beta=1.0)
    >>> y = lrn(np.array([[1.0, 2.0, 3.0]], "float32"))
    >>> [round(float(v), 4) for v in y[0]]  # 1/6, 2/15, 3/14
    [0.1667, 0.1333, 0.2143]

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 3.3. Division by `n`: `layer.py:1183` of the 2012 code;
    window: `cudaconv3/src/conv_util.cu:1190` of cuda-convnet2;
    within a channel: `lrn_layer.cpp` of Caffe.
    """

    def __init__(
        self,
        k=2.0,
        n=5,
        alpha=1e-4,
        beta=0.75,
        convention="sum",
        groups=1,
        region="across_channels",
        data_format=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        _check_number("k", k, positive=True)
        _check_number("alpha", alpha, positive=False)
        _check_number("beta", beta, positive=True)
        _check_count("n", n)
        _check_count("groups", groups)
        _check_choice("convention", convention, CONVENTIONS)
        _check_choice("region", region, REGIONS)
        self.k = k
        self.n = int(n)
        self.alpha = alpha
        self.beta = beta
        self.convention = convention
        self.groups = int(groups)
        self.region = region
        self.data_format = (
            data_format
            if data_format is not None
            else keras.config.image_data_format()
        )
        _check_choice(
            "data_format", self.data_format, ("channels_last", "channels_first")
        )
        self.supports_masking = True

    def build(self, input_shape):
        rank = len(input_shape)
        if self.region == "within_channel" and rank != 4:
            raise ValueError(
                '`region="within_channel"` needs images: inputs of rank 4. '
                f"Received: input_shape={tuple(input_shape)}"
            )
        if rank < 2:
            raise ValueError(
                "Inputs must have a batch and a channel axis. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        channels = input_shape[self._channel_axis(rank)]
        if channels is None:
            raise ValueError(
                "The channel axis of the inputs must be known. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        if channels % self.groups:
            raise ValueError(
                "The number of channels must be divisible by `groups`. "
                f"Received: channels={channels}, groups={self.groups}"
            )

    def call(self, inputs, training=None):
        inputs = ops.convert_to_tensor(inputs)
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        wide = dtype if dtype == "float64" else "float32"
        outputs = self._normalize(ops.cast(inputs, wide), training)
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "k": self.k,
            "n": self.n,
            "alpha": self.alpha,
            "beta": self.beta,
            "convention": self.convention,
            "groups": self.groups,
            "region": self.region,
            "data_format": self.data_format,
        }

    @property
    def scale(self):
        """What the sum of squares is multiplied by, in either convention."""
        if self.convention == "sum":
            return self.alpha
        window = self.n if self.region == "across_channels" else self.n**2
        return self.alpha / window

    def _channel_axis(self, rank):
        return rank - 1 if self.data_format == "channels_last" else 1

    def _normalize(self, x, training):
        if keras.backend.backend() != "tensorflow":
            return self._forward(x, self._window_sum)
        # Imported here: the other backends do not need TensorFlow.
        import tensorflow as tf

        forward = self._fast_forward(x, training)

        @tf.custom_gradient
        def backward(x, dy):
            def second_derivative(upstream):
                with tf.GradientTape() as tape:
                    tape.watch((x, dy))
                    dx = self._backward(x, dy)
                return tape.gradient(dx, (x, dy), upstream)

            # Hidden from tapes, because the loop of compiled calls has no
            # gradient; `second_derivative` is used in its place.
            dx = self._fast_backward(tf.stop_gradient(x), tf.stop_gradient(dy))
            return dx, second_derivative

        @tf.custom_gradient
        def normalize(x):
            return forward(x), functools.partial(backward, x)

        return normalize(x)

    def _fast_forward(self, x, training):
        if not self._runs_on_cpu():
            return functools.partial(self._forward, window_sum=self._window_sum)
        wanted = training or _compile_forward.get()
        large = None not in x.shape[1:] and (
            math.prod(x.shape[1:]) >= SMALLEST_COMPILED
        )
        if wanted and large and not _inside_xla():
            return self._compiled_forward
        return functools.partial(self._forward, window_sum=self._band_sum)

    def _forward(self, x, window_sum):
        return x * self._inverse_powers(x, window_sum)[0]

    def _backward(self, x, dy):
        # With s = k + scale * sum(x**2):
        # dx = dy * s**-beta
        #     - 2 * scale * beta * x * sum'(dy * x * s**-(beta + 1)),
        # where sum' runs over the windows that hold this element.
        power, next_power = self._inverse_powers(x, self._window_sum)
        spread = self._window_sum(dy * x * next_power, transpose=True)
        return dy * power - (2.0 * self.scale * self.beta) * x * spread

    @functools.cached_property
    def _compiled_forward(self):
        import tensorflow as tf

        def forward(x):
            return self._forward(x, self._window_sum)

        return tf.function(forward, jit_compile=True, autograph=False)

    def _fast_backward(self, x, dy):
        # In-place updates do not exist within XLA, in case the caller
        # compiles as well.
        images = len(x.shape) == 4 and self._runs_on_cpu()
        if images and not _inside_xla():
            return self._backward_by_image(x, dy)
        return self._compiled_backward(x, dy)

    @functools.cached_property
    def _compiled_backward(self):
        # Compiled, a pass is a few loops over the data instead of twenty.
        # Only training graphs hold this one, so exporters never see it.
        import tensorflow as tf

        return tf.function(self._backward, jit_compile=True, autograph=False)

    @functools.cached_property
    def _backward_by_image(self):
        # The intermediate results of one image stay in the cache, and the
        # whole result is written once, into its place.
        import tensorflow as tf

        def backward(x, dy):
            def one(i, dx):
                image = self._compiled_backward(x[i : i + 1], dy[i : i + 1])
                dx = tf.raw_ops.InplaceUpdate(x=dx, i=i[None], v=image)
                return i + 1, tf.ensure_shape(dx, x.shape)

            count = tf.shape(x)[0]
            dx = tf.raw_ops.Empty(shape=tf.shape(x), dtype=x.dtype)
            return tf.while_loop(
                lambda i, _: i < count,
                one,
                (0, tf.ensure_shape(dx, x.shape)),
                parallel_iterations=2,
            )[1]

        return tf.function(backward, autograph=False)

    def _runs_on_cpu(self):
        import tensorflow as tf

        return not tf.config.list_physical_devices("GPU")

    def _inverse_powers(self, x, window_sum):
        """`s**-beta` and `s**-(beta + 1)` of the denominator's base `s`."""
        s = self.k + self.scale * window_sum(ops.square(x))
        if self.beta not in (0.5, 0.75):
            power = ops.power(s, -self.beta)
            return power, power / s
        root = ops.rsqrt(s)
        power = root if self.beta == 0.5 else root * ops.sqrt(root)
        return power, power * root * root

    def _window_sum(self, x, transpose=False):
        """Sums `x` over each element's window by shifted additions.

        With `transpose=True` the window is mirrored: the sum is over the
        elements whose window holds this one.
        """
        rank = len(x.shape)
        channel = self._channel_axis(rank)
        if self.region == "within_channel":
            for axis in (axis for axis in (1, 2, 3) if axis != channel):
                x = self._shifted_sum(x, axis, transpose)
            return x
        shape = ops.shape(x)
        split = (self.groups, x.shape[channel] // self.groups)
        x = ops.reshape(x, shape[:channel] + split + shape[channel + 1 :])
        x = self._shifted_sum(x, channel + 1, transpose)
        return ops.reshape(x, shape)

    def _shifted_sum(self, x, axis, transpose):
        length = x.shape[axis]
        below, above = self.n // 2, (self.n - 1) // 2
        if transpose:
            below, above = above, below
        if length is not None:
            # Beyond the far end there is nothing but zeros to add.
            below, above = min(below, length - 1), min(above, length - 1)
        else:
            length = ops.shape(x)[axis]
        pads = [(0, 0)] * len(x.shape)
        pads[axis] = (below, above)
        padded = ops.pad(x, pads)
        before = (slice(None),) * axis
        return sum(
            padded[before + (slice(start, start + length),)]
            for start in range(below + above + 1)
        )

    def _band_sum(self, x):
        """`_window_sum` as a product with a band matrix.

        On CPUs one matrix product is faster than `n` passes over memory.
        """
        channel = self._channel_axis(len(x.shape))
        width = x.shape[channel] // self.groups
        if (
            self.region == "within_channel"
            or channel != len(x.shape) - 1
            or width > WIDEST_BAND
        ):
            return self._window_sum(x)
        shape = ops.shape(x)
        rows = ops.reshape(x, (-1, width))
        return ops.reshape(
            ops.matmul(rows, ops.cast(self._band(width), x.dtype)), shape
        )

    def _band(self, width):
        offset = np.arange(width)[:, None] - np.arange(width)[None, :]
        return (offset >= -(self.n // 2)) & (offset <= (self.n - 1) // 2)


def _inside_xla():
    import tensorflow as tf

    # Private: nothing public tells whether the function that is traced now
    # will be compiled. `tf.executing_eagerly` and `tf.inside_function` do not,
    # and the layer is not told what its model was compiled with.
    from tensorflow.python.ops import control_flow_util

    graph = tf.compat.v1.get_default_graph()
    return control_flow_util.GraphOrParentsInXlaContext(graph)


def _check_number(name, value, positive):
    if value != value or value < 0 or (positive and value == 0):
        wanted = "positive" if positive else "0 or more"
        raise ValueError(f"`{name}` must be {wanted}. Received: {name}={value}")


def _check_count(name, value):
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise ValueError(
            f"`{name}` must be an integer, 1 or more. Received: {name}={value}"
        )


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {choices}. Received: {name}={value!r}"
        )
