"""Which unit of which layer is asked what it looks at."""

import keras
import numpy as np
from keras import ops

from keras_alexnet.evaluation.checks import check_images
from keras_alexnet.inspection.autodiff import as_array
from keras_alexnet.inspection.rules import Rules
from keras_alexnet.inspection.rules import with_activation
from keras_alexnet.models.layer_graph import walk
from keras_alexnet.models.layer_graph import whole
from keras_alexnet.models.network import all_layers


class Target:
    """A unit of a layer: a class, or a place of a feature map.

    A softmax is left out: what a class looks at is asked of its score before
    the softmax, which the scores of other classes do not change.

    Args:
        model: A `keras.Model` that is a graph of layers, of columns or not.
        layer: String, the layer's name. Defaults to the last layer with
            weights, the scores of the classes.
        unit: Integer, the channel or the class; or one for each image. Defaults
            to the most active one of each image.
        position: Pair of integers, row and column, in a layer of maps.
            Defaults to the most active place.

    Raises:
        ValueError: If there is no such layer, unit or place.
    """

    def __init__(self, model, layer=None, unit=None, position=None):
        self.model = whole(model)
        self.layer = find_layer(self.model, layer)
        shape = self.layer.output.shape
        if len(shape) not in (2, 4):
            raise ValueError(
                "`layer` must give vectors or maps. Received: "
                f"layer={self.layer.name!r} of shape {shape}"
            )
        self.axis = channel_axis(len(shape))
        _check_unit(self.layer, shape[self.axis], unit)
        _check_position(self.layer, shape, self.axis, position)
        self.unit = unit
        self.position = position

    def __call__(self, x, rules=None, added=None):
        """The layer's outputs for a batch of images.

        Args:
            x: Tensor of images.
            rules: `Rules` by which gradients flow. Defaults to derivatives.
            added: Dict of a layer's name to a tensor that is added to its
                outputs. Defaults to none.

        Returns:
            Tensor.
        """
        rules = rules or Rules()

        def call(layer, x):
            if layer is self.layer and _has_softmax(layer):
                with with_activation(layer, keras.activations.linear):
                    return layer(x)
            y = rules(layer, x)
            if added and layer.name in added:
                y = y + ops.cast(added[layer.name], y.dtype)
            return y

        for layer, y in walk(self.model, x, call):
            if layer is self.layer:
                return y

    def at(self, place):
        """The same target at a place that is chosen already.

        Args:
            place: Tuple, one of `places`.

        Returns:
            A `Target`.
        """
        position = place[:-1] or None
        return Target(self.model, self.layer.name, place[-1], position)

    def seed(self, y):
        """1 at each image's unit, 0 elsewhere.

        Args:
            y: Array, the layer's outputs.

        Returns:
            Array of the shape of `y`.
        """
        one = np.zeros_like(y)
        moved = np.moveaxis(one, self.axis, -1)
        for index, place in enumerate(self.places(y)):
            moved[(index, *place)] = 1.0
        return one

    def values(self, y):
        """What each image's unit gives.

        Args:
            y: Array, the layer's outputs.

        Returns:
            Array of shape `(batch,)`.
        """
        return (y * self.seed(y)).reshape(len(y), -1).sum(axis=1)

    def places(self, y):
        """The place of each image's unit.

        Args:
            y: Array, the layer's outputs.

        Returns:
            List of tuples `(unit,)`, or `(row, column, unit)` in maps.
        """
        check_finite(y, self.layer)
        y = np.moveaxis(y, self.axis, -1)
        if self.unit is not None and np.ndim(self.unit):
            if len(self.unit) != len(y):
                raise ValueError(
                    "`unit` must be one integer, or one for each image. "
                    f"Received: {len(self.unit)} for {len(y)} images"
                )
        units = np.broadcast_to(
            -1 if self.unit is None else self.unit, (len(y),)
        )
        return [
            self._place(image, int(unit))
            for image, unit in zip(y, units, strict=True)
        ]

    def _place(self, image, unit):
        if image.ndim == 1:
            return (int(image.argmax()) if unit < 0 else unit,)
        candidates = image
        row, column = 0, 0
        if self.position is not None:
            row, column = self.position
            candidates = image[row : row + 1, column : column + 1]
        if unit >= 0:
            candidates = candidates[..., unit : unit + 1]
        best = np.unravel_index(candidates.argmax(), candidates.shape)
        return (
            row + int(best[0]),
            column + int(best[1]),
            unit if unit >= 0 else int(best[2]),
        )


def prepared_images(images):
    """Images as a float32 array, after a look at them.

    Args:
        images: Array or tensor, a batch of images as the model takes them.

    Returns:
        Array.

    Raises:
        ValueError: If it is no batch of finite images.
    """
    check_images(images)
    return as_array(images)


def check_finite(y, layer):
    """Refuses what a layer gives if it is NaN or infinite.

    Args:
        y: Array.
        layer: A `keras.Layer`, whose outputs they are.

    Raises:
        ValueError: If a value is not finite.

    Example:

    >>> check_finite(np.ones(2), keras.layers.ReLU())
    """
    if not np.isfinite(y).all():
        raise ValueError(
            f"The outputs of layer {layer.name!r} must be finite; the weights "
            "may come from training that diverged. Received: NaN or infinity"
        )


def find_layer(model, name=None):
    """A layer of a model, or of a model in it.

    Args:
        model: A `keras.Model`.
        name: String. Defaults to the last layer with weights.

    Returns:
        A `keras.Layer`.

    Raises:
        ValueError: If there is none.

    Example:

    >>> from keras_alexnet.models import CIFARNet
    >>> find_layer(CIFARNet()).name
    'fc6'
    """
    found = list(all_layers(model))
    if name is None:
        weighted = [layer for layer in found if layer.weights]
        if weighted:
            return weighted[-1]
    for layer in found:
        if layer.name == name:
            return layer
    raise ValueError(
        "`layer` must be the name of one of the model's layers: "
        f"{', '.join(layer.name for layer in found)}. Received: layer={name!r}"
    )


def channel_axis(rank):
    """The axis of channels, or of units."""
    first = keras.config.image_data_format() == "channels_first"
    return 1 if rank == 4 and first else rank - 1


def _has_softmax(layer):
    softmax = keras.activations.softmax
    return getattr(layer, "activation", None) is softmax


def _check_unit(layer, count, unit):
    if unit is None:
        return
    values = np.asarray(unit)
    if (
        not np.issubdtype(values.dtype, np.integer)
        or values.ndim > 1
        or (values < 0).any()
        or (values >= count).any()
    ):
        raise ValueError(
            f"`unit` must be in 0 to {count - 1}, the units of "
            f"{layer.name!r}; one integer, or one for each image. "
            f"Received: unit={unit}"
        )


def _check_position(layer, shape, axis, position):
    if position is None:
        return
    if len(shape) != 4:
        raise ValueError(
            f"`position` must be `None` in {layer.name!r}, which gives no "
            f"maps. Received: position={position}"
        )
    size = shape[2:] if axis == 1 else shape[1:3]
    inside = np.shape(position) == (2,) and all(
        0 <= place and (limit is None or place < limit)
        for place, limit in zip(position, size, strict=True)
    )
    if not inside:
        raise ValueError(
            "`position` must be a row and a column of the maps of "
            f"{layer.name!r}, {size[0]} x {size[1]}. "
            f"Received: position={position}"
        )
