"""What the functions that build networks have in common."""

import numbers
import os

import keras
from keras import layers

from keras_alexnet.layers.mean_subtraction import MeanSubtraction
from keras_alexnet.models.keras_files import in_data_format
from keras_alexnet.models.presets import resolve_architecture
from keras_alexnet.models.pretrained import read_weights
from keras_alexnet.weights.shipped import SHIPPED


def weights_and_architecture(
    weights, architecture, classes, activation, kind, default, published
):
    """Reads weights, and finds out what is to be built.

    Args:
        weights: As of `AlexNet`.
        architecture: As of `AlexNet`; `None` for that of the weights.
        classes: Integer, or `None` for those of the weights.
        activation: Of the last layer, or `None` without one.
        kind: `Architecture` or `InceptionArchitecture`, what can be built.
        default: String, the architecture without weights.
        published: String, the architecture that `weights="imagenet"` means.

    Returns:
        Tuple: the `TrainedWeights` or `None`, the classes or `None`, and the
        architecture.

    Raises:
        ValueError: If the weights do not say what they are of, or
            `activation` is not one for published weights.
        TypeError: If the architecture is of another kind.
    """
    found = None
    if weights is not None:
        _check_activation(activation)
        if architecture is None and weights == "imagenet":
            architecture = published
        found = read_weights(weights, architecture)
        classes = classes or found.classes
        architecture = architecture or _known_architecture(found)
    architecture = resolve_architecture(architecture or default)
    if not isinstance(architecture, kind):
        raise TypeError(
            f"`architecture` must be an `{kind.__name__}` here. "
            "`build_network` builds every kind. Received: "
            f"{architecture.name!r}, an `{type(architecture).__name__}`"
        )
    return found, classes, architecture


def preprocessed(image, architecture):
    """Raw RGB pixels as the first layer of an architecture wants them.

    Args:
        image: Keras tensor.
        architecture: An `Architecture` or `InceptionArchitecture`.

    Returns:
        Keras tensor.
    """
    return MeanSubtraction(
        architecture.pixel_mean,
        architecture.pixel_std,
        architecture.channel_order,
        per_pixel=architecture.mean == "image" and None not in image.shape[1:],
        name="preprocessing",
    )(image)


def last_layer(x, classes, name, activation, activation_name, **options):
    """The dense layer of the classes, and its activation.

    Args:
        x: Keras tensor of shape `(batch, features)`.
        classes: Integer.
        name: String, of the dense layer.
        activation: String, callable or `None` (logits).
        activation_name: String.
        **options: Initializers of the dense layer.

    Returns:
        Keras tensor.
    """
    # In mixed precision the probabilities are float32, as Keras advises.
    narrow = keras.config.dtype_policy().compute_dtype in (
        "float16",
        "bfloat16",
    )
    dtype = "float32" if narrow else None
    x = layers.Dense(classes, name=name, dtype=dtype, **options)(x)
    if activation is None:
        return x
    return layers.Activation(activation, name=activation_name, dtype=dtype)(x)


def model_inputs(image, input_tensor):
    """The inputs of a model on `image`, which may follow other layers."""
    if input_tensor is None:
        return image
    return keras.utils.get_source_inputs(input_tensor)


def default_input_shape(architecture, found, fixed):
    """The shape of a network's images where nobody says it.

    Args:
        architecture: An `Architecture` or `InceptionArchitecture`.
        found: The `TrainedWeights` that are to be loaded, or `None`.
        fixed: Boolean. Whether weights depend on the size, so that it is that
            of the file whatever the architecture's.

    Returns:
        Tuple of three integers, in the order of the data format.
    """
    shape = found and found.image_shape
    if not shape or not (fixed or architecture == found.architecture):
        shape = (None, None, 3)
    height, width = (side or architecture.input_size for side in shape[:2])
    return in_data_format((height, width, shape[2]))


def image_input(
    architecture, input_tensor, input_shape, fixed, least, found=None
):
    """The Keras tensor of the images.

    Args:
        architecture: An `Architecture` or `InceptionArchitecture`.
        input_tensor, input_shape: As of `AlexNet`.
        fixed: Boolean. Whether the size must be known.
        least: Integer, pixels per side.
        found: The `TrainedWeights` that are to be loaded, whose images are
            the default where weights depend on their size. Defaults to
            `None`.

    Returns:
        Keras tensor.

    Raises:
        ValueError: If the images are of another shape, or too small.
    """
    if input_tensor is not None and keras.utils.is_keras_tensor(input_tensor):
        _check_shape(architecture, tuple(input_tensor.shape[1:]), fixed, least)
        return input_tensor
    if input_shape is None:
        input_shape = default_input_shape(architecture, found, fixed)
    if not isinstance(input_shape, list | tuple):
        raise ValueError(
            "`input_shape` must be a tuple of three integers, such as "
            f"(224, 224, 3). Received: input_shape={input_shape!r}"
        )
    _check_shape(architecture, tuple(input_shape), fixed, least)
    return keras.Input(shape=input_shape, tensor=input_tensor)


def _check_shape(architecture, shape, fixed, least):
    if len(shape) != 3:
        raise ValueError(
            "`input_shape` must be a tuple of three integers. "
            f"Received: input_shape={shape}"
        )
    first = _channels_first()
    channels, other = (shape[0], shape[-1]) if first else (shape[-1], shape[0])
    if other in (1, 3) and channels not in (1, 3):
        wanted = (
            "(channels, height, width)"
            if first
            else ("(height, width, channels)")
        )
        raise ValueError(
            f"`input_shape` must be {wanted}, as "
            "`keras.config.image_data_format()` says. "
            f"Received: input_shape={shape}"
        )
    size = shape[1:] if first else shape[:2]
    if fixed and None in shape:
        raise ValueError(
            "With dense layers on a map, such as `fc6`, the input size must "
            "be fixed: they have one weight per pixel. Pass "
            "`include_top=False` (or no `auxiliary`) for any size. "
            f"Received: input_shape={shape}"
        )
    if any(side is not None and side < least for side in size):
        raise ValueError(
            f"Images must be at least {least} x {least} pixels for the "
            f"strides of architecture {architecture.name!r}. "
            f"Received: input_shape={shape}"
        )


def check_arguments(weights, pooling, classes, include_top):
    """Refuses arguments that are out of their ranges.

    Args:
        weights, pooling, classes, include_top: As of `AlexNet`.

    Raises:
        ValueError: If one is; the message names it.
    """
    if pooling not in (None, "avg", "max"):
        raise ValueError(
            '`pooling` must be `None`, "avg" or "max". '
            f"Received: pooling={pooling!r}"
        )
    if include_top and classes is not None and not _is_count(classes):
        raise ValueError(
            "`classes` must be a positive integer. "
            f"Received: classes={classes!r}"
        )
    if isinstance(weights, str) and weights == "imagenet":
        if include_top and classes not in (None, 1000):
            raise ValueError(
                'With `weights="imagenet"` and `include_top=True`, `classes` '
                f"must be 1000. Received: classes={classes}"
            )
    elif isinstance(weights, str) and weights in SHIPPED:
        own = len(SHIPPED[weights].class_names)
        if include_top and classes not in (None, own):
            raise ValueError(
                f'With `weights="{weights}"` and `include_top=True`, `classes` '
                f"must be {own}. Received: classes={classes}"
            )
    elif weights is not None and not _is_file(weights):
        raise ValueError(
            '`weights` must be `None` (random initialization), "imagenet", '
            f'"{", ".join(SHIPPED)}" or the path of a weights file. '
            f"Received: weights={weights!r}, which is absent"
        )


def _known_architecture(found):
    if found.architecture is None:
        raise ValueError(
            f"{found.source} does not say which architecture its weights are "
            'of. Pass `architecture`, such as `architecture="paper"`.'
        )
    return found.architecture


def _check_activation(activation):
    """As `keras.applications`: published weights give probabilities."""
    functions = (keras.activations.linear, keras.activations.softmax)
    if keras.activations.get(activation) not in functions:
        raise ValueError(
            "With `weights`, `classifier_activation` must be `None` or "
            f'"softmax". Received: classifier_activation={activation!r}'
        )


def _is_count(value):
    number = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return number and value >= 1


def _is_file(path):
    return isinstance(path, (str, os.PathLike)) and os.path.exists(path)


def _channels_first():
    return keras.config.image_data_format() == "channels_first"
