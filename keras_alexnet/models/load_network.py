"""Networks that are ready for use: trained, and for raw images."""

import os

from keras_alexnet.models.alexnet import AlexNet
from keras_alexnet.models.keras_files import load_model_file


def load_network(weights, architecture=None):
    """Builds the network that a file holds, for raw images.

    Args:
        weights: `"imagenet"`, or the path of a `.caffemodel`, a `.pth`, `.pt`
            or `.safetensors` of torchvision, a `.weights.h5` or a `.keras`
            file.
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
    if os.fspath(weights).endswith(".keras"):
        return load_model_file(weights)
    return AlexNet(
        weights=weights, architecture=architecture, include_preprocessing=True
    )
