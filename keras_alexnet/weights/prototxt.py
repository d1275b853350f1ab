"""Caffe's `.prototxt` files: the layers of a network, without weights."""

from keras_alexnet.disk import replacing
from keras_alexnet.weights.caffe_generations import LINE
from keras_alexnet.weights.caffe_generations import last
from keras_alexnet.weights.caffe_net import message_of_net
from keras_alexnet.weights.caffe_net import net_from_message
from keras_alexnet.weights.caffe_schema import NET
from keras_alexnet.weights.caffe_schema import PHASES
from keras_alexnet.weights.protobuf import format_text
from keras_alexnet.weights.text_format import read_text


def read_prototxt(path, phase="TEST"):
    """Reads the layers of a network from a `.prototxt` file.

    Both deploy files and files for training (`train_val.prototxt`) are read,
    of all three generations of the format; in the result they look alike.
    Of layers with `include` or `exclude` rules those stay that Caffe would
    compute in the phase. What concerns training alone (fillers, learning
    rates) is skipped; what Caffe does not know either is an error.

    Args:
        path: Path of the file.
        phase: `"TEST"` or `"TRAIN"`. Defaults to `"TEST"`.

    Returns:
        A `CaffeNet` without weights; its layers know their lines.

    Raises:
        ValueError: If `phase` is neither, or the file is not a network in
            Caffe's text format; the message names the line, and the layer
            where there is one.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "net.prototxt")
    >>> with open(path, "w") as file:
    ...     _ = file.write('layer { name: "norm1" type: "LRN" '
    ...         'lrn_param { local_size: 5 } }')
    >>> layer = read_prototxt(path).layers[0]
    >>> layer.settings, layer.line
    ({'local_size': 5}, 1)

    Reference: `src/caffe/proto/caffe.proto`, and `Net::StateMeetsRule` of
    `src/caffe/net.cpp` of Caffe.
    """
    if phase not in PHASES:
        raise ValueError(
            f"`phase` must be one of {PHASES}. Received: phase={phase!r}"
        )

    def keeps(message):
        return _keeps(message, PHASES.index(phase), path)

    net = net_from_message(read_text(path, NET), path, keeps)
    if all(layer.type == "Input" for layer in net.layers):
        raise ValueError(
            f"{path} has no layers for the phase {phase}. Is it a solver's?"
        )
    return net


def write_prototxt(path, net):
    """Writes the deploy `.prototxt` of a network: its layers, no weights.

    Args:
        path: Path of the file.
        net: A `CaffeNet` whose `input_size` is given, or that has an `Input`
            layer.
    """
    text = format_text(message_of_net(net, with_blobs=False), NET)
    with replacing(path) as temporary, open(temporary, "w") as file:
        file.write(text)


def _keeps(message, phase, path):
    """Whether Caffe computes a layer in a phase (level 0, no stages)."""
    included, excluded = message.get("include"), message.get("exclude")
    if included and excluded:
        raise ValueError(
            f"{path}, line {message[LINE]}: layer "
            f"`{last(message, 'name', '')}` has both `include` and `exclude` "
            "rules; Caffe allows one kind."
        )
    if included:
        return any(_is_met(rule, phase) for rule in included)
    return not any(_is_met(rule, phase) for rule in excluded or ())


def _is_met(rule, phase):
    return (
        last(rule, "phase", phase) == phase
        and last(rule, "min_level", 0) <= 0 <= last(rule, "max_level", 0)
        and not rule.get("stage")
    )
