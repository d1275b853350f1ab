"""From raw images to inputs, and from outputs to names of ImageNet."""

import keras
import numpy as np

from keras_alexnet.layers.mean_subtraction import MeanSubtraction
from keras_alexnet.models.presets import resolve_architecture


def preprocess_input(x, architecture="paper", data_format=None):
    """Centers raw RGB images as an architecture wants its inputs.

    The same that `AlexNet(..., include_preprocessing=True)` does in its first
    layer; use one of the two. All get 0-255 minus the mean color; Caffe's
    networks, VGG's and GoogLeNet in BGR; `"owt"` and pytorchcv's divided by a
    standard deviation. Sizes stay: crop first.

    Args:
        x: Array or tensor of one image `(height, width, 3)` or of a batch,
            RGB in 0-255. It is not changed.
        architecture: An `Architecture`, or a preset's name. Defaults to
            `"paper"`.
        data_format: `"channels_last"` or `"channels_first"`. Defaults to
            `keras.config.image_data_format()`.

    Returns:
        Array or tensor of the shape of `x`, float32.

    Raises:
        ValueError: If `x` is not of images.

    Example: a grey pixel of 128 for Caffe, blue first.

    >>> import numpy as np
    >>> y = preprocess_input(np.full((1, 1, 3), 128), "caffe")
    >>> [round(float(value), 2) for value in y.ravel()]
    [23.99, 11.33, 5.32]
    """
    rank = len(x.shape)
    if rank not in (3, 4):
        raise ValueError(
            "`x` must be an image or a batch of images, of rank 3 or 4. "
            f"Received: x of shape {tuple(x.shape)}"
        )
    architecture = resolve_architecture(architecture)
    center = MeanSubtraction(
        architecture.pixel_mean,
        architecture.pixel_std,
        architecture.channel_order,
        data_format=data_format,
    )
    y = center(x if rank == 4 else x[None])
    y = y if rank == 4 else y[0]
    is_array = isinstance(x, np.ndarray)
    return keras.ops.convert_to_numpy(y) if is_array else y


def decode_predictions(preds, top=5):
    """The most probable classes of ImageNet, by name.

    Caffe, torchvision and Keras number the 1000 classes of ILSVRC-2012 alike,
    by WordNet identity. The first call downloads their names (35 kB).

    Args:
        preds: Array of shape `(images, 1000)`, what a network with its top
            returns.
        top: Integer, how many. Defaults to `5`.

    Returns:
        List per image of tuples `(WordNet identity, name, score)`.

    Raises:
        ValueError: If there are not 1000 classes.

    Example:

    >>> import numpy as np
    >>> decode_predictions(np.eye(1000)[[285]])  # doctest: +SKIP
    [[('n02124075', 'Egyptian_cat', 1.0), ...
    """
    return keras.applications.imagenet_utils.decode_predictions(preds, top)
