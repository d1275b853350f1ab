"""Maps of what pixels mean to a unit: signals sent back to the image."""

import numpy as np

from keras_alexnet.inspection.autodiff import as_array
from keras_alexnet.inspection.autodiff import pull_back
from keras_alexnet.inspection.baseline import neutral_image
from keras_alexnet.inspection.rules import Rules
from keras_alexnet.inspection.targets import Target
from keras_alexnet.inspection.targets import prepared_images

# Points of a path that go through the network at once, over all images.
AT_ONCE = 64


def gradient(model, images, layer=None, unit=None, position=None):
    """The derivative of a unit with respect to each pixel.

    ```
    map = d unit / d image
    ```

    Args:
        model: A `keras.Model` that is a graph of layers, such as `AlexNet`
            builds, of columns or not. It is not changed.
        images: Array of shape `(batch, height, width, channels)`, as the
            model takes them.
        layer: String, the unit's layer. A softmax is left out. Defaults to
            the last layer with weights: the scores of the classes.
        unit: Integer, the class or the channel; or one for each image.
            Defaults to the most active one of each image.
        position: Pair of integers, row and column, in a layer of maps.
            Defaults to the most active place.

    Returns:
        Array of the shape of `images`.

    Raises:
        ValueError: If there is no such unit, if images are no batch or not
            finite, or the model shares layers.

    Example:

    >>> import numpy as np
    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(architecture="cifar_26")
    >>> gradient(model, np.ones((2, 32, 32, 3)), unit=3).shape
    (2, 32, 32, 3)

    Reference: [Simonyan, Vedaldi and Zisserman, 2014](
    https://arxiv.org/abs/1312.6034), section 3.
    """
    return _send_back(model, images, layer, unit, position, Rules())


def deconvnet(
    model, images, layer=None, unit=None, position=None, lrn="identity"
):
    """Projects a unit down to the image, by Zeiler and Fergus's deconvnet.

    All other units of the layer are set to zero. Then, layer by layer down to
    the pixels, the signal is unpooled to where the maxima were (the
    "switches"), rectified, and filtered by the transposed kernels:

    ```
    max pooling: to the largest input, summed where windows overlap
    ReLU:        max(signal, 0), whatever its input was
    convolution: transposed, without the bias
    ```

    **Convention.** The signal begins as 1. The paper begins with the unit's
    activation, which multiplies the map by it. The paper says nothing of LRN.
    The code of a later study passes the signal through as it is
    (`lrn="identity"`), and found little difference to the derivative.

    The maps show the input that fits the pooling switches, rather than what
    matters to the class: they hardly depend on the unit ([Nie, Zhang and
    Patel, 2018](https://arxiv.org/abs/1805.07039)).

    Args:
        model, images, layer, unit, position: As of `gradient`.
        lrn: `"identity"` or `"derivative"`, what LRN does to the signal.
            Defaults to `"identity"`.

    Returns:
        Array of the shape of `images`.

    Raises:
        ValueError: As of `gradient`, and if `lrn` is neither.

    Example:

    >>> import numpy as np
    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(architecture="cifar_26")
    >>> deconvnet(model, np.ones((1, 32, 32, 3)), "conv2", 5).shape
    (1, 32, 32, 3)

    Reference: [Zeiler and Fergus, 2014](https://arxiv.org/abs/1311.2901),
    section 2.1; for LRN `hand_specified_neuron_viz_fn.m` of
    [Mahendran and Vedaldi, 2016](
    https://github.com/aravindhm/deconvnet_analysis).
    """
    rules = Rules("deconvnet", lrn)
    return _send_back(model, images, layer, unit, position, rules)


def guided_backpropagation(
    model, images, layer=None, unit=None, position=None, lrn="derivative"
):
    """The derivative of a unit, along paths that support it only.

    At each ReLU it keeps what both the gradient and the deconvnet keep:

    ```
    ReLU: max(signal, 0) where its input was positive, else 0
    ```

    Args:
        model, images, layer, unit, position: As of `gradient`.
        lrn: `"derivative"` or `"identity"`, what LRN does to the signal.
            Defaults to `"derivative"`.

    Returns:
        Array of the shape of `images`.

    Raises:
        ValueError: As of `deconvnet`.

    Example:

    >>> import numpy as np
    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(architecture="cifar_26")
    >>> guided_backpropagation(model, np.ones((1, 32, 32, 3))).shape
    (1, 32, 32, 3)

    Reference: [Springenberg et al., 2015](https://arxiv.org/abs/1412.6806),
    section 3.4.
    """
    rules = Rules("guided", lrn)
    return _send_back(model, images, layer, unit, position, rules)


def integrated_gradients(
    model,
    images,
    layer=None,
    unit=None,
    position=None,
    baseline=None,
    steps=50,
):
    """What each pixel adds to a unit, on the way from a neutral image.

    ```
    map = (x - x0) * integral of gradient(x0 + a * (x - x0)) over a in [0, 1]
    ```

    The sum of the map is the unit's value for the image minus that for the
    neutral one. The integral is taken by the Gauss-Legendre rule.

    Args:
        model, images, layer, unit, position: As of `gradient`. The unit and
            the place that an image asks for are the same all along the path.
        baseline: Array of the shape of one image, a color of three, or a
            number, `x0`. Defaults to the mean that the model subtracts, or
            zero if it subtracts none.
        steps: Integer, points of the path. Defaults to `50`.

    Returns:
        Array of the shape of `images`.

    Raises:
        ValueError: As of `gradient`, and if `steps` is not positive or the
            baseline does not fit the images.

    Example:

    >>> import numpy as np
    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(architecture="cifar_26")
    >>> images = np.ones((1, 32, 32, 3))
    >>> integrated_gradients(model, images, steps=4).shape
    (1, 32, 32, 3)

    Reference: [Sundararajan, Taly and Yan, 2017](
    https://arxiv.org/abs/1703.01365), sections 3 and 5.
    """
    if isinstance(steps, bool) or int(steps) != steps or steps < 1:
        raise ValueError(
            f"`steps` must be a positive integer. Received: steps={steps}"
        )
    images = prepared_images(images)
    target = Target(model, layer, unit, position)
    start = neutral_image(target.model, images, baseline)
    places = target.places(as_array(target(images)))
    points, weights = np.polynomial.legendre.leggauss(int(steps))
    return np.stack(
        [
            _along_path(target.at(place), start, image, points, weights)
            for image, place in zip(images, places, strict=True)
        ]
    )


def _along_path(target, start, image, points, weights):
    total = np.zeros_like(image)
    for first in range(0, len(points), AT_ONCE):
        part = slice(first, first + AT_ONCE)
        # From [-1, 1] to [0, 1].
        shares = (points[part] + 1).reshape(-1, 1, 1, 1) / 2
        path = start + shares * (image - start)
        _, gradients = pull_back(target, path, target.seed)
        total += np.tensordot(weights[part] / 2, gradients, axes=1)
    return (image - start) * total


def _send_back(model, images, layer, unit, position, rules):
    images = prepared_images(images)
    target = Target(model, layer, unit, position)
    _, signal = pull_back(lambda x: target(x, rules), images, target.seed)
    return signal
