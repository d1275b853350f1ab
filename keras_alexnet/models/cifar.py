"""Alex Krizhevsky's networks for CIFAR-10, as `keras.Model`s."""

from keras_alexnet.models.alexnet import AlexNet
from keras_alexnet.models.builder import check_arguments
from keras_alexnet.models.pretrained import read_weights


def CIFARNet(
    include_top=True,
    weights=None,
    input_tensor=None,
    input_shape=None,
    pooling=None,
    classes=None,
    classifier_activation="softmax",
    name="cifarnet",
    architecture="cifar_13",
    include_preprocessing=False,
):
    """Builds one of Alex Krizhevsky's networks for CIFAR-10.

    The arguments are those of `AlexNet`, with other defaults. His layers
    `local3` and `local4` are called `conv3` and `conv4` here, and the last
    layer, `fc10`, is called `fc6` (`fc7` where there is a hidden one).

    | architecture | error, as he says | images | what it is |
    |---|---|---|---|
    | `"cifar_26"` | 26 % in 80 s | 32 x 32 | three convolutions, 64 units |
    | `"cifar_19"` | 19 % in 20 min | 32 x 32 | three convolutions |
    | `"cifar_18"` | 18 % in 20 min | 32 x 32 | with norms within each map |
    | `"cifar_13"` | 13 % in 25 min | crops of 24 | unshared convolutions |
    | `"cifar_11"` | 11 % in 75 min | crops of 24 | with LRN, wider |
    | `"figure_1"` | | 32 x 32 | the 19 % net, for Figure 1 of the paper |

    Args:
        include_top, input_tensor, input_shape, pooling, classifier_activation:
            As of `AlexNet`.
        weights: `None` (random), `"cifar10"` (part of the package, of the
            13 % and the 11 % net; how they were trained and their errors are
            in `keras_alexnet/weights/files/*.md`), or the path of a weights
            file. Defaults to `None`.
        classes: Integer. Defaults to that of the weights file, and to `10`
            without one or where it does not say.
        name: String. Defaults to `"cifarnet"`.
        architecture: One of the names above, or any `Architecture`. Defaults
            to `"cifar_13"`.
        include_preprocessing: Boolean. Whether mean subtraction is the first
            layer. Defaults to `False`.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: As of `AlexNet`.

    Example:

    >>> from keras_alexnet.models import CIFARNet
    >>> CIFARNet(architecture="cifar_11").count_params()
    2112970

    Reference: [cuda-convnet](https://code.google.com/archive/p/cuda-convnet),
    `example-layers`; the 11 % net is in cuda-convnet2, `layers`.
    """
    if classes is None:
        check_arguments(weights, pooling, classes, include_top)
        found = weights and read_weights(weights, architecture)
        classes = (found and found.classes) or 10
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
