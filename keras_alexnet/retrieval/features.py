"""What a layer of a network says of images, as one vector each."""

import keras
import numpy as np
from keras import ops

from keras_alexnet.columns.conversion import grouped
from keras_alexnet.columns.conversion import has_columns
from keras_alexnet.columns.shares import copy_state
from keras_alexnet.data.crops import center_offset
from keras_alexnet.data.images import resize_and_crop
from keras_alexnet.data.loader import image_size
from keras_alexnet.evaluation.checks import check_weights
from keras_alexnet.evaluation.model_input import input_size
from keras_alexnet.evaluation.model_input import takes_channels_first
from keras_alexnet.layers.mean_subtraction import MeanSubtraction


class FeatureExtractor:
    """Turns images into the outputs of a layer, flattened.

    Each image is scaled and cropped as for a test, and only its center view
    is shown. Of the paper's `fc7` these are the 4,096 activations after the
    ReLU whose Euclidean distances section 6.1 looks at.

    Args:
        model: A functional `keras.Model` of raw images in 0-255
            (`AlexNet(include_preprocessing=True)`), of one graph or of
            columns. It is not changed.
        layer: String, name of the layer. Defaults to `"fc7"`. Of the networks
            for CIFAR-10 the last layer but one is `"conv4"` (13 % and 11 %
            nets) or `"pool3"` (19 % and 18 % nets).
        batch_size: Integer, images at a time. Defaults to `32`.

    Call arguments:
        images: uint8 array of shape `(batch, size, size, 3)`, cropped.

    Returns:
        float32 array of shape `(batch, width)`.

    Attributes:
        layer: As given.
        width: Integer, numbers per image.
        size: Integer, pixels per side of the crops that the model takes.
        image_size: Integer, pixels per side that images are scaled to.

    Raises:
        ValueError: If there is no such layer, the model is not functional,
            does not subtract the mean, or has weights that are not finite;
            when called, if features are not finite.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> model = AlexNet(input_shape=(67, 67, 3), include_preprocessing=True)
    >>> extract = FeatureExtractor(model)
    >>> extract(np.zeros((2, 67, 67, 3), "uint8")).shape, extract.image_size
    ((2, 4096), 77)
    """

    def __init__(self, model, layer="fc7", batch_size=32):
        if isinstance(model, keras.Model) and has_columns(model):
            model = copy_state(model, grouped(model))
        _check_arguments(model, layer, batch_size)
        check_weights(model)
        self.layer = layer
        self.batch_size = batch_size
        self.size = input_size(model)
        self.image_size = image_size(model)
        self._channels_first = takes_channels_first(model)
        output = model.get_layer(layer).output
        self._model = keras.Model(model.input, output)
        self.width = int(np.prod(output.shape[1:]))

    def __call__(self, images):
        found = [np.zeros((0, self.width), "float32")]
        for start in range(0, len(images), self.batch_size):
            x = np.asarray(images[start : start + self.batch_size], "float32")
            if self._channels_first:
                x = x.transpose(0, 3, 1, 2)
            y = ops.convert_to_numpy(self._model.predict_on_batch(x))
            found.append(y.reshape(len(x), self.width).astype("float32"))
        features = np.concatenate(found)
        if not np.isfinite(features).all():
            raise ValueError(
                "Features must be finite. Received: NaN or infinity in the "
                f"outputs of {self.layer!r}"
            )
        return features

    def of_arrays(self, images):
        """Features of images that are in memory, of any size.

        Args:
            images: Sequence of RGB arrays `(height, width, 3)`, in 0-255.

        Returns:
            float32 array of shape `(len(images), width)`.

        Raises:
            ValueError: If there is none, or one is no such array.
        """
        if not len(images):
            raise ValueError("`images` must be one or more. Received: none")
        return self(np.stack([self._view(x) for x in images]))

    def _view(self, image):
        """The center view of one image, as the pipeline of a test has it."""
        image = np.asarray(image)
        if image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(
                "An image must be an RGB array (height, width, 3). "
                f"Received: shape={image.shape}"
            )
        if image.dtype.kind == "f" and 0 < image.max() <= 1:
            raise ValueError(
                "Pixels must be in 0-255. Received: floats of at most "
                f"{image.max():.3g}; multiply them by 255"
            )
        if not np.isfinite(image).all() or image.min() < 0 or image.max() > 255:
            raise ValueError(
                "Pixels must be in 0-255. Received: from "
                f"{image.min()} to {image.max()}"
            )
        image = np.round(image).astype("uint8")
        image = resize_and_crop(image, self.image_size).numpy()
        top, left = center_offset(*image.shape[:2], self.size)
        return image[top : top + self.size, left : left + self.size]


def layer_features(model, images, layer="fc7", batch_size=32):
    """The outputs of a layer for images in memory, one row per image.

    Args:
        model, layer, batch_size: As of `FeatureExtractor`.
        images: Sequence of RGB arrays `(height, width, 3)`, in 0-255.

    Returns:
        float32 array of shape `(len(images), width)`.

    Raises:
        ValueError: As of `FeatureExtractor`.

    Example:

    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(include_preprocessing=True)
    >>> layer_features(model, np.zeros((2, 40, 32, 3)), "conv4").shape
    (2, 1152)
    """
    return FeatureExtractor(model, layer, batch_size).of_arrays(images)


def _check_arguments(model, layer, batch_size):
    names = [part.name for part in getattr(model, "layers", ())]
    # A model that is not functional has no graph to take a part of.
    if not getattr(model, "inputs", None) or layer not in names:
        raise ValueError(
            "`layer` must name a layer of `model`, a functional "
            f"`keras.Model`. Received: layer={layer!r}, "
            f"{type(model).__name__} of layers {names}"
        )
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(
            "`batch_size` must be a positive integer. "
            f"Received: batch_size={batch_size!r}"
        )
    first = [x for x in model.layers if isinstance(x, MeanSubtraction)]
    if getattr(model, "architecture", None) is not None and not first:
        raise ValueError(
            "`model` must take raw images: build it with "
            "`include_preprocessing=True`, or else the mean is not "
            f"subtracted. Received: {model.name!r} without preprocessing"
        )
