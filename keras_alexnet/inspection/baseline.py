"""The image that says nothing to a network."""

import keras
import numpy as np

from keras_alexnet.inspection.autodiff import as_array
from keras_alexnet.layers.mean_subtraction import MeanSubtraction
from keras_alexnet.models.network import all_layers


def neutral_image(model, images, given=None):
    """An image of the mean that a model subtracts, or of a given color.

    Args:
        model: A `keras.Model`.
        images: Array, a batch of images.
        given: Array of the shape of one image, a color of three, or a number.
            Defaults to the mean that the model subtracts first, or zero if it
            subtracts none, because its images are centered then.

    Returns:
        Array of the shape of one image.

    Raises:
        ValueError: If `given` does not fit the images.

    Example:

    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(include_preprocessing=True)
    >>> neutral_image(model, np.zeros((1, 24, 24, 3)))[0, 0].round().tolist()
    [125.0, 123.0, 114.0]
    """
    shape = images.shape[1:]
    if given is None:
        layers = all_layers(model)
        means = [x for x in layers if isinstance(x, MeanSubtraction)]
        given = as_array(means[0].offset) if means else 0.0
    else:
        given = np.asarray(given, "float32")
        channels_first = keras.config.image_data_format() == "channels_first"
        if given.ndim == 1 and channels_first:
            given = given[:, None, None]
    try:
        found = np.broadcast_to(given, shape)
    except ValueError as error:
        raise ValueError(
            "A neutral image must be one number, a color, or an image of "
            f"shape {shape}. Received: shape={np.shape(given)}"
        ) from error
    if not np.isfinite(found).all():
        raise ValueError(
            "A neutral image must be finite. Received: NaN or infinity"
        )
    return found.astype("float32")
