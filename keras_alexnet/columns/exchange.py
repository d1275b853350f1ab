import functools

import keras
from keras import ops

from keras_alexnet.columns.placement import column_device
from keras_alexnet.columns.placement import pin


@keras.saving.register_keras_serializable("keras_alexnet")
class ColumnExchange(keras.layers.Layer):
    """Gives every column the channels that it needs of the other columns.

    Without a halo each column receives all channels, as `conv3`, `fc6` and
    `fc7` of the 2012 network do. With a halo it receives its own channels and
    a few on either side: as many as a window over neighboring channels reaches.

    Under a column strategy each column's copy is put together on the column's
    device. In the backward pass each column adds up, on its own device, the
    gradients that the others send. So a tensor crosses between two devices once
    in the forward pass, and its gradient once in the backward pass.

    Args:
        halo: Pair of integers, channels below and above, or `None` for all.
        axis: Integer, the channel axis. Defaults to `-1`.
        **kwargs: `name`, `dtype` and other base layer arguments.

    Call arguments:
        inputs: List of tensors, one per column, of equal shapes.

    Returns:
        List of tensors, one per column.

    Example:

    >>> columns = [ops.ones((1, 4)), ops.zeros((1, 4))]
    >>> [tuple(y.shape) for y in ColumnExchange()(columns)]
    [(1, 8), (1, 8)]
    >>> [tuple(y.shape) for y in ColumnExchange(halo=(2, 1))(columns)]
    [(1, 5), (1, 6)]
    """

    def __init__(self, halo=None, axis=-1, **kwargs):
        # The tensors have the compute dtype of their columns already.
        super().__init__(autocast=False, **kwargs)
        self.halo = None if halo is None else tuple(halo)
        self.axis = axis
        self.supports_jit = False

    def call(self, inputs):
        width = inputs[0].shape[self.axis]
        devices = [column_device(column) for column in range(len(inputs))]
        # Columns on one device that receive the same channels share a copy.
        targets = [
            (device, *self._range(column, width, len(inputs)))
            for column, device in enumerate(devices)
        ]
        received = {target: [] for target in targets}
        for column, (x, device) in enumerate(zip(inputs, devices, strict=True)):
            parts = _overlaps(received, column * width, width)
            sent = pin(device, functools.partial(self._cut, parts.values()), x)
            for target, part in zip(parts, sent, strict=True):
                received[target].append(part)
        joined = {
            target: pin(target[0], self._join, *parts)
            for target, parts in received.items()
        }
        return [joined[target] for target in targets]

    def compute_output_spec(self, inputs):
        width = inputs[0].shape[self.axis]
        outputs = []
        for column in range(len(inputs)):
            start, stop = self._range(column, width, len(inputs))
            shape = list(inputs[0].shape)
            shape[self.axis] = stop - start
            outputs.append(keras.KerasTensor(shape, dtype=inputs[0].dtype))
        return outputs

    def get_config(self):
        return {**super().get_config(), "halo": self.halo, "axis": self.axis}

    def _range(self, column, width, columns):
        """The range of channels that a column receives, counted over all."""
        if self.halo is None:
            return 0, width * columns
        below, above = self.halo
        start, stop = column * width - below, (column + 1) * width + above
        return max(start, 0), min(stop, width * columns)

    def _cut(self, ranges, x):
        before = (slice(None),) * (self.axis % len(x.shape))
        return [
            ops.copy(x)
            if stop - start == x.shape[self.axis]
            else x[before + (slice(start, stop),)]
            for start, stop in ranges
        ]

    def _join(self, *parts):
        return ops.concatenate(parts, axis=self.axis)


def _overlaps(targets, first, width):
    """What each target takes from the channels `first` to `first + width`."""
    ranges = {
        target: (max(target[1] - first, 0), min(target[2] - first, width))
        for target in targets
    }
    return {
        target: (start, stop)
        for target, (start, stop) in ranges.items()
        if start < stop
    }
