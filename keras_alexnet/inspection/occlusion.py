"""What a network says of an image when a part of it is covered."""

import dataclasses

import keras
import numpy as np
from keras import ops

from keras_alexnet.inspection.autodiff import as_array
from keras_alexnet.inspection.baseline import neutral_image
from keras_alexnet.inspection.grad_cam import last_convolution
from keras_alexnet.inspection.targets import Target
from keras_alexnet.inspection.targets import channel_axis
from keras_alexnet.inspection.targets import check_finite
from keras_alexnet.inspection.targets import find_layer
from keras_alexnet.inspection.targets import prepared_images
from keras_alexnet.models.layer_graph import walk

# Covered copies of the image that go through the network at once.
AT_ONCE = 32


@dataclasses.dataclass(frozen=True)
class Occlusion:
    """What `occlusion` has found, at each place of the covering square.

    Attributes:
        activation: Array `(rows, columns)`, the sum of the map that is the
            strongest in the uncovered image.
        probability: Array `(rows, columns)`, of the class.
        label: Integer array `(rows, columns)`, the most probable class.
        tops, lefts: Integer arrays, where the square began, in pixels.
        size: Integer, side of the square.
        unit: Integer, the class.
        maps: String, the layer of the map.
        channel: Integer, the map.
        uncovered: Tuple of floats, `activation` and `probability` of the
            image itself.
    """

    activation: np.ndarray
    probability: np.ndarray
    label: np.ndarray
    tops: np.ndarray
    lefts: np.ndarray
    size: int
    unit: int
    maps: str
    channel: int
    uncovered: tuple


def occlusion(
    model, image, unit=None, size=None, stride=None, color=None, maps=None
):
    """Covers parts of an image by a square and looks at three outputs.

    The three maps are those of Zeiler and Fergus's Figure 7: the total
    activation of the feature map that is strongest in the uncovered image,
    the probability of the class, and the most probable class.

    The squares begin at the upper left corner; the last of a row and of a
    column end at the image's edge. The paper does not tell the size of its
    square. All backends compute this: no derivative is needed.

    Args:
        model: A `keras.Model` that is a graph of layers, of columns or not,
            from images to class probabilities.
        image: Array of shape `(height, width, channels)`, as the model takes
            it.
        unit: Integer, the class. Defaults to the most probable one.
        size: Integer, pixels per side of the square. Defaults to a quarter of
            the image's shorter side.
        stride: Integer, pixels from square to square. Defaults to a quarter
            of `size`.
        color: The square's color: a number, three, or an image. Defaults to
            the mean that the model subtracts, or zero if it subtracts none.
        maps: String, the layer of the feature map. Defaults to the last
            convolution, with its ReLU.

    Returns:
        An `Occlusion`.

    Raises:
        ValueError: If an argument is out of its range, or the model ends
            with a layer of maps.

    Example:

    >>> import numpy as np
    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(architecture="cifar_26")
    >>> occlusion(model, np.ones((32, 32, 3)), stride=8).probability.shape
    (4, 4)

    Reference: [Zeiler and Fergus, 2014](https://arxiv.org/abs/1311.2901),
    section 4.2 and figure 7.
    """
    images = prepared_images(np.asarray(image)[None])
    target = Target(model, model.layers[-1].name, unit)
    name = maps or last_convolution(target.model)
    height, width = _sides(images[0])
    size = _pixels("size", size, min(height, width), min(height, width) // 4)
    stride = _pixels("stride", stride, max(height, width), size // 4)
    cover = neutral_image(target.model, images, color)
    feature_maps, (probabilities,) = _both(target.model, images, name)
    channel = int(_totals(feature_maps)[0].argmax())
    if unit is None:
        unit = int(probabilities.argmax())
    tops, lefts = _starts(height, size, stride), _starts(width, size, stride)
    places = [(top, left) for top in tops for left in lefts]
    activation, probability, label = [], [], []
    for first in range(0, len(places), AT_ONCE):
        covered = np.stack(
            [
                _covered(images[0], cover, top, left, size)
                for top, left in places[first : first + AT_ONCE]
            ]
        )
        found, outputs = _both(target.model, covered, name)
        activation.extend(_totals(found)[:, channel])
        probability.extend(outputs[:, unit])
        label.extend(outputs.argmax(axis=1))
    shape = len(tops), len(lefts)
    return Occlusion(
        np.reshape(activation, shape),
        np.reshape(probability, shape),
        np.reshape(label, shape),
        np.array(tops),
        np.array(lefts),
        size,
        unit,
        name,
        channel,
        (
            float(_totals(feature_maps)[0, channel]),
            float(probabilities[unit]),
        ),
    )


def _both(model, images, name):
    """The maps of a layer and the outputs of the model, as arrays."""
    maps = None
    layer = find_layer(model, name)
    x = ops.convert_to_tensor(images)
    for found, y in walk(model, x, lambda layer, x: layer(x)):
        if found is layer:
            maps = as_array(y)
    outputs = as_array(y)
    check_finite(outputs, found)
    if maps.ndim != 4 or outputs.ndim != 2:
        raise ValueError(
            "`maps` must be a layer of maps, and the model must end with "
            f"classes. Received: maps={name!r} of shape {maps.shape}, outputs "
            f"of shape {outputs.shape}"
        )
    if outputs.min() < 0 or np.abs(outputs.sum(axis=1) - 1).max() > 1e-2:
        raise ValueError(
            "The model must end with probabilities: build it with "
            '`classifier_activation="softmax"`. Received: outputs from '
            f"{outputs.min():.3g} to {outputs.max():.3g}"
        )
    return maps, outputs


def _totals(maps):
    places = tuple(i for i in (1, 2, 3) if i != channel_axis(4))
    return maps.sum(axis=places)


def _sides(image):
    first = keras.config.image_data_format() == "channels_first"
    return image.shape[1:] if first else image.shape[:2]


def _starts(side, size, stride):
    starts = list(range(0, side - size + 1, stride))
    # The last square ends at the edge, whatever the stride.
    return starts if starts[-1] == side - size else [*starts, side - size]


def _covered(image, cover, top, left, size):
    window = slice(top, top + size), slice(left, left + size)
    if keras.config.image_data_format() == "channels_first":
        window = slice(None), *window
    image = image.copy()
    image[window] = cover[window]
    return image


def _pixels(name, value, most, default):
    if value is None:
        return max(1, default)
    whole = not isinstance(value, bool) and int(value) == value
    if not whole or not 1 <= value <= most:
        raise ValueError(
            f"`{name}` must be an integer from 1 to {most}, pixels of the "
            f"image. Received: {name}={value}"
        )
    return int(value)
