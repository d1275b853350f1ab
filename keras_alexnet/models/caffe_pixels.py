"""How Caffe's networks say that their images are prepared."""


def stated_pixels(net):
    """The scale and the mean that the data layers of a network state.

    Args:
        net: A `CaffeNet`.

    Returns:
        Dict of fields of an architecture: `"channel_order"`; `"pixel_std"`,
        three floats, 1 where no scale is stated; and `"pixel_mean"`, three
        floats in RGB order, where a mean is.

    Raises:
        ValueError: If the mean is not of one value or three.

    Example:

    >>> from keras_alexnet.weights.caffe_net import CaffeLayer, CaffeNet
    >>> data = CaffeLayer(
    ...     "data", "Data", (), ("data",), {"scale": 0.5, "mean_value": (9.0,)})
    >>> pixels = stated_pixels(CaffeNet("net", (data,)))
    >>> pixels["pixel_mean"], pixels["pixel_std"]
    ((9.0, 9.0, 9.0), (2.0, 2.0, 2.0))
    """
    stated = [
        layer.settings or {}
        for layer in net.layers
        if not layer.bottoms and layer.type != "Input"
    ]
    scale = next((x["scale"] for x in stated if x.get("scale")), 1.0)
    mean = next((x["mean_value"] for x in stated if x.get("mean_value")), None)
    pixels = {"channel_order": "bgr", "pixel_std": (1 / scale,) * 3}
    if mean is not None:
        if len(mean) not in (1, 3):
            raise ValueError(f"It states {len(mean)} mean values, not 1 or 3.")
        pixels["pixel_mean"] = (tuple(mean) * 3)[:3][::-1]
    return pixels
