"""What the layers of a Caffe network compute, in a form to compare."""

import hashlib

# What an image goes through unchanged in prediction, or in another order only.
IDENTITIES = ("Dropout", "Flatten", "Split")
# Per type the settings that matter, with Caffe's defaults.
DEFAULTS = {
    "Concat": {"axis": 1},
    "Convolution": {"group": 1, "dilation": 1},
    "Eltwise": {"operation": 1, "coeff": ()},
    "LRN": {
        "local_size": 5,
        "alpha": 1.0,
        "beta": 0.75,
        "k": 1.0,
        "norm_region": 0,
    },
    "Pooling": {"pool": 0, "global_pooling": 0, "round_mode": 0},
    "ReLU": {"negative_slope": 0.0},
    "Softmax": {"axis": 1},
}
SIDES = {"kernel_size": "kernel", "stride": "stride", "pad": "pad"}


def signatures(net):
    """A digest of what each layer with weights computes, and of what.

    Two layers have the same signature if they and all layers before them are
    of the same types and settings, connected in the same way. Widths, names,
    weights and what prediction leaves out do not count.

    Args:
        net: A `CaffeNet` with weights.

    Returns:
        Dict of layer name to string.

    Raises:
        ValueError: If a layer reads what no layer before it writes.

    Example:

    >>> import numpy as np
    >>> from keras_alexnet.weights import CaffeLayer, CaffeNet
    >>> def fc(name, *before):
    ...     dense = CaffeLayer(
    ...         name, "InnerProduct", ("x",), ("y",), {}, (np.eye(2),))
    ...     return signatures(CaffeNet("", (
    ...         CaffeLayer("data", "Input", (), ("x",)), *before, dense)))[name]
    >>> fc("a") == fc("b")
    True
    >>> fc("a") == fc("a", CaffeLayer("relu", "ReLU", ("x",), ("x",)))
    False
    """
    blobs, found = {}, {}
    for layer in net.layers:
        missing = [x for x in layer.bottoms if x not in blobs]
        if missing:
            raise ValueError(
                f"Layer {layer} reads the blob `{missing[0]}`, which no layer "
                "before it writes."
            )
        read = [blobs[bottom] for bottom in layer.bottoms]
        if layer.type in IDENTITIES and read:
            signature = read[0]
        else:
            facts = repr((layer.type, _settings(layer), read))
            if not read:
                facts = "image"
            signature = hashlib.sha256(facts.encode()).hexdigest()
        blobs |= dict.fromkeys(layer.tops, signature)
        if layer.blobs:
            found[layer.name] = signature
    return found


def _settings(layer):
    stated = layer.settings or {}
    settings = {
        key: stated.get(key, default)
        for key, default in DEFAULTS.get(layer.type, {}).items()
    }
    if layer.type in ("Convolution", "Pooling"):
        if not settings.get("global_pooling"):
            settings |= _sides(layer, stated)
    return sorted(
        (key, f"{value:.6g}" if isinstance(value, float) else value)
        for key, value in settings.items()
    )


def _sides(layer, stated):
    defaults = {"kernel_size": (0, 0), "stride": (1, 1), "pad": (0, 0)}
    if layer.type == "Convolution" and layer.blobs:
        defaults["kernel_size"] = layer.blobs[0].shape[-2:]
    return {
        f"{one}_{side}": stated.get(
            f"{one}_{side}", stated.get(both, defaults[both][index])
        )
        for both, one in SIDES.items()
        for index, side in enumerate("hw")
    }
