"""The graph that a column strategy needs: one branch of layers per column."""

import warnings

import keras

from keras_alexnet.columns.exchange import ColumnExchange
from keras_alexnet.columns.placement import OnColumn
from keras_alexnet.columns.placement import column_strategy
from keras_alexnet.layers.grouped_conv2d import GroupedConv2D
from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)


class Columns:
    """The tensors of all columns between two layers, in place of one tensor.

    Args:
        tensors: List of Keras tensors, one per column. Either each has its
            column's channels, or each has all channels.
        whole: Boolean, whether each tensor has all channels.
        name: String, the layer that they come from.
    """

    def __init__(self, tensors, whole, name=None):
        self.tensors = tensors
        self.whole = whole
        self.name = name

    @property
    def shape(self):
        """The shape of the one tensor in whose place these are."""
        shape = list(self.tensors[0].shape)
        if not self.whole:
            shape[self.axis] *= len(self.tensors)
        return tuple(shape)

    @property
    def axis(self):
        """The channel axis."""
        images = len(self.tensors[0].shape) == 4
        first = keras.config.image_data_format() == "channels_first"
        return 1 if images and first else -1

    def apply(self, layer):
        """Applies each column's share of a layer, given whole and unbuilt."""
        halo = None if self.whole else _halo(layer)
        seen = self
        if not self.whole and (halo or _sees_all(layer)):
            seen = self._exchange(halo)
        crops = self._crops(halo)
        outputs = [
            OnColumn(layer, column, len(crops), crop=crops[column])(x)
            for column, x in enumerate(seen.tensors)
        ]
        return Columns(
            outputs, seen.whole and not has_filters(layer), layer.name
        )

    def join(self):
        """One tensor, all channels, on the head device."""
        if self.whole:
            return self.tensors[0]
        return keras.layers.Concatenate(axis=self.axis, name=self.name)(
            self.tensors
        )

    def _exchange(self, halo):
        exchange = ColumnExchange(halo=halo, axis=self.axis, name=self.name)
        return Columns(exchange(self.tensors), whole=halo is None)

    def _crops(self, halo):
        """Per column, how many channels on either side belong to others."""
        last = len(self.tensors) - 1
        if not halo:
            return [None] * (last + 1)
        width = self.tensors[0].shape[self.axis]
        below, above = halo
        return [
            (min(below, i * width), min(above, (last - i) * width))
            for i in range(last + 1)
        ]


def apply(layer, x):
    """Calls a layer on a tensor, or each column's share on its tensor."""
    return x.apply(layer) if isinstance(x, Columns) else layer(x)


def spread(x, columns):
    """Begins one branch per column if a column strategy is in force.

    Args:
        x: Keras tensor, seen by all columns.
        columns: Integer.

    Returns:
        `Columns`; `x` itself with one column or no column strategy.
    """
    strategy = column_strategy()
    if strategy is None:
        return x
    if columns == 1:
        warnings.warn(
            "A network of one column computes on the first device of a column "
            "strategy alone. `Mirrored` puts it on all devices.",
            stacklevel=3,
        )
        return x
    devices = {strategy.column_device(column) for column in range(columns)}
    if len(devices) < columns:
        warnings.warn(
            f"{columns} columns share {len(devices)} device(s): "
            f"{', '.join(sorted(devices))}. Give the strategy {columns} "
            "devices for one column on each.",
            stacklevel=3,
        )
    return Columns([x] * columns, whole=True)


def join(x):
    """Joins `Columns` into one tensor; other tensors stay as they are."""
    return x.join() if isinstance(x, Columns) else x


def has_filters(layer):
    """Whether a column's share of a layer makes channels of its own."""
    return isinstance(layer, (GroupedConv2D, keras.layers.Dense))


def _sees_all(layer):
    if isinstance(layer, GroupedConv2D):
        return layer.groups == 1
    return isinstance(layer, (keras.layers.Dense, keras.layers.Flatten))


def _halo(layer):
    """How far a window over channels reaches into other columns."""
    if (
        isinstance(layer, LocalResponseNormalization)
        and layer.region == "across_channels"
        and layer.groups == 1
        and layer.n > 1
    ):
        return layer.n // 2, (layer.n - 1) // 2
    return None
