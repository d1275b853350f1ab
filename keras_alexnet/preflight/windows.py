"""Windows that cannot be meant."""

import re

from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization,
)
from keras_alexnet.preflight.findings import Finding

# 2 * depth_radius + 1 for TensorFlow's default, 5: the paper's window.
DOUBLED = 11


def window_findings(model):
    """Findings about windows of norms, of poolings and of convolutions.

    Args:
        model: A `keras.Model`.

    Returns:
        List of `Finding`.

    Example:

    >>> from keras_alexnet.models.alexnet import AlexNet
    >>> window_findings(AlexNet())
    []
    """
    found = {}
    for layer in model.layers:
        if isinstance(layer, LocalResponseNormalization):
            finding = _norm(layer)
        else:
            finding = _image_window(layer)
        if finding is not None:
            # Layers of the same kind are one finding, the columns of a layer
            # one layer.
            name = re.sub(r"_column\d+$", "", layer.name)
            text, remedy = finding
            found.setdefault((remedy, text), {})[name] = None
    return [
        Finding("window_not_meant", f"{', '.join(names)}: {text}.", remedy)
        for (remedy, text), names in found.items()
    ]


def _norm(layer):
    if layer.n == 1:
        return (
            "a window of one channel normalizes each channel by itself",
            "Give the width of the window as `n`; the paper's is 5.",
        )
    if layer.region == "within_channel":
        return None
    channels = _shape(layer)[-1 if _is_last(layer) else 1]
    own = channels and channels // layer.groups
    if own and layer.n > 2 * own - 1:
        return (
            f"a window of {layer.n} channels holds all {own} wherever it "
            "stands, so there are no neighbors",
            "Give a smaller `n`, or `groups=1`.",
        )
    if layer.n == DOUBLED:
        return (
            f"a window of {layer.n} channels is what TensorFlow's "
            "`depth_radius=5` makes",
            "`n` is the whole width: the paper's window of 5 channels is "
            "`n=5`, and TensorFlow's `depth_radius=2`.",
        )
    return None


def _image_window(layer):
    window = getattr(layer, "pool_size", getattr(layer, "kernel_size", None))
    shape = _shape(layer)
    if not isinstance(window, tuple) or len(window) != 2 or len(shape) != 4:
        return None
    image = shape[1:3] if _is_last(layer) else shape[2:]
    if None in image or all(w <= i for w, i in zip(window, image, strict=True)):
        return None
    return (
        f"a window of {window[0]} x {window[1]} is larger than its map of "
        f"{image[0]} x {image[1]} pixels",
        "Give larger images (`input_size`), or smaller strides before it.",
    )


def _shape(layer):
    try:
        return tuple(layer.input.shape)
    # It was not called, or several times.
    except (AttributeError, ValueError):
        return ()


def _is_last(layer):
    return getattr(layer, "data_format", "channels_last") == "channels_last"
