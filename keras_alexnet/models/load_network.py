"""Networks that are ready for use: trained, and for raw images."""

import os

import keras

from keras_alexnet.models.alexnet import AlexNet
from keras_alexnet.models.pretrained import READERS
from keras_alexnet.models.pretrained import architecture_of
from keras_alexnet.models.pretrained import ending_of


def load_network(weights, architecture=None):
    """Builds the network that a file holds, for raw images.

    Args:
        weights: `"imagenet"`, or the path of a `.caffemodel`, a `.pth`, `.pt`
            or `.safetensors` of torchvision, or a `.keras` file.
        architecture: An `Architecture`, or a preset's name. Defaults to what
            the file is of, and to `"caffe"` for `"imagenet"`.

    Returns:
        A `keras.Model` from raw RGB images in 0-255 to probabilities. (What a
        `.keras` file holds is returned as it is.)

    Raises:
        ValueError: If the file is damaged, or of another family.
        OSError: If weights cannot be downloaded.

    Example:

    >>> import tempfile
    >>> path = tempfile.mkdtemp() + "/net.keras"
    >>> shape = (67, 67, 3)
    >>> AlexNet(input_shape=shape, include_preprocessing=True).save(path)
    >>> load_network(path).get_layer("fc7").output.shape
    (None, 4096)
    """
    options = {"include_preprocessing": True}
    if weights == "imagenet":
        architecture = architecture or "caffe"
        return AlexNet(weights=weights, architecture=architecture, **options)
    path = os.fspath(weights)
    if ending_of(path) in READERS:
        found, classes = architecture_of(path)
        return AlexNet(
            weights=path,
            architecture=architecture or found,
            classes=classes,
            **options,
        )
    return keras.saving.load_model(path, compile=False)
