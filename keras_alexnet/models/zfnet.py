"""Zeiler and Fergus's network, as a `keras.Model`."""

from keras_alexnet.models.alexnet import AlexNet


def ZFNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=None,
    classifier_activation="softmax",
    name="zfnet",
    architecture="zfnet",
    include_preprocessing=False,
):
    """Builds ZFNet, the network that won ImageNet's challenge of 2013.

    It is AlexNet in one column with smaller windows and strides at the
    beginning: 7 x 7 at a stride of 2, then 5 x 5 at a stride of 2. The
    arguments are those of `AlexNet`, with other defaults.

    Convention: no layer but `conv3` to `conv5` is padded, and sizes are
    rounded up, which gives the sizes of the paper's Figure 3. pytorchcv's
    `zfnet` pads `conv1` by a pixel instead, and sees other pixels.

    Args:
        include_top, weights, input_tensor, input_shape, pooling: As of
            `AlexNet`.
        classes, classifier_activation, include_preprocessing: As of `AlexNet`.
        name: String. Defaults to `"zfnet"`.
        architecture: `"zfnet"`; `"zfnet_512"`, with 512, 1024 and 512 kernels
            in `conv3` to `conv5`; or any `Architecture`. Defaults to
            `"zfnet"`.

    Returns:
        A `Network`.

    Raises:
        ValueError, OSError: As of `AlexNet`.

    Example:

    >>> from keras_alexnet.models import ZFNet
    >>> model = ZFNet(include_top=False)
    >>> model.get_layer("conv1").output.shape
    (None, 110, 110, 96)

    Reference: [Zeiler and Fergus, 2014](https://arxiv.org/abs/1311.2901).
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
