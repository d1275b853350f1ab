"""Grad-CAM: where in the image the evidence for a class is."""

import keras
import numpy as np
from keras import ops

from keras_alexnet.inspection.autodiff import as_array
from keras_alexnet.inspection.autodiff import pull_back
from keras_alexnet.inspection.targets import Target
from keras_alexnet.inspection.targets import channel_axis
from keras_alexnet.inspection.targets import find_layer
from keras_alexnet.inspection.targets import prepared_images
from keras_alexnet.layers.locally_connected2d import LocallyConnected2D
from keras_alexnet.models.layer_graph import walk


def grad_cam(model, images, unit=None, layer=None, maps=None):
    """Weighs feature maps by how much a class gains from each.

    ```
    weight[k] = mean over places of d score / d maps[k]
    map       = max(sum over k of weight[k] * maps[k], 0)
    ```

    Args:
        model: A `keras.Model` that is a graph of layers, of columns or not.
        images: Array of shape `(batch, height, width, channels)`, as the
            model takes them.
        unit: Integer, the class; or one for each image. Defaults to the most
            probable one of each image.
        layer: String, the layer of the class. A softmax is left out.
            Defaults to the last layer with weights.
        maps: String, the layer of the maps. Defaults to the last convolution,
            with its ReLU where that is a part of the layer; where it is a
            layer of its own, name that one for maps without negative values.

    Returns:
        Array of shape `(batch, rows, columns)`, in the places of the maps;
        `receptive_fields` tells where in the image these are.

    Raises:
        ValueError: If there is no such layer, or it gives no maps or is not
            on the way to the class; if images are no batch or not finite.

    Example:

    >>> import numpy as np
    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(architecture="cifar_26")
    >>> grad_cam(model, np.ones((2, 32, 32, 3)), unit=3).shape
    (2, 8, 8)

    Reference: [Selvaraju et al., 2017](https://arxiv.org/abs/1610.02391),
    section 3.
    """
    images = prepared_images(images)
    target = Target(model, layer, unit)
    name = maps or last_convolution(target.model)
    values = _values(target, images, name)
    _, gradients = pull_back(
        lambda added: target(
            ops.convert_to_tensor(images), None, {name: added}
        ),
        np.zeros_like(values),
        target.seed,
    )
    axis = channel_axis(4)
    places = tuple(i for i in (1, 2, 3) if i != axis)
    weights = gradients.mean(axis=places, keepdims=True)
    return np.maximum((weights * values).sum(axis=axis), 0)


def last_convolution(model):
    """The name of a model's last convolution.

    Args:
        model: A `keras.Model`.

    Returns:
        String.

    Raises:
        ValueError: If it has none.

    Example:

    >>> from keras_alexnet.models import CIFARNet
    >>> last_convolution(CIFARNet())
    'conv4'
    """
    kinds = keras.layers.Conv2D | LocallyConnected2D
    names = [
        layer.name
        for layer in model.layers
        if isinstance(layer, kinds) and _has_places(layer)
    ]
    if not names:
        raise ValueError(
            "`maps` must be given for a model without convolutions. Received: "
            f"layers {', '.join(layer.name for layer in model.layers)}"
        )
    return names[-1]


def _has_places(layer):
    """Not so where a dense layer in groups is a convolution to one pixel."""
    axis = channel_axis(4)
    shape = [n for i, n in enumerate(layer.output.shape) if i not in (0, axis)]
    return shape != [1, 1]


def _values(target, images, name):
    layer = find_layer(target.model, name)
    if len(layer.output.shape) != 4:
        raise ValueError(
            f"`maps` must be a layer of maps. Received: maps={name!r} of "
            f"shape {layer.output.shape}"
        )
    x = ops.convert_to_tensor(images)
    for found, y in walk(target.model, x, lambda layer, x: layer(x)):
        if found is layer:
            return as_array(y)
        if found is target.layer:
            break
    raise ValueError(
        f"`maps` must come before {target.layer.name!r}. "
        f"Received: maps={name!r}"
    )
