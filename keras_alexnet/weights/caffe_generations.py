"""Converts layers of Caffe's older formats to the present one."""

# V1LayerParameter.LayerType, for the layers that this family can have.
V1_TYPES = {
    1: "Accuracy",
    4: "Convolution",
    5: "Data",
    6: "Dropout",
    12: "ImageData",
    14: "InnerProduct",
    15: "LRN",
    17: "Pooling",
    18: "ReLU",
    20: "Softmax",
    21: "SoftmaxWithLoss",
    22: "Split",
    24: "WindowData",
    29: "MemoryData",
}
# upgrade_proto.cpp, UpgradeV0LayerType.
V0_TYPES = {
    "accuracy": "Accuracy",
    "conv": "Convolution",
    "data": "Data",
    "dropout": "Dropout",
    "images": "ImageData",
    "innerproduct": "InnerProduct",
    "lrn": "LRN",
    "padding": "Padding",
    "pool": "Pooling",
    "relu": "ReLU",
    "softmax": "Softmax",
    "softmax_loss": "SoftmaxWithLoss",
    "split": "Split",
    "window_data": "WindowData",
}
# The message that holds the parameters of a type.
SETTINGS = {
    "Convolution": "convolution_param",
    "Dropout": "dropout_param",
    "InnerProduct": "inner_product_param",
    "LRN": "lrn_param",
    "Pooling": "pooling_param",
    "ReLU": "relu_param",
}


def upgrade(message):
    """Converts a layer's message from an older format to the present one.

    Args:
        message: Dict, a V1 layer, or the V0 layer in one.

    Returns:
        Dict, as the schema `LAYER` has it.
    """
    if "layer" in message:
        old = message["layer"][-1]
        settings = {
            key: value
            for key, value in old.items()
            if key not in ("name", "type", "blobs", "crop_size")
        }
        type_name = last(old, "type", "")
        type_name = V0_TYPES.get(type_name, type_name)
        new = {
            "name": old.get("name", []),
            "type": [type_name],
            "blobs": old.get("blobs", []),
            SETTINGS.get(type_name, "settings"): [settings],
        }
        if "crop_size" in old:
            new["transform_param"] = [{"crop_size": old["crop_size"]}]
        return {
            **new,
            "bottom": message.get("bottom", []),
            "top": message.get("top", []),
        }
    number = last(message, "type", 0)
    return {**message, "type": [V1_TYPES.get(number, f"V1 type {number}")]}


def merge_padding(messages):
    """Moves the pixels of padding layers (V0) to the convolutions after them.

    Args:
        messages: Dicts, layers in order.

    Yields:
        All other layers.
    """
    pad = None
    for message in messages:
        if last(message, "type", "") == "Padding":
            pad = message["settings"][-1].get("pad", [0])
            bottom = message["bottom"]
        elif pad is not None and "convolution_param" in message:
            settings = {**message["convolution_param"][-1], "pad": pad}
            pad = None
            yield {
                **message,
                "bottom": bottom,
                "convolution_param": [settings],
            }
        else:
            yield message


def last(message, key, default):
    """The value of a field that may be absent; the last of several, as in C++.

    Args:
        message: Dict.
        key: String.
        default: Returned where the field is absent.

    Returns:
        The value.
    """
    values = message.get(key)
    return values[-1] if values else default
