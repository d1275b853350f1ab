"""Simonyan and Zisserman's networks, as `keras.Model`s."""

from keras_alexnet.models.alexnet import AlexNet


def VGG(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=None,
    classifier_activation="softmax",
    name="vgg",
    architecture="vgg_d",
    include_preprocessing=False,
):
    """Builds one of the six networks of VGG.

    The arguments are those of `AlexNet`, with other defaults. Layers have the
    names of the authors' files: `conv1_1 conv1_2 pool1 conv2_1 … pool5 fc6
    drop6 fc7 drop7 fc8 prob`. Inputs are BGR minus the mean color, as
    `keras.applications.vgg16.preprocess_input` gives them, or raw 0-255 RGB
    with `include_preprocessing=True`.

    | architecture | convolutions per block | as others call it |
    |---|---|---|
    | `"vgg_a"` | 1 1 2 2 2 | VGG11 |
    | `"vgg_a_lrn"` | 1 1 2 2 2, LRN after the first | |
    | `"vgg_b"` | 2 2 2 2 2 | VGG13 |
    | `"vgg_c"` | 2 2 3 3 3, of which the third ones 1 x 1 | |
    | `"vgg_d"` | 2 2 3 3 3 | VGG16 |
    | `"vgg_e"` | 2 2 4 4 4 | VGG19 |

    Convention: sizes are rounded up, as in Caffe, where `keras.applications`
    rounds down. At 224 pixels nothing is left to round.

    Args:
        include_top, weights, input_tensor, input_shape, pooling: As of
            `AlexNet`.
        classes, classifier_activation, include_preprocessing: As of `AlexNet`.
        name: String. Defaults to `"vgg"`.
        architecture: One of the names above, or any `Architecture`. Defaults
            to `"vgg_d"`.

    Returns:
        A `Network`.

    Raises:
        ValueError, OSError: As of `AlexNet`.

    Example:

    >>> from keras_alexnet.models import VGG
    >>> model = VGG(include_top=False, architecture="vgg_a_lrn")
    >>> model.count_params()
    9220480

    Reference: [Simonyan and Zisserman, 2015](
    https://arxiv.org/abs/1409.1556).
    """
    return AlexNet(
        include_top=include_top,
        weights=weights,
        input_tensor=input_tensor,
        input_shape=input_shape,
        pooling=pooling,
        classes=classes,
        classifier_activation=classifier_activation,
        name=name,
        architecture=architecture,
        include_preprocessing=include_preprocessing,
    )
