"""A network that averages its scores over all positions of an image."""

import keras
from keras import layers

from keras_alexnet.models.fully_convolutional import to_fully_convolutional
from keras_alexnet.models.layer_graph import whole


def dense_network(model):
    """Applies a trained network at all positions of images of any size.

    ```
    probabilities = softmax(mean over positions of the scores)
    ```

    Dense layers become convolutions, see `to_fully_convolutional`. On an image
    of the training size there is one position, and the probabilities are
    those of the network. A network that ends in scores (logits) gets a
    softmax as well.

    Convention: VGG's paper averages the scores of the positions, as here, and
    the probabilities of an image and its mirror image, as `evaluate(...,
    views="dense")` does. `to_fully_convolutional` alone has the softmax at
    each position.

    Args:
        model: A `keras.Model` with its top, such as `AlexNet` or `GoogLeNet`
            builds, of columns or not. It is not changed.

    Returns:
        A `keras.Model` from images of shape `(batch, height, width, 3)`, at
        least as large as the model's, to probabilities of shape `(batch,
        classes)`. It has copies of the weights.

    Raises:
        ValueError: If the model has no top, if it ends in something else than
            scores or their softmax, or a layer cannot be computed for larger
            images.

    Example:

    >>> import numpy as np
    >>> from keras_alexnet import AlexNet
    >>> from keras_alexnet.models import PAPER, with_width
    >>> narrow = with_width(PAPER, 1 / 16)
    >>> model = AlexNet(architecture=narrow, input_shape=(67, 67, 3), classes=3)
    >>> dense_network(model)(np.zeros((1, 99, 131, 3))).shape == (1, 3)
    True

    Reference: [Simonyan and Zisserman, 2015](
    https://arxiv.org/abs/1409.1556), section 3.2.
    """
    model = whole(model)
    output = model.outputs[0]
    if len(output.shape) != 2:
        raise ValueError(
            "`model` must have its top, which gives one score per class. "
            f"Received: outputs of shape {tuple(output.shape)}"
        )
    dense = to_fully_convolutional(keras.Model(model.inputs[0], output))
    scores = _scores(dense)
    x = layers.GlobalAveragePooling2D(name="positions", dtype=scores.dtype)(
        scores
    )
    x = layers.Softmax(name="prob", dtype=scores.dtype)(x)
    return keras.Model(dense.input, x)


def _scores(dense):
    """What a fully convolutional model computes its softmax of."""
    last = dense.layers[-1]
    if isinstance(last, layers.Softmax):
        return last.input
    linear = keras.activations.linear
    scores = (layers.Conv2D, layers.Activation, layers.AveragePooling2D)
    activation = getattr(last, "activation", linear)
    if not isinstance(last, scores) or activation is not linear:
        raise ValueError(
            "`model` must end in scores, as a dense layer without activation "
            "gives them, or in their softmax. "
            f"Received: the last layer {last.name!r}, a {type(last).__name__}"
            + ("" if activation is linear else f" with {activation.__name__}")
        )
    return dense.output
