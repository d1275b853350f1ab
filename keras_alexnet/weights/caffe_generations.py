"""Converts layers of Caffe's older formats to the present one."""

from keras_alexnet.weights.caffe_schema import V1_TYPES

# upgrade_proto.cpp, UpgradeV0LayerType.
V0_TYPES = {
    "accuracy": "Accuracy",
    "bnll": "BNLL",
    "concat": "Concat",
    "conv": "Convolution",
    "data": "Data",
    "dropout": "Dropout",
    "euclidean_loss": "EuclideanLoss",
    "flatten": "Flatten",
    "hdf5_data": "HDF5Data",
    "images": "ImageData",
    "innerproduct": "InnerProduct",
    "lrn": "LRN",
    "padding": "Padding",
    "pool": "Pooling",
    "relu": "ReLU",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "softmax_loss": "SoftmaxWithLoss",
    "split": "Split",
    "tanh": "TanH",
    "window_data": "WindowData",
}
# The message that holds the parameters of a type.
SETTINGS = {
    "BatchNorm": "batch_norm_param",
    "Concat": "concat_param",
    "Convolution": "convolution_param",
    "Dropout": "dropout_param",
    "Eltwise": "eltwise_param",
    "Flatten": "flatten_param",
    "InnerProduct": "inner_product_param",
    "LRN": "lrn_param",
    "Pooling": "pooling_param",
    "ReLU": "relu_param",
    "Scale": "scale_param",
    "Softmax": "softmax_param",
    "SoftmaxWithLoss": "softmax_param",
}

# Under this key a message that was read from text has its first line.
LINE = "line of the file"


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
            if key not in ("name", "type", "blobs", "crop_size", "scale", LINE)
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
            new["transform_param"] = [
                {key: old[key] for key in ("crop_size", "scale") if key in old}
            ]
        return {
            **new,
            **{key: message[key] for key in message if key != "layer"},
        }
    number = last(message, "type", 0)
    known = dict(enumerate(V1_TYPES.values()))
    return {**message, "type": [known.get(number, f"V1 type {number}")]}


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
            pad = last(message, "settings", {}).get("pad", [0])
            bottom = message.get("bottom", [])
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
