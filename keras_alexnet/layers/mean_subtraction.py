import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("keras_alexnet")
class MeanSubtraction(keras.layers.Layer):
    """Centers raw RGB images on the mean of the training set.

    ```
    y = (x - mean) / std, channels reversed if channel_order is "bgr"
    ```

    The mean is a weight, saved with the model. It starts as the color `mean`;
    with `per_pixel=True` it is an image, to which the training set's mean
    image is assigned (`layer.set_mean(image)`), as in 2012. Every crop is
    then centered by the central crop of the mean image, wherever in its own
    image the crop was cut.

    Computes in float32 by default: bfloat16 cannot tell 200.3 from 200.

    Args:
        mean: Three floats in RGB order, grey levels 0-255. Defaults to the
            color mean of the 2012 training set.
        std: Float or three floats in RGB order. Defaults to `1.0`.
        channel_order: `"rgb"` or `"bgr"`, the order of the *output*; inputs
            are always RGB. Defaults to `"rgb"`.
        per_pixel: Boolean. Whether the mean is an image. Defaults to `False`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype` (defaults to `"float32"`) and other base
            layer arguments.

    Call arguments:
        inputs: Tensor of shape `(batch, height, width, 3)`, RGB in 0-255,
            integer or float.

    Returns:
        Tensor of the shape of `inputs`.

    Raises:
        ValueError: If `mean` or `std` is not of three values, `std` is not
            positive, a choice is none of those above, or images have no three
            channels or, with `per_pixel`, no fixed size.

    Example:

    >>> import numpy as np
    >>> import keras_alexnet
    >>> layer = keras_alexnet.layers.MeanSubtraction((100.0, 110.0, 120.0))
    >>> y = layer(np.full((1, 1, 1, 3), 128, "uint8"))
    >>> [float(v) for v in np.ravel(y)]
    [28.0, 18.0, 8.0]

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 2; `convdata.py:137,224` of the 2012 code.
    """

    def __init__(
        self,
        mean=(127.30, 119.72, 104.91),
        std=1.0,
        channel_order="rgb",
        per_pixel=False,
        data_format=None,
        **kwargs,
    ):
        kwargs.setdefault("dtype", "float32")
        super().__init__(trainable=kwargs.pop("trainable", False), **kwargs)
        if np.shape(mean) != (3,):
            raise ValueError(
                f"`mean` must be three values, RGB. Received: mean={mean}"
            )
        if np.shape(std) not in ((), (3,)) or np.any(np.asarray(std) <= 0):
            raise ValueError(
                "`std` must be a positive number or three, RGB. "
                f"Received: std={std}"
            )
        if channel_order not in ("rgb", "bgr"):
            raise ValueError(
                '`channel_order` must be "rgb" or "bgr". '
                f"Received: channel_order={channel_order!r}"
            )
        self.mean = [float(value) for value in mean]
        self.std = (
            float(std)
            if np.shape(std) == ()
            else [float(value) for value in std]
        )
        self.channel_order = channel_order
        self.per_pixel = per_pixel
        self.data_format = data_format or keras.config.image_data_format()
        if self.data_format not in ("channels_last", "channels_first"):
            raise ValueError(
                '`data_format` must be "channels_last" or "channels_first". '
                f"Received: data_format={data_format!r}"
            )

    def build(self, input_shape):
        axis = self._channel_axis
        if len(input_shape) != 4 or input_shape[axis] != 3:
            raise ValueError(
                "Inputs must be RGB images, a tensor of rank 4 with three "
                f"channels. Received: input_shape={tuple(input_shape)}"
            )
        image = tuple(input_shape[1:])
        if self.per_pixel and None in image:
            raise ValueError(
                "`per_pixel=True` needs images of a fixed size. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        shape = image if self.per_pixel else self._broadcast_shape
        color = np.reshape(self.mean, self._broadcast_shape)
        self.offset = self.add_weight(
            name="mean",
            shape=shape,
            initializer=lambda shape, dtype=None: ops.cast(
                ops.convert_to_tensor(np.broadcast_to(color, shape).copy()),
                dtype,
            ),
            trainable=False,
        )

    def call(self, inputs):
        inputs = ops.cast(inputs, self.compute_dtype)
        mean = ops.cast(self.offset, self.compute_dtype)
        std = self.std
        if isinstance(std, list):
            std = ops.cast(
                np.reshape(std, self._broadcast_shape), self.compute_dtype
            )
        outputs = (inputs - mean) / std
        if self.channel_order == "bgr":
            outputs = ops.flip(outputs, axis=self._channel_axis)
        return outputs

    def set_mean(self, mean):
        """Assigns a mean color (3,) or a mean image (height, width, 3).

        Args:
            mean: Array, RGB in 0-255. An image larger than the layer's is
                cropped at its center; its color is used where the layer is
                not `per_pixel`.

        Raises:
            ValueError: If the layer has not been built, the mean is of
                another shape or not finite, or an image is smaller than the
                layer's.
        """
        if not self.built:
            raise ValueError(
                f"Layer {self.name!r} must be built before `set_mean`, as it "
                "is in a model: its mean has no shape yet. Pass a color as "
                "`mean` to the layer itself."
            )
        mean = np.asarray(mean, "float32")
        if mean.ndim not in (1, 3) or mean.shape[-1] != 3:
            raise ValueError(
                "`mean` must be a color of shape (3,) or an image of shape "
                f"(height, width, 3), RGB. Received: shape {mean.shape}"
            )
        if not np.isfinite(mean).all():
            raise ValueError(
                "`mean` must be finite. Received: NaN or infinity in an array "
                f"of shape {mean.shape}"
            )
        if mean.ndim == 3 and not self.per_pixel:
            mean = mean.mean(axis=(0, 1))
        if mean.ndim == 1:
            mean = np.reshape(mean, self._broadcast_shape)
        else:
            mean = self._center(mean)
        self.offset.assign(np.broadcast_to(mean, self.offset.shape))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "mean": self.mean,
            "std": self.std,
            "channel_order": self.channel_order,
            "per_pixel": self.per_pixel,
            "data_format": self.data_format,
        }

    def _center(self, image):
        wanted = self.mean_size
        spare = [
            have - want
            for have, want in zip(image.shape[:2], wanted, strict=True)
        ]
        if min(spare) < 0:
            raise ValueError(
                "The mean image must be at least as large as the layer's "
                f"images, {tuple(wanted)}. Received: shape {image.shape}"
            )
        top, left = spare[0] // 2, spare[1] // 2
        image = image[top : top + wanted[0], left : left + wanted[1]]
        first = self.data_format == "channels_first"
        return np.moveaxis(image, -1, 0) if first else image

    @property
    def mean_size(self):
        """Height and width of the mean image, once built; 1 of a color."""
        first = self.data_format == "channels_first"
        shape = self.offset.shape
        return tuple(shape[1:] if first else shape[:2])

    @property
    def _channel_axis(self):
        return -1 if self.data_format == "channels_last" else 1

    @property
    def _broadcast_shape(self):
        return (1, 1, 3) if self.data_format == "channels_last" else (3, 1, 1)
