"""Settings of Caffe's layers as fields of an `Architecture`."""

import dataclasses

import numpy as np

from keras_alexnet.models.architecture import CAFFE


def window(index, layer):
    """Stride and padding of a convolution.

    Args:
        index: Integer, its place among the convolutions.
        layer: A `CaffeLayer`.

    Returns:
        Tuple of an element of `strides` and one of `paddings`.

    Raises:
        ValueError: If the layer has no such equivalent.
    """
    if layer.settings is None:
        return CAFFE.strides[index], CAFFE.paddings[index]
    settings = layer.settings
    strides = {
        settings.get(key, settings.get("stride", 1))
        for key in ("stride_h", "stride_w")
    }
    pads = {
        settings.get(key, settings.get("pad", 0)) for key in ("pad_h", "pad_w")
    }
    size = layer.blobs[0].shape[-1]
    if (
        len(strides | {0}) != 2
        or len(pads) != 1
        or max(pads) >= size
        or settings.get("dilation", 1) != 1
    ):
        raise ValueError(
            f"Layer `{layer.name}` has a kernel of {size} x {size} with "
            f"strides {sorted(strides)}, padding {sorted(pads)} and dilation "
            f"{settings.get('dilation', 1)}, which is not supported."
        )
    stride, pad = strides.pop(), pads.pop()
    if pad == 0:
        return stride, "valid"
    same = stride == 1 and size == 2 * pad + 1
    return stride, "same" if same else pad


def normalization(layers):
    """The fields of the LRN layers.

    Args:
        layers: List of `CaffeLayer`, of any types.

    Returns:
        Dict of field to value; empty where no layer states any.

    Raises:
        ValueError: If two LRN layers differ, or work within channels.
    """
    settings = _shared(
        [layer for layer in layers if layer.type == "LRN"],
        {"local_size": 5, "alpha": 1.0, "beta": 0.75, "k": 1.0},
        {"norm_region": 0},
    )
    if settings is None:
        return {}
    return {
        "lrn_k": settings["k"],
        "lrn_n": settings["local_size"],
        "lrn_alpha": settings["alpha"],
        "lrn_beta": settings["beta"],
    }


def pooling(layers):
    """The fields of the pooling layers.

    Args:
        layers: List of `CaffeLayer`, of any types.

    Returns:
        Dict of field to value; empty where no layer states any.

    Raises:
        ValueError: If two pooling layers differ, or do not take maxima.
    """
    settings = _shared(
        [_square(layer) for layer in layers if layer.type == "Pooling"],
        {"kernel_size": 0, "stride": 1},
        {
            "pool": 0,
            "pad": 0,
            "pad_h": 0,
            "pad_w": 0,
            "global_pooling": 0,
            # Rounding up.
            "round_mode": 0,
        },
    )
    if settings is None:
        return {}
    size, stride = settings["kernel_size"], settings["stride"]
    if not 1 <= stride <= size:
        raise ValueError(
            f"The pooling layers have windows of {size} pixels and strides of "
            f"{stride}, which is not supported."
        )
    return {"pool_size": size, "pool_strides": stride}


def _square(layer):
    """The layer with one number where Caffe takes one for each side."""
    settings = dict(layer.settings or {})
    for both, one in (("kernel_size", "kernel"), ("stride", "stride")):
        sides = {
            settings.pop(f"{one}_{side}", settings.get(both))
            for side in ("h", "w")
        }
        if len(sides) != 1:
            raise ValueError(
                f"Layer `{layer.name}` has {one}s of {sides}, where equal "
                "sides are wanted."
            )
        settings[both] = sides.pop()
    settings = {key: x for key, x in settings.items() if x is not None}
    return dataclasses.replace(
        layer, settings=None if layer.settings is None else settings
    )


def _shared(layers, defaults, fixed):
    """The settings of all these layers, or `None` where none are stated.

    Args:
        layers: List of layers, all of one type.
        defaults: Dict of setting to Caffe's default.
        fixed: Dict of setting to the only value that is supported.
    """
    stated = [layer for layer in layers if layer.settings is not None]
    if not stated:
        return None
    first = {
        key: stated[0].settings.get(key, defaults[key]) for key in defaults
    }
    for layer in stated:
        for key, wanted in {**first, **fixed}.items():
            default = {**defaults, **fixed}[key]
            value = layer.settings.get(key, default)
            if value != wanted:
                raise ValueError(
                    f"Layer `{layer.name}` has {key}={value}, where {wanted} "
                    "is wanted, as in the first layer of its type."
                )
    # The file has 1e-4 in float32.
    return {
        key: float(str(np.float32(value))) if type(value) is float else value
        for key, value in first.items()
    }
