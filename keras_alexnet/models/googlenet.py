"""Szegedy and others' network of 2014, as a `keras.Model`."""

import keras
from keras import initializers
from keras import layers

from keras_alexnet.columns.placement import column_strategy
from keras_alexnet.layers.ceil_max_pooling2d import CeilMaxPooling2D
from keras_alexnet.layers.grouped_conv2d import GroupedConv2D
from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)
from keras_alexnet.models.builder import check_arguments
from keras_alexnet.models.builder import image_input
from keras_alexnet.models.builder import last_layer
from keras_alexnet.models.builder import model_inputs
from keras_alexnet.models.builder import preprocessed
from keras_alexnet.models.builder import weights_and_architecture
from keras_alexnet.models.inception import InceptionArchitecture
from keras_alexnet.models.network import Network
from keras_alexnet.models.pretrained import assign_weights

INITIALIZERS = {
    # Caffe's "xavier", filler.hpp: uniform in +-sqrt(3 / inputs).
    "xavier": lambda: initializers.VarianceScaling(1.0, "fan_in", "uniform"),
    "he": initializers.HeNormal,
    "glorot": initializers.GlorotUniform,
}


def GoogLeNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=None,
    classifier_activation="softmax",
    name="googlenet",
    architecture=None,
    include_preprocessing=False,
    auxiliary=False,
):
    """Builds GoogLeNet, the network that won ImageNet's challenge of 2014.

    It is the first version, with local response normalization and without
    batch normalization. The arguments are those of `AlexNet`, with other
    defaults and `auxiliary`. Layers have the names of Caffe's file, with `_`
    where that has `/`, which Keras does not allow: `conv1_7x7_s2`,
    `inception_3a_5x5_reduce`, `loss3_classifier`.

    With `auxiliary=True` there are three outputs: the network's own, and
    those of the classifiers on modules 4a and 4d. Compiled with one loss,
    such as `"sparse_categorical_crossentropy"`, and fitted to one label per
    image, the model minimizes

    ```
    loss + 0.3 * loss of the one on 4a + 0.3 * loss of the one on 4d
    ```

    and measures the first output only; evaluation has no auxiliary losses.

    Convention: torchvision's `googlenet` has batch normalization, no LRN, and
    3 x 3 windows where this has 5 x 5. The last pooling averages over the
    whole map, which at 224 pixels is Caffe's window of 7 x 7.

    Args:
        include_top, weights, input_tensor, input_shape, pooling: As of
            `AlexNet`.
        classes, classifier_activation, include_preprocessing: As of `AlexNet`.
        name: String. Defaults to `"googlenet"`.
        architecture: `"googlenet"` or an `InceptionArchitecture`. Defaults to
            that of the weights file, and to `"googlenet"` without weights.
        auxiliary: Boolean. Whether to include the auxiliary classifiers.
            Defaults to `False`.

    Returns:
        A `Network` that carries its `InceptionArchitecture`.

    Raises:
        ValueError, OSError: As of `AlexNet`; or if the images are too small
            for the auxiliary classifiers, or a column strategy is in force.
        TypeError: If `architecture` is of another kind.

    Example:

    >>> from keras_alexnet.models import GoogLeNet
    >>> GoogLeNet().count_params()
    6998552
    >>> model = GoogLeNet(auxiliary=True)
    >>> [tuple(output.shape) for output in model.outputs]
    [(None, 1000), (None, 1000), (None, 1000)]

    Reference: [Szegedy et al., 2015](https://arxiv.org/abs/1409.4842);
    `models/bvlc_googlenet` of Caffe.
    """
    check_arguments(weights, pooling, classes, include_top)
    if column_strategy() is not None:
        raise ValueError(
            "A GoogLeNet has no columns to put on several devices. Train it "
            "under `Mirrored` or `MultiWorkerMirrored`. Received: the scope "
            "of a column strategy"
        )
    found, classes, architecture = weights_and_architecture(
        weights,
        architecture,
        classes,
        classifier_activation if include_top else None,
        InceptionArchitecture,
        default="googlenet",
        published="googlenet",
    )
    if auxiliary and not include_top:
        raise ValueError(
            "`auxiliary=True` needs `include_top=True`. Received: "
            f"auxiliary={auxiliary}, include_top={include_top}"
        )
    # No layer but the auxiliary classifiers' depends on the image size.
    image = image_input(
        architecture,
        input_tensor,
        input_shape,
        fixed=auxiliary,
        least=_minimum_input_size(architecture),
        found=found,
    )
    x = preprocessed(image, architecture) if include_preprocessing else image
    x = _stem(x, architecture)
    heads = []
    for module in architecture.modules:
        x = _inception(x, architecture, *module)
        if auxiliary and module[0] in architecture.auxiliary_after:
            heads.append((x, f"loss{len(heads) + 1}"))
        if module[0] in architecture.pools_after:
            number = 3 + architecture.pools_after.index(module[0])
            x = CeilMaxPooling2D(3, 2, name=f"pool{number}_3x3_s2")(x)
    if include_top:
        x = _classifiers(
            x, heads, architecture, classes or 1000, classifier_activation
        )
    elif pooling == "avg":
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    elif pooling == "max":
        x = layers.GlobalMaxPooling2D(name="max_pool")(x)
    model = Network(
        model_inputs(image, input_tensor),
        x,
        name=name,
        architecture=architecture,
    )
    if found is not None:
        assign_weights(model, found)
    return model


def without_auxiliary(model):
    """The same network without its auxiliary classifiers, for prediction.

    Args:
        model: A `Network` that `GoogLeNet` built, which stays as it is. Both
            share their weights.

    Returns:
        A `Network` of one output, not compiled; `model` itself if it has but
        one.

    Example:

    >>> from keras_alexnet.models import GoogLeNet
    >>> model = GoogLeNet(auxiliary=True)
    >>> model.count_params(), without_auxiliary(model).count_params()
    (13378280, 6998552)
    """
    if len(model.outputs) == 1:
        return model
    return Network(
        model.inputs[0],
        model.outputs[0],
        name=model.name,
        architecture=model.architecture,
    )


def _minimum_input_size(architecture):
    """Pixels per side of the smallest image that reaches the last layer."""
    # Poolings at a stride of 2 that round up leave one pixel of two.
    poolings = 2 + len(architecture.pools_after)
    return architecture.stem_stride * (2**poolings - 1) + 1


def _classifiers(x, heads, architecture, classes, activation):
    """The output of the network, or a list of it and the auxiliary ones."""
    x = layers.GlobalAveragePooling2D(name="pool5_7x7_s1")(x)
    x = layers.Dropout(architecture.dropout, name="pool5_drop_7x7_s1")(x)
    last = architecture.layer_names[-1]
    x = _classifier(x, architecture, last, classes, activation, "prob")
    others = [
        _auxiliary(y, architecture, name, classes, activation)
        for y, name in heads
    ]
    return [x, *others] if others else x


def _stem(x, architecture):
    """The layers before the first module."""
    first, reduced, second = architecture.stem
    x = _conv(
        x, architecture, "conv1_7x7_s2", first, 7, architecture.stem_stride, 3
    )
    x = CeilMaxPooling2D(3, 2, name="pool1_3x3_s2")(x)
    if "norm1" in architecture.norms:
        x = _norm(architecture, "pool1_norm1")(x)
    x = _conv(x, architecture, "conv2_3x3_reduce", reduced, 1)
    x = _conv(x, architecture, "conv2_3x3", second, 3)
    if "norm2" in architecture.norms:
        x = _norm(architecture, "conv2_norm2")(x)
    return CeilMaxPooling2D(3, 2, name="pool2_3x3_s2")(x)


def _inception(
    x, architecture, module, ones, before3, threes, before5, fives, pooled
):
    """One inception module: four branches, concatenated."""
    name = f"inception_{module}"
    branch3 = _conv(x, architecture, f"{name}_3x3_reduce", before3, 1)
    branch5 = _conv(x, architecture, f"{name}_5x5_reduce", before5, 1)
    branch_pool = layers.MaxPooling2D(3, 1, "same", name=f"{name}_pool")(x)
    branches = [
        _conv(x, architecture, f"{name}_1x1", ones, 1),
        _conv(branch3, architecture, f"{name}_3x3", threes, 3),
        _conv(branch5, architecture, f"{name}_5x5", fives, 5),
        _conv(branch_pool, architecture, f"{name}_pool_proj", pooled, 1),
    ]
    return layers.Concatenate(_channel_axis(), name=f"{name}_output")(branches)


def _auxiliary(x, architecture, name, classes, activation):
    """A classifier in the middle of the network."""
    side = min(x.shape[2:] if _channel_axis() == 1 else x.shape[1:3])
    if side < 5:
        # Three poolings at a stride of 2 leave 5 of 40 pixels.
        least = 39 * architecture.stem_stride + 1
        raise ValueError(
            f"`auxiliary=True` needs images of at least {least} x {least} "
            "pixels: its classifiers average over 5 x 5 pixels of a map. "
            "An architecture with `auxiliary_after=()` has none. "
            f"Received: images that leave {side} there"
        )
    x = layers.AveragePooling2D(5, 3, name=f"{name}_ave_pool")(x)
    x = _conv(
        x, architecture, f"{name}_conv", architecture.auxiliary_filters, 1
    )
    x = layers.Flatten(name=f"{name}_flatten")(x)
    x = layers.Dense(
        architecture.auxiliary_units,
        activation="relu",
        name=f"{name}_fc",
        **_initializers(architecture),
    )(x)
    rate = architecture.auxiliary_dropout
    x = layers.Dropout(rate, name=f"{name}_drop_fc")(x)
    return _classifier(
        x,
        architecture,
        f"{name}_classifier",
        classes,
        activation,
        f"{name}_prob",
    )


def _classifier(x, architecture, name, classes, activation, softmax):
    initial = _initializers(architecture)["kernel_initializer"]
    return last_layer(
        x, classes, name, activation, softmax, kernel_initializer=initial
    )


def _conv(x, architecture, name, filters, size, stride=1, padding="same"):
    return GroupedConv2D(
        filters,
        size,
        strides=stride,
        padding=padding,
        activation="relu",
        name=name,
        **_initializers(architecture),
    )(x)


def _norm(architecture, name):
    return LocalResponseNormalization(
        k=architecture.lrn_k,
        n=architecture.lrn_n,
        alpha=architecture.lrn_alpha,
        beta=architecture.lrn_beta,
        convention=architecture.lrn_convention,
        name=name,
    )


def _initializers(architecture):
    return {
        "kernel_initializer": INITIALIZERS[architecture.initialization](),
        "bias_initializer": initializers.Constant(architecture.initial_bias),
    }


def _channel_axis():
    first = keras.config.image_data_format() == "channels_first"
    return 1 if first else -1
