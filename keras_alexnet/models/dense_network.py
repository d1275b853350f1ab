"""A network as a convolution over images of any size."""

import keras
from keras import layers

from keras_alexnet.columns.conversion import grouped
from keras_alexnet.columns.conversion import has_columns
from keras_alexnet.columns.shares import transfer
from keras_alexnet.layers.grouped_conv2d import GroupedConv2D
from keras_alexnet.layers.mean_subtraction import MeanSubtraction
from keras_alexnet.models.alexnet import AlexNet
from keras_alexnet.models.architecture import Architecture
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
    if has_columns(model):
        whole = grouped(model)
        transfer(model.weights, whole.weights)
        model = whole
    by_name = {layer.name: layer for layer in model.layers}
    last = architecture.fc_names[-1]
    if last not in by_name:
        raise ValueError(
            f"`model` must have its top. Received: a model without {last!r}"
        )
    body = _body(architecture, by_name)
    x = body.output
    # The map of one training image, over which dense layers were trained.
    size = body.compute_output_shape((1, *model.input_shape[1:]))
    size = size[2:] if _channels_first() else size[1:3]
    for name in architecture.fc_names:
        x, size = _as_convolution(x, by_name[name], size), (1, 1)
    x = layers.GlobalAveragePooling2D(name="positions")(x)
    dense = keras.Model(body.input, layers.Softmax(name="prob")(x))
    for name in by_name.keys() & {layer.name for layer in body.layers}:
        if name != "preprocessing":
            body.get_layer(name).set_weights(by_name[name].get_weights())
    for name in architecture.fc_names:
        _copy_kernel(by_name[name], dense.get_layer(name))
    return dense


def _body(architecture, by_name):
    """All before the fully connected layers, for any size of images."""
    shape = (3, None, None) if _channels_first() else (None, None, 3)
    image = keras.Input(shape)
    x = image
    first = by_name.get("preprocessing")
    if first is not None:
        config = first.get_config()
        # What was subtracted, in the order of RGB and in grey levels.
        offset = keras.ops.convert_to_numpy(first.offset)
        axes = (1, 2) if _channels_first() else (0, 1)
        color = offset.mean(axes) if config["per_pixel"] else offset
        x = MeanSubtraction.from_config(
            {**config, "per_pixel": False, "mean": tuple(color.reshape(-1))}
        )(x)
    body = AlexNet(include_top=False, input_tensor=x, architecture=architecture)
    return keras.Model(image, body.output)


def _as_convolution(x, layer, size):
    """A fully connected layer at every position of a map."""
    grouped_layer = isinstance(layer, GroupedConv2D)
    return GroupedConv2D(
        layer.filters if grouped_layer else layer.units,
        size,
        groups=layer.groups if grouped_layer else 1,
        # Scores are averaged before the softmax.
        activation=layer.activation,
        name=layer.name,
    )(x)


def _copy_kernel(layer, convolution):
    kernel, bias = layer.get_weights()
    if kernel.ndim == 2:
        height, width, channels, units = convolution.kernel.shape
        if _channels_first():
            kernel = kernel.reshape(channels, height, width, units)
            kernel = kernel.transpose(1, 2, 0, 3)
        else:
            kernel = kernel.reshape(height, width, channels, units)
    convolution.set_weights([kernel, bias])


def _channels_first():
    return keras.config.image_data_format() == "channels_first"
