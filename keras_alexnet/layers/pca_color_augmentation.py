"""PCA color augmentation: section 4.1 of the paper."""

import keras
import numpy as np
from keras import ops

from keras_alexnet.layers.color_covariance import streamed_covariance

# The 2012 constants, in grey levels of 0-255 RGB: standard deviations along
# the principal components, the components as columns, the mean color.
# cuda-convnet2, make-data/input_meta.
STDS_2012 = (19.72083305, 37.09388853, 121.78006099)
EIGENVECTORS_2012 = (
    (0.41796, -0.71258, -0.56351),
    (-0.81698, -0.02354, -0.57618),
    (0.39731, 0.70120, -0.59200),
)
MEAN_COLOR_2012 = (127.30, 119.72, 104.91)


class _GivenSeed(keras.random.SeedGenerator):
    """A generator that always gives the caller's seed, for stateless draws."""

    def __init__(self, state):
        self.given = state

    def next(self, ordered=True):
        return self.given


@keras.saving.register_keras_serializable("keras_alexnet")
class PCAColorAugmentation(keras.layers.Layer):
    """Adds a random color to each image, along the principal components.

    ```
    x + V (alpha * stds),   alpha ~ Normal(0, sigma), one triple per image
    ```

    where the columns of `V` are the eigenvectors of the 3x3 covariance of the
    training set's RGB pixels and `stds` the square roots of its eigenvalues.

    Convention: the paper prints `alpha * eigenvalue`. The 2012 code multiplies
    by the *square root* of the eigenvalue, the only form that does not depend
    on the unit of the pixels; this is `scale="std"`. `scale="eigenvalue"` takes
    the eigenvalues of pixels measured as a fraction of `value_range` (as
    fb.resnet.torch and tensorpack do). Nothing is clipped, as in 2012.
    Arithmetic is float32 (float64 if the layer's dtype is), the result has the
    layer's compute dtype, never an integer one, so uint8 images do not wrap.
    That is float32 by default, whatever the global policy: bfloat16 cannot
    tell 200.3 from 200.

    Args:
        sigma: Float, standard deviation of `alpha`. Defaults to `0.1`
            (section 4.1).
        eigenvectors: Array of shape `(3, 3)`, one eigenvector per *column*,
            in the channel order of the inputs. Defaults to the 2012 ones.
        stds: Three floats, standard deviations along the columns of
            `eigenvectors`, in the units of the inputs. Defaults to the 2012
            constants, converted to `value_range`.
        scale: `"std"` (2012 code) or `"eigenvalue"` (printed text).
        value_range: Pair of floats, what black and white are in the inputs.
            Defaults to `(0, 255)`.
        divide: Boolean. Whether to divide by `1 + sigma` afterwards, as the
            2012 code does to its centered images, "so that the overall scale
            doesn't become too different". Defaults to `False`.
        center: Float or three floats, the color toward which `divide`
            shrinks, in the units of the inputs: `0` for images that are already
            centered. Defaults to the 2012 mean color.
        channel_order: `"rgb"` or `"bgr"`, the order of the inputs' channels;
            the built-in constants are put into it. Defaults to `"rgb"`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            Keras's setting.
        seed: Integer or `None`. Equal seeds give equal sequences of draws.
        **kwargs: `name`, `dtype` (defaults to `"float32"`) and other base
            layer arguments.

    Call arguments:
        images: Tensor of shape `(batch, height, width, 3)` or
            `(height, width, 3)`, integer or float (channels first likewise).
        training: Boolean. Outside of training the layer changes
            nothing but the dtype. `fit`, `evaluate` and `predict` set it;
            defaults to `True`, as in Keras's augmentation layers, so that
            `dataset.map(layer)` augments.
        seed: Integer tensor of shape `(2,)` or `None`. If given, the draw is
            a function of it alone: reproducible in a parallel `map`, too.
        sigma: Scalar tensor or `None`, takes the place of the layer's, for a
            schedule.
        rows: Pair or `None`. If given, the images are those rows of a larger
            batch, and get its noise: an integer tensor of shape `(batch,)`,
            which rows, and an integer tensor, how many there are in all.

    Returns:
        Tensor of the shape of `images`, in the layer's compute dtype.

    Raises:
        ValueError: If an argument is none of the above, or inputs are no RGB
            images.

    Example:

    >>> images = np.full((2, 4, 4, 3), 200, "uint8")
    >>> layer = PCAColorAugmentation(seed=0)
    >>> layer(images, training=True).shape
    TensorShape([2, 4, 4, 3])
    >>> float(ops.max(layer(images, training=False)))
    200.0

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 4.1; cuda-convnet `convdata.py`, cuda-convnet2
    `make-data/input_meta`.
    """

    def __init__(
        self,
        sigma=0.1,
        eigenvectors=None,
        stds=None,
        scale="std",
        value_range=(0, 255),
        divide=False,
        center=None,
        channel_order="rgb",
        data_format=None,
        seed=None,
        **kwargs,
    ):
        kwargs.setdefault("dtype", "float32")
        super().__init__(autocast=False, **kwargs)
        data_format = data_format or keras.config.image_data_format()
        _check_options(sigma, scale, value_range, channel_order, data_format)
        if (eigenvectors is None) != (stds is None):
            raise ValueError(
                "`eigenvectors` and `stds` must be given together: they are "
                "two halves of one covariance. Received: "
                f"eigenvectors={eigenvectors}, stds={stds}"
            )
        self.sigma = float(sigma)
        self.scale = scale
        self.value_range = tuple(float(value) for value in value_range)
        self.divide = divide
        self.channel_order = channel_order
        self.data_format = data_format
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)
        self._set_colors(eigenvectors, stds, center)

    def _set_colors(self, eigenvectors, stds, center):
        low, high = self.value_range
        unit = (high - low) / 255
        order = slice(None, None, 1 if self.channel_order == "rgb" else -1)
        if eigenvectors is None:
            eigenvectors = np.array(EIGENVECTORS_2012)[order]
            stds = np.array(STDS_2012) * unit
        if center is None:
            center = low + np.array(MEAN_COLOR_2012)[order] * unit
        _check_colors(np.array(eigenvectors), np.array(stds), center)
        self.eigenvectors = np.array(eigenvectors, "float64")
        self.stds = np.array(stds, "float64")
        self.center = np.broadcast_to(np.array(center, "float64"), (3,))

    @property
    def components(self):
        """Array `(3, 3)`: row i is what alpha_i = 1 adds to a pixel."""
        low, high = self.value_range
        amplitudes = self.stds
        if self.scale == "eigenvalue":
            amplitudes = self.stds**2 / (high - low)
        return (self.eigenvectors * amplitudes).T

    def adapt(self, data):
        """Computes eigenvectors, stds and center from training images.

        One streaming pass, in float64. Call it before the model is compiled.

        Args:
            data: Images as an array `(count, height, width, 3)`, or an
                iterable (such as a `tf.data.Dataset`) of batches, images or
                `(images, labels)` tuples, in the units of the layer's inputs.
        """
        batches = data
        if hasattr(data, "shape"):
            batches = (data[i : i + 64] for i in range(0, len(data), 64))
        axis = -1 if self.data_format == "channels_last" else -3
        mean, covariance = streamed_covariance(batches, axis)
        eigenvalues, eigenvectors = np.linalg.eigh(covariance)
        largest = np.argmax(np.abs(eigenvectors), axis=0)
        eigenvectors *= np.sign(eigenvectors[largest, np.arange(3)])
        stds = np.sqrt(np.maximum(eigenvalues, 0))
        self._set_colors(eigenvectors, stds, mean)

    def __call__(self, images, **kwargs):
        on_tensorflow = keras.backend.backend() == "tensorflow"
        if on_tensorflow or "tensorflow" not in type(images).__module__:
            return super().__call__(images, **kwargs)
        return self._call_in_tf_data(images, **kwargs)

    def build(self, input_shape):
        axis = -1 if self.data_format == "channels_last" else -3
        if len(input_shape) not in (3, 4) or input_shape[axis] != 3:
            raise ValueError(
                "Inputs must be RGB images or a batch of them, three channels "
                f"in {self.data_format}. "
                f"Received: input_shape={tuple(input_shape)}"
            )

    def call(self, images, training=True, seed=None, sigma=None, rows=None):
        images = ops.convert_to_tensor(images)
        if training:
            count = ops.shape(images)[0] if len(images.shape) == 4 else 1
            generator = self.generator if seed is None else _GivenSeed(seed)
            dtype = self._arithmetic_dtype
            count = count if rows is None else rows[1]
            alpha = keras.random.normal((count, 3), dtype=dtype, seed=generator)
            if rows is not None:
                alpha = ops.take(alpha, rows[0], axis=0)
            images = self._augment(images, alpha, sigma, ops.cast)
        return ops.cast(images, self.compute_dtype)

    def _call_in_tf_data(
        self, images, training=True, seed=None, sigma=None, rows=None
    ):
        """Does what `call` does, in `tf.data` and on any backend of Keras."""
        import tensorflow as tf

        if training:
            count = tf.shape(images)[0] if images.shape.rank == 4 else 1
            shape = (count if rows is None else rows[1], 3)
            dtype = self._arithmetic_dtype
            if seed is None:
                alpha = tf.random.normal(shape, dtype=dtype, seed=self.seed)
            else:
                alpha = tf.random.stateless_normal(shape, seed, dtype=dtype)
            if rows is not None:
                alpha = tf.gather(alpha, rows[0])
            images = self._augment(images, alpha, sigma, tf.cast)
        return tf.cast(images, self.compute_dtype)

    def _augment(self, images, alpha, sigma, cast):
        """Adds the noise of `alpha`, by operators that every backend has."""
        dtype = self._arithmetic_dtype
        first = self.data_format == "channels_first"

        def per_image(colors):
            colors = (
                colors[:, :, None, None] if first else colors[:, None, None]
            )
            return colors if len(images.shape) == 4 else colors[0]

        sigma = cast(self.sigma if sigma is None else sigma, dtype)
        noise = per_image((alpha * sigma) @ cast(self.components, dtype))
        width = images.shape[-2]
        if not first and width is not None:
            # TensorFlow adds a whole row of pixels faster than three numbers.
            noise = noise + cast(np.zeros((width, 1)), dtype)
        outputs = cast(images, dtype) + noise
        if self.divide:
            center = per_image(cast(self.center[None], dtype))
            outputs = center + (outputs - center) / (1.0 + sigma)
        return outputs

    @property
    def _arithmetic_dtype(self):
        return "float64" if self.compute_dtype == "float64" else "float32"

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "sigma": self.sigma,
            "eigenvectors": self.eigenvectors.tolist(),
            "stds": self.stds.tolist(),
            "scale": self.scale,
            "value_range": self.value_range,
            "divide": self.divide,
            "center": self.center.tolist(),
            "channel_order": self.channel_order,
            "data_format": self.data_format,
            "seed": self.seed,
        }


def _check_options(sigma, scale, value_range, channel_order, data_format):
    if sigma < 0:
        raise ValueError(
            f"`sigma` must not be negative. Received: sigma={sigma}"
        )
    if scale not in ("std", "eigenvalue"):
        raise ValueError(
            '`scale` must be "std" (the 2012 code) or "eigenvalue" (the '
            f"printed text). Received: scale={scale!r}"
        )
    if channel_order not in ("rgb", "bgr"):
        raise ValueError(
            '`channel_order` must be "rgb" or "bgr". '
            f"Received: channel_order={channel_order!r}"
        )
    if not value_range[0] < value_range[1]:
        raise ValueError(
            "`value_range` must be (black, white) with black below white. "
            f"Received: value_range={value_range}"
        )
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            '`data_format` must be "channels_last" or "channels_first". '
            f"Received: data_format={data_format!r}"
        )


def _check_colors(eigenvectors, stds, center):
    if np.shape(center) not in ((), (3,)):
        raise ValueError(
            f"`center` must be a number or three. Received: center={center}"
        )
    if eigenvectors.shape != (3, 3) or stds.shape != (3,):
        raise ValueError(
            "`eigenvectors` must have shape (3, 3) and `stds` (3,). "
            f"Received shapes: {eigenvectors.shape}, "
            f"{stds.shape}"
        )
    if not np.allclose(eigenvectors.T @ eigenvectors, np.eye(3), atol=1e-3):
        raise ValueError(
            "`eigenvectors` must be orthonormal, one per column. "
            f"Received: eigenvectors={eigenvectors}"
        )
    if np.any(stds < 0):
        raise ValueError(
            "`stds` must not be negative: give standard deviations, the "
            f"square roots of the eigenvalues. Received: stds={stds}"
        )
