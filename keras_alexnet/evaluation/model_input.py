"""What images a model takes, and which of its outputs counts."""

import keras

from keras_alexnet.models.network import Network


def input_size(model):
    """Pixels per side of the square images that a model takes.

    Args:
        model: A `keras.Model`.

    Returns:
        Integer.

    Raises:
        ValueError: If the model takes images of any size, or not square.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> input_size(AlexNet(input_shape=(67, 67, 3)))
    67
    """
    shape = getattr(model, "input_shape", None)
    # Of several inputs, or of a model that was not built.
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[2] is None:
        raise ValueError(
            "`size` must be given for a model of any input size. "
            f"Received: size=None, model.input_shape={shape}"
        )
    if shape[2] != shape[3 if takes_channels_first(model) else 1]:
        raise ValueError(
            "The model must take square images. "
            f"Received: model.input_shape={shape}"
        )
    return shape[2]


def takes_channels_first(model):
    """Whether the channels are axis 1 of the images that a model takes.

    The shape of its input decides where it can, else Keras's setting.

    Args:
        model: A `keras.Model`.

    Returns:
        Boolean.

    Example:

    >>> inputs = keras.Input((3, 8, 8))
    >>> takes_channels_first(keras.Model(inputs, inputs))
    True
    """
    shape = getattr(model, "input_shape", None)
    if isinstance(shape, tuple) and 3 in (first_last := shape[1::2]):
        if first_last[0] != first_last[1]:
            return first_last[0] == 3
    return keras.config.image_data_format() == "channels_first"


def main_output(model, outputs):
    """The output that counts, of a network that has auxiliary classifiers.

    Args:
        model: A `keras.Model`.
        outputs: What it returns, or something else per output.

    Returns:
        The first of `outputs` if they are a list and the model is a
        `Network`: its other ones serve training only. Else `outputs`.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> model = AlexNet(input_shape=(67, 67, 3))
    >>> main_output(model, ["of the top", "auxiliary"])
    'of the top'
    """
    several = isinstance(model, Network) and isinstance(outputs, list)
    return outputs[0] if several else outputs
