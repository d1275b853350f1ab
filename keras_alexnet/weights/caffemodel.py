"""Caffe's binary files, `.caffemodel` and `.binaryproto`, as named arrays."""

from keras_alexnet.disk import replacing
from keras_alexnet.weights.caffe_net import array_of_blob
from keras_alexnet.weights.caffe_net import message_of_net
from keras_alexnet.weights.caffe_net import net_from_message
from keras_alexnet.weights.caffe_schema import BLOB
from keras_alexnet.weights.caffe_schema import NET
from keras_alexnet.weights.protobuf import encode
from keras_alexnet.weights.protobuf import read_message


def read_caffemodel(path):
    """Reads the layers and weights of a `.caffemodel` file.

    All three generations of the format are read; in the result they look
    alike. Arrays share the memory that the file was read into.

    Args:
        path: Path of the file.

    Returns:
        A `CaffeNet`.

    Raises:
        ValueError: If the file is not a caffemodel, or is damaged.

    Example:

    >>> import numpy as np
    >>> import os, tempfile
    >>> from keras_alexnet.weights import CaffeLayer, CaffeNet
    >>> layer = CaffeLayer("fc8", "InnerProduct", ("fc7",), ("fc8",), {},
    ...     (np.eye(2, dtype="float32"), np.zeros(2, "float32")))
    >>> path = os.path.join(tempfile.mkdtemp(), "net.caffemodel")
    >>> write_caffemodel(path, CaffeNet("tiny", (layer,)))
    >>> read_caffemodel(path).layers[0].blobs[0].shape
    (2, 2)

    Reference: `src/caffe/proto/caffe.proto`, `src/caffe/blob.cpp:466` and
    `src/caffe/util/upgrade_proto.cpp` of Caffe.
    """
    message = read_message(path, NET)
    if not message.get("layers") and not message.get("layer"):
        raise ValueError(
            f"{path} is not a caffemodel: it has no layers. Is it an error "
            "page, a solver state or a mean image?"
        )
    return net_from_message(message, path)


def write_caffemodel(path, net):
    """Writes a `.caffemodel` of the present generation.

    Args:
        path: Path of the file. Nothing is left there if writing fails.
        net: A `CaffeNet`.
    """
    with replacing(path) as temporary, open(temporary, "wb") as file:
        for chunk in encode(message_of_net(net, with_blobs=True), NET):
            file.write(chunk)


def read_binaryproto(path):
    """Reads an array, such as a mean image, from a `.binaryproto` file.

    Args:
        path: Path of the file.

    Returns:
        Array of shape `(channels, height, width)` (of a single image; else
        what the file states), BGR if it is an image of Caffe's tools.

    Raises:
        ValueError: If the file is not one blob, or is damaged.
    """
    array = array_of_blob(read_message(path, BLOB), f"{path}: the array")
    return array[0] if array.ndim == 4 and len(array) == 1 else array
