"""Reads networks of this family, and mean images, from Caffe's files."""

from keras_alexnet.models.caffe_chain import recognize_chain
from keras_alexnet.models.caffe_inception import recognize_inception
from keras_alexnet.models.file_errors import explained
from keras_alexnet.weights.caffemodel import read_binaryproto
from keras_alexnet.weights.caffemodel import read_caffemodel


def read_caffe(path):
    """Reads a `.caffemodel` of this family.

    The architecture follows from the layers: their order, shapes and settings.
    Where a file gives no settings, those of the published networks are
    assumed.

    Args:
        path: Path of the file.

    Returns:
        Tuple: the `Architecture` or `InceptionArchitecture`, the number of
        classes, and a dict of our layer name to `(kernel, bias)` in Keras's
        layouts.

    Raises:
        ValueError: If the file is damaged, or is of another family; the
            message names the layer.
    """
    net = read_caffemodel(path)
    with explained(path, "is no network of the AlexNet family"):
        return recognize(net)


def recognize(net):
    """Finds which network of this family a `CaffeNet` is.

    Args:
        net: A `CaffeNet` with weights.

    Returns:
        Tuple, as `read_caffe`.

    Raises:
        ValueError: If it is none; the message names the layer.
    """
    if any(layer.type == "Concat" for layer in net.layers):
        return recognize_inception(net)
    return recognize_chain(net)


def read_mean_image(path):
    """Reads a mean image of Caffe's tools, for `MeanSubtraction.set_mean`.

    Args:
        path: Path of a `.binaryproto` file, such as
            `imagenet_mean.binaryproto`.

    Returns:
        Array of shape `(height, width, 3)`, RGB in 0-255.

    Raises:
        ValueError: If the file is damaged, or no color image.
    """
    image = read_binaryproto(path)
    if image.ndim != 3 or len(image) != 3:
        raise ValueError(
            f"{path} is not a color image: its shape is {image.shape}."
        )
    return image[::-1].transpose(1, 2, 0)
