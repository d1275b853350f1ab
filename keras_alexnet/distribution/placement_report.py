"""Where a model's variables and ops are, and what crosses between devices."""

import collections
import dataclasses
import re

import keras
import numpy as np
import tensorflow as tf

from keras_alexnet.distribution.placed_graph import placed_step
from keras_alexnet.distribution.placed_graph import short
from keras_alexnet.distribution.placement_plot import plot_placement
from keras_alexnet.distribution.placement_plot import readable
from keras_alexnet.text_table import text_table

# Learning rates, sums of losses, shapes: too small to count.
SMALL = 64


@dataclasses.dataclass(frozen=True)
class LayerPlacement:
    """A row of a `PlacementReport`. Devices are written `("CPU:1",)`.

    Args:
        name: String, the name of the layer.
        variables, slots, forward, backward: Tuples of devices.
        parameters: Integer, in one replica.
        activations: Integer, bytes of its outputs for the report's batch, on
            each of its devices.
    """

    name: str
    variables: tuple
    slots: tuple
    forward: tuple
    backward: tuple
    parameters: int
    activations: int


@dataclasses.dataclass(frozen=True)
class PlacementReport:
    """What `placement_report` finds; its string is a table.

    Args:
        layers: List of `LayerPlacement`.
        ops: List of `PlacedOp`, all of a training step.
        transfers: List of `Transfer`, what crosses in a step. The sums of
            gradients over replicas, made by collective ops, are not in it.
        replicas: Integer, how many replicas sum their gradients.
        gradients: Integer, bytes of the gradients of each.
    """

    layers: list
    ops: list
    transfers: list
    replicas: int = 1
    gradients: int = 0

    def totals(self):
        """Dict of device to (parameters, bytes of activations)."""
        sums = collections.defaultdict(lambda: [0, 0])
        for layer in self.layers:
            for device in layer.variables:
                sums[device][0] += layer.parameters
            for device in layer.forward:
                sums[device][1] += layer.activations
        return {device: tuple(sums[device]) for device in sorted(sums)}

    def crossings(self):
        """Dict of (source, target) to the bytes that cross in a step."""
        sums = collections.Counter()
        for transfer in self.transfers:
            sums[transfer.source, transfer.target] += transfer.bytes or 0
        return dict(sorted(sums.items()))

    def __str__(self):
        rows = [["layer", "variables", "slots", "forward", "backward"]]
        rows[0] += ["parameters", "activations"]
        for layer in self.layers:
            places = (
                layer.variables,
                layer.slots,
                layer.forward,
                layer.backward,
            )
            rows.append(
                [layer.name]
                + [" ".join(place) or "-" for place in places]
                + [f"{layer.parameters:,}", readable(layer.activations)]
            )
        totals = [["device", "parameters", "activations"]]
        for device, (parameters, activations) in self.totals().items():
            totals.append([device, f"{parameters:,}", readable(activations)])
        return "\n\n".join(
            [
                text_table(rows, "<<<<<>"),
                text_table(totals, "<>"),
                text_table(self._crossing_rows(), "<<<>"),
            ]
        )

    def _crossing_rows(self):
        rows = [["tensor that crosses", "from", "to", "bytes"]]
        small = 0
        for transfer in self.transfers:
            if transfer.bytes is not None and transfer.bytes <= SMALL:
                small += 1
                continue
            size = "?" if transfer.bytes is None else f"{transfer.bytes:,}"
            rows.append(
                [transfer.tensor, transfer.source, transfer.target, size]
            )
        total = sum(self.crossings().values())
        rows.append([f"and {small} of {SMALL} bytes or less", "", "", ""])
        unknown = any(transfer.bytes is None for transfer in self.transfers)
        least = "at least " if unknown else ""
        rows.append(["all, in a step", "", "", f"{least}{total:,}"])
        if self.replicas > 1:
            rows.append(
                [
                    f"besides, {self.replicas} replicas reduce gradients, "
                    "each of",
                    "",
                    "",
                    f"{self.gradients:,}",
                ]
            )
        return rows


def placement_report(model, data=None, batch_size=2, plot=False):
    """Prints where each layer lives, and what crosses between devices.

    A training step is run and taken back; the devices are those on which
    TensorFlow has placed the ops. Of several processes each must call it.

    Args:
        model: A compiled `keras.Model`.
        data: A batch `(x, y)`, the share of one replica. By default zeros.
        batch_size: Integer, of the zeros. Defaults to `2`.
        plot: Boolean. Whether `plot_placement` draws it. Defaults to `False`.

    Returns:
        A `PlacementReport`.

    Raises:
        ValueError: If the model is not compiled.

    Example:

    >>> model = keras.Sequential(
    ...     [keras.Input((2,)), keras.layers.Dense(1, name="fc8")])
    >>> model.compile("sgd", "mse")
    >>> report = placement_report(model)
    layer  variables  slots  forward  backward  parameters  activations
    fc8    CPU:0      -      CPU:0    CPU:0              3          8 B
    ...
    """
    if not model.compiled:
        raise ValueError(
            "`placement_report` runs a training step: call `model.compile` "
            "first."
        )
    if data is None:
        data = _zeros(model, batch_size)
    batch_size = len(tf.nest.flatten(data)[0])
    ops, transfers = placed_step(model, data)
    names = [layer.name for layer in model.layers]
    forward, backward = _devices_of_ops(ops, names)
    replicas = max(len(_replicas(v.value)) for v in model.weights)
    report = PlacementReport(
        [
            LayerPlacement(
                layer.name,
                _devices(layer.weights),
                _devices(_slots(model, layer)),
                tuple(sorted(forward[layer.name])),
                tuple(sorted(backward[layer.name])),
                layer.count_params(),
                # Columns that exchange have their part each.
                _activations(layer, batch_size)
                * replicas
                // max(len(forward[layer.name]), 1),
            )
            for layer in model.layers
            if not isinstance(layer, keras.layers.InputLayer)
        ],
        ops,
        transfers,
        model.distribute_strategy.num_replicas_in_sync,
        sum(_bytes(variable) for variable in model.trainable_variables),
    )
    print(report)
    if plot:
        plot_placement(report)
    return report


def _zeros(model, batch_size):
    x = np.zeros((batch_size, *model.input_shape[1:]), "float32")
    # Class numbers for losses that want them, else targets like the outputs.
    loss = str(getattr(model.loss, "name", model.loss)).lower()
    if "sparse" in loss or "label_crossentropy" in loss:
        return x, np.zeros(batch_size, "int32")
    return x, np.zeros((batch_size, *model.output_shape[1:]), "float32")


def _devices_of_ops(ops, names):
    forward, backward = (collections.defaultdict(set) for _ in range(2))
    for op in ops:
        parts = op.name.split("/")
        side = backward if "gradient_tape" in parts else forward
        for part in parts:
            # A layer's second call appends a number to its name.
            name = part if part in names else re.sub(r"_\d+$", "", part)
            if name in names:
                side[name].add(op.device)
                break
    return forward, backward


def _slots(model, layer):
    slots = model.optimizer.variables
    # "conv2_kernel_momentum" belongs to "conv2/kernel".
    stems = [v.path.replace("/", "_") for v in layer.trainable_weights]
    return [
        slot
        for slot in slots
        if any(slot.name.startswith(f"{stem}_") for stem in stems)
    ]


def _devices(variables):
    return tuple(sorted({d for v in variables for d in _replicas(v.value)}))


def _replicas(variable):
    """The device of each replica of a variable."""
    parts = getattr(variable, "values", None) or (variable,)
    return [short(part.device) for part in parts]


def _bytes(variable):
    return int(np.prod(variable.shape)) * tf.as_dtype(variable.dtype).size


def _activations(layer, batch_size):
    return sum(
        int(np.prod(output.shape[1:]))
        * batch_size
        * tf.as_dtype(output.dtype).size
        for output in keras.tree.flatten(layer.output)
    )
