import math

import keras
from keras import initializers
from keras import layers

from keras_alexnet.columns.branches import apply
from keras_alexnet.columns.branches import join
from keras_alexnet.columns.branches import spread
from keras_alexnet.columns.placement import has_replicas
from keras_alexnet.layers.ceil_average_pooling2d import CeilAveragePooling2D
from keras_alexnet.layers.ceil_max_pooling2d import CeilMaxPooling2D
from keras_alexnet.layers.grouped_conv2d import GroupedConv2D
from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)
from keras_alexnet.layers.locally_connected2d import LocallyConnected2D
from keras_alexnet.layers.max_rms import MaxRMS
from keras_alexnet.models.architecture import Architecture
from keras_alexnet.models.builder import check_arguments
from keras_alexnet.models.builder import image_input
from keras_alexnet.models.builder import last_layer
from keras_alexnet.models.builder import model_inputs
from keras_alexnet.models.builder import preprocessed
from keras_alexnet.models.builder import weights_and_architecture
from keras_alexnet.models.geometry import minimum_input_size
from keras_alexnet.models.network import Network
from keras_alexnet.models.pretrained import assign_weights

# By whether it averages, and how sizes are rounded.
POOLS = {
    (False, "ceil"): CeilMaxPooling2D,
    (False, "floor"): layers.MaxPooling2D,
    (True, "ceil"): CeilAveragePooling2D,
    (True, "floor"): layers.AveragePooling2D,
}


def AlexNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=None,
    classifier_activation="softmax",
    name="alexnet",
    architecture=None,
    include_preprocessing=False,
):
    """Builds AlexNet, or a relative of it, as a functional `keras.Model`.

    The layers have Caffe's names: `conv1 norm1 pool1 conv2 … pool5 fc6 drop6
    fc7 drop7 fc8 prob`; a ReLU that directly follows a layer belongs to it, so
    `model.get_layer("fc7").output` is what papers call fc7 features.

    Inputs are centered 0-255 pixels in the architecture's channel order, or
    raw 0-255 RGB with `include_preprocessing=True`. Do not scale
    them to [0, 1]: with the published initialization the signal would be too
    small to learn from.

    Args:
        include_top: Boolean. Whether to include `fc6` and the layers after
            it. Defaults to `True`.
        weights: `None` (random), `"imagenet"` (downloads what was published
            for the architecture, see `weights.PUBLISHED`), or the path of a
            file of Keras (`.weights.h5`, `.keras`), Caffe (`.caffemodel`),
            torchvision or pytorchcv (`.pth`, `.safetensors`), or of this
            package (`.safetensors`); or `"cifar10"`, see `CIFARNet`.
            Defaults to `None`.
        input_tensor: Optional Keras tensor to use as image input.
        input_shape: Optional tuple of three integers, without the batch.
            Defaults to that of the weights file, where dense layers depend
            on it, or else to the size that the architecture was trained on.
        pooling: Without the top, `None` (feature maps), `"avg"` or `"max"`.
            Defaults to `None`.
        classes: Integer. Units of `fc8`. Defaults to what the weights file
            holds, and to `1000` without one.
        classifier_activation: String, callable or `None` (logits). Defaults to
            `"softmax"`.
        name: String. Defaults to `"alexnet"`.
        architecture: An `Architecture`, or a preset's name in lower case:
            `"paper"`, `"code_2012"`, `"one_gpu"`, `"six_conv"`, `"caffe"`,
            `"caffenet"`, `"owt"`. Defaults to that of the weights file, to
            `"caffe"` for `weights="imagenet"` and to `"paper"` without
            weights.
        include_preprocessing: Boolean. Whether mean subtraction and, where
            `conv1` wants it, the swap to BGR are the first layer. Defaults to
            `False`.

    Returns:
        A `Network`: a functional `keras.Model` that carries its
        `architecture`.

    Raises:
        ValueError: If an argument is out of its range, the weights file is
            absent, damaged or of another network, or the images are too small.
        OSError: If weights cannot be downloaded.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> model = AlexNet(weights=None)
    >>> model.count_params()
    60965224
    >>> model.get_layer("pool5").output.shape
    (None, 6, 6, 256)

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks).
    """
    check_arguments(weights, pooling, classes, include_top)
    found, classes, architecture = weights_and_architecture(
        weights,
        architecture,
        classes,
        classifier_activation if include_top else None,
        Architecture,
        default="paper",
        published="caffe",
    )
    image = image_input(
        architecture,
        input_tensor,
        input_shape,
        fixed=include_top,
        least=minimum_input_size(architecture),
        found=found,
    )
    x = preprocessed(image, architecture) if include_preprocessing else image
    x = spread(x, architecture.columns)
    for index in range(len(architecture.stages)):
        x = _convolution(x, architecture, index)
    if include_top:
        x = _classifier(x, architecture, classes or 1000, classifier_activation)
    elif pooling == "avg":
        x = apply(layers.GlobalAveragePooling2D(name="avg_pool"), x)
    elif pooling == "max":
        x = apply(layers.GlobalMaxPooling2D(name="max_pool"), x)
    inputs = model_inputs(image, input_tensor)
    model = Network(inputs, join(x), name=name, architecture=architecture)
    if found is not None:
        assign_weights(model, found)
    return model


def _convolution(x, architecture, index):
    """One convolutional layer and what follows it."""
    name = architecture.conv_names[index]
    stages = architecture.stages[index]
    fused = stages[:1] == ("activation",)
    # An unshared one sees all columns.
    groups = architecture.groups(name)
    unshared = name in architecture.unshared
    kind = LocallyConnected2D if unshared else GroupedConv2D
    convolution = kind(
        architecture.filters[index],
        architecture.kernel_sizes[index],
        strides=architecture.strides[index],
        padding=architecture.paddings[index],
        **({} if unshared else {"groups": groups}),
        **_constraint(architecture),
        activation=architecture.activation if fused else None,
        name=name,
        **_initializers(
            architecture,
            name,
            fan_in=architecture.kernel_sizes[index] ** 2
            * _channels(x)
            // groups,
        ),
    )
    x = apply(convolution, x)
    for stage in stages[1:] if fused else stages:
        x = apply(_stage(architecture, stage, name), x)
    return x


def _constraint(architecture):
    if architecture.kernel_max_rms is None:
        return {}
    return {"kernel_constraint": MaxRMS(architecture.kernel_max_rms)}


def _stage(architecture, stage, conv_name):
    if stage == "activation":
        activation = architecture.activation
        return layers.Activation(
            activation, name=architecture.stage_name(activation, conv_name)
        )
    name = architecture.stage_name(stage, conv_name)
    if stage == "pool":
        average = conv_name in architecture.average_pools
        pool = POOLS[average, architecture.pool_rounding]
        return pool(
            architecture.pool_size,
            architecture.pool_strides,
            name=name,
        )
    if stage == "spatial_norm":
        return LocalResponseNormalization(
            k=1.0,
            n=architecture.spatial_n,
            alpha=architecture.spatial_alpha,
            beta=architecture.spatial_beta,
            convention="mean",
            region="within_channel",
            name=name,
        )
    if architecture.normalization == "batch":
        axis = 1 if _channels_first() else -1
        return layers.BatchNormalization(
            axis=axis, synchronized=has_replicas(), name=name
        )
    whole = architecture.lrn_across_columns
    return LocalResponseNormalization(
        k=architecture.lrn_k,
        n=architecture.lrn_n,
        alpha=architecture.lrn_alpha,
        beta=architecture.lrn_beta,
        convention=architecture.lrn_convention,
        groups=1 if whole else architecture.columns,
        name=name,
    )


def _classifier(x, architecture, classes, classifier_activation):
    for number, (name, units) in enumerate(
        zip(architecture.fc_names, architecture.fc_units, strict=False), 6
    ):
        before = architecture.dropout_position == "before"
        drop = layers.Dropout(architecture.dropout, name=f"drop{number}")
        if before:
            x = apply(drop, x)
        x = _fully_connected(x, architecture, name, units)
        if not before:
            x = apply(drop, x)
    x = join(x)
    if len(x.shape) > 2:
        x = layers.Flatten(name="flatten")(x)
    name = architecture.fc_names[-1]
    return last_layer(
        x,
        classes,
        name,
        classifier_activation,
        "prob",
        **_initializers(architecture, name, fan_in=x.shape[-1]),
    )


def _fully_connected(x, architecture, name, units):
    """A dense layer, or one that keeps to the columns."""
    groups = architecture.groups(name)
    fan_in = math.prod(x.shape[1:]) // groups
    options = {
        "activation": architecture.activation,
        "name": name,
        **_initializers(architecture, name, fan_in),
    }
    if groups == 1:
        if len(x.shape) > 2:
            x = apply(layers.Flatten(name="flatten"), x)
        return apply(layers.Dense(units, **options), x)
    # A convolution by a kernel as large as the image, in groups.
    if len(x.shape) == 2:
        width = x.shape[-1]
        shape = (width, 1, 1) if _channels_first() else (1, 1, width)
        x = apply(layers.Reshape(shape, name=f"{name}_map"), x)
    size = x.shape[2:] if _channels_first() else x.shape[1:3]
    x = apply(GroupedConv2D(units, size, groups=groups, **options), x)
    return apply(layers.Reshape((units,), name=f"{name}_flatten"), x)


def _initializers(architecture, name, fan_in):
    index = architecture.layer_names.index(name)
    std = architecture.initial_stds[index]
    bias = architecture.initial_biases[index]
    bound = 1.0 / math.sqrt(fan_in)
    return {
        "kernel_initializer": {
            "he": initializers.HeNormal(),
            "glorot": initializers.GlorotUniform(),
            "torch": initializers.RandomUniform(-bound, bound),
        }.get(std)
        or initializers.RandomNormal(stddev=std),
        "bias_initializer": initializers.RandomUniform(-bound, bound)
        if bias == "torch"
        else initializers.Constant(bias),
    }


def _channels(x):
    return x.shape[1] if _channels_first() else x.shape[-1]


def _channels_first():
    return keras.config.image_data_format() == "channels_first"
