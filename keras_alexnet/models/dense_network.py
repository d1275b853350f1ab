"""A network as a convolution over images of any size."""

import keras
from keras import layers

from keras_alexnet.models.architecture import Architecture
from keras_alexnet.models.fully_convolutional import to_fully_convolutional
from keras_alexnet.models.layer_graph import whole
from keras_alexnet.models.pretrained import architecture_of_model


def dense_network(model):
    """Applies a trained network to images of any size, at all positions.

    The first fully connected layer becomes a convolution with a kernel as
    large as the map that it sees, the others become convolutions of 1 x 1
    pixels. The class scores are averaged over all positions; the softmax
    follows. On an image of the training size there is one position, and the
    outputs are those of the network.

    Convention: VGG's paper averages scores over positions, as here, and the
    probabilities of the image and its mirror image, as `evaluate(...,
    views="dense")` does. A mean image that was subtracted in training is
    replaced by its mean color, since it has one size.

    Args:
        model: A `Network` of an `Architecture` with its top, of columns or
            not. It is not changed.

    Returns:
        A `keras.Model` from images of shape `(batch, height, width, 3)`, at
        least as large as the model's, to probabilities.

    Raises:
        ValueError: If the model carries no architecture, has unshared layers,
            or has no top.
        TypeError: If it is a `GoogLeNet`, which takes any size by itself.

    Example:

    >>> import numpy as np
    >>> from keras_alexnet import AlexNet
    >>> from keras_alexnet.models import PAPER, dense_network, with_width
    >>> narrow = with_width(PAPER, 1 / 16)
    >>> model = AlexNet(architecture=narrow, input_shape=(67, 67, 3), classes=3)
    >>> dense_network(model)(np.zeros((1, 99, 131, 3))).shape
    TensorShape([1, 3])

    Reference: [Simonyan and Zisserman, 2015](
    https://arxiv.org/abs/1409.1556), section 3.2.
    """
    architecture = architecture_of_model(model)
    if not isinstance(architecture, Architecture):
        raise TypeError(
            "`model` must be a chain of layers. A `GoogLeNet` built with "
            "`input_shape=(None, None, 3)` takes images of any size. "
            f"Received: model={model.name!r}"
        )
    if architecture.unshared:
        raise ValueError(
            "Layers with another kernel at every position are no convolutions "
            f"over larger images. Received: unshared={architecture.unshared}"
        )
    model = whole(model)
    last = architecture.fc_names[-1]
    if last not in {layer.name for layer in model.layers}:
        raise ValueError(
            f"`model` must have its top. Received: a model without {last!r}"
        )
    # Scores are averaged before the softmax.
    scores = keras.Model(model.input, model.get_layer(last).output)
    everywhere = to_fully_convolutional(scores)
    x = layers.GlobalAveragePooling2D(name="positions")(everywhere.output)
    return keras.Model(everywhere.input, layers.Softmax(name="prob")(x))
