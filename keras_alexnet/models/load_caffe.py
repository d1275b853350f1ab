"""Any network of Caffe's files as a Keras model."""

import keras

from keras_alexnet.models.caffe_graph import build_graph
from keras_alexnet.models.caffe_graph import keras_name
from keras_alexnet.models.file_errors import explained
from keras_alexnet.weights.caffe_net import with_weights
from keras_alexnet.weights.caffemodel import read_caffemodel
from keras_alexnet.weights.prototxt import read_prototxt


def load_caffe(weights, prototxt=None):
    """Builds the Keras model that Caffe's files describe, with its weights.

    The model computes what Caffe computes: of images that are prepared as
    Caffe's are (mostly BGR pixels in 0-255 minus a mean), with the channels
    where `keras.config.image_data_format()` has them. It is a plain
    functional `keras.Model` of plain layers and those of `keras_alexnet
    .layers`; `load_network` puts the preparation of images in front.

    Layers have Caffe's names, with `_` in place of `/`, which Keras does not
    allow. A `BatchNorm` and the `Scale` behind it are one `BatchNormalization`
    under the name of the first. Layers that read data, measure or are there
    for training alone are left out; a `SoftmaxWithLoss` becomes the softmax in
    it. What no layer reads is an output.

    Supported are Convolution, InnerProduct, Pooling (with Caffe's rounding),
    LRN, BatchNorm, Scale, ReLU, Sigmoid, TanH, Dropout, Concat, Eltwise,
    Flatten, Softmax and Split, of all three generations of the format.

    Args:
        weights: Path of a `.caffemodel`.
        prototxt: Path of the `.prototxt` that says what the layers are, for
            the phase TEST; the weights go to the layers of equal name.
            Defaults to `None`: the `.caffemodel` says it itself.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: If a file is damaged, or holds what cannot be computed;
            the message names the layer, and its line in the prototxt.

    Example:

    >>> import tempfile
    >>> from keras_alexnet import AlexNet
    >>> from keras_alexnet.models import save_weights
    >>> path = tempfile.mkdtemp() + "/net.caffemodel"
    >>> model = AlexNet(
    ...     architecture="caffe", input_shape=(67, 67, 3), classes=10)
    >>> save_weights(model, path)
    >>> load_caffe(path).get_layer("norm1").output.shape
    (None, 15, 15, 96)

    Reference: `src/caffe/layers` and `src/caffe/net.cpp` of Caffe.
    """
    net, source = read_caffe_net(weights, prototxt)
    return caffe_model(net, source)


def read_caffe_net(weights, prototxt=None):
    """Reads a Caffe network from its files.

    Args:
        weights, prototxt: As of `load_caffe`.

    Returns:
        Tuple: a `CaffeNet` with weights, and the path that error messages
        about its layers name.

    Raises:
        ValueError: If a file is damaged, or they do not belong together.
    """
    net = read_caffemodel(weights)
    if prototxt is None:
        return net, weights
    return with_weights(read_prototxt(prototxt), net, weights), prototxt


def caffe_model(net, source, images=None):
    """Builds the model of a Caffe network.

    Args:
        net: A `CaffeNet` with weights.
        source: Path, for error messages.
        images: Tuple of a model's input and of the Keras tensor that takes
            the place of the network's data. Defaults to `None`: inputs as the
            network states them.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: As of `load_caffe`.
    """
    image, prepared = images or (None, None)
    with explained(source, "cannot be built"):
        inputs, outputs = build_graph(net, prepared)
    if image is not None:
        inputs = [image]
    try:
        return keras.Model(
            inputs[0] if len(inputs) == 1 else inputs,
            outputs[0] if len(outputs) == 1 else outputs,
            name=keras_name(net.name or "caffe"),
        )
    except RecursionError as error:
        raise ValueError(
            f"{source} has more layers, one after the other, than Keras "
            "follows. Python's `sys.setrecursionlimit` allows more."
        ) from error
