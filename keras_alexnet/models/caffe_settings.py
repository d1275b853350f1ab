"""Settings, shapes and weights of Caffe's layers, checked."""

import keras
import numpy as np

LARGEST = 2**15


def bias_of(layer):
    """The bias of a layer, or `None`."""
    stated = setting(layer, "bias_term", None if layer.settings is None else 1)
    wanted = {None: (1, 2), 0: (1,), 1: (2,)}[stated]
    if len(layer.blobs) not in wanted:
        shapes = [blob.shape for blob in layer.blobs]
        refuse(
            layer,
            f"has blobs of shapes {shapes}, where "
            f"{' or '.join(map(str, wanted))} are wanted"
            + (": the file holds no weights of it" if not shapes else ""),
        )
    return layer.blobs[1].reshape(-1) if len(layer.blobs) == 2 else None


def assign(layer, variable, value):
    """Gives a weight its value, which must fit and be finite."""
    if tuple(variable.shape) != value.shape:
        refuse(
            layer,
            f"has weights of shape {value.shape} (as Keras lays them out), "
            f"where {tuple(variable.shape)} is wanted",
        )
    if not np.isfinite(value).all():
        refuse(
            layer,
            "holds NaN or infinity: the file comes from training that "
            "diverged, or is damaged",
        )
    variable.assign(value)


def setting(layer, key, default):
    """A setting of a layer, or its default."""
    value = (layer.settings or {}).get(key)
    return default if value is None else value


def sides_of(layer, both, one, default):
    """A setting for the height and the width."""
    settings = layer.settings or {}
    sides = tuple(
        settings.get(f"{one}_{side}", settings.get(both, default[index]))
        for index, side in enumerate("hw")
    )
    least = 0 if one == "pad" else 1
    if any(side < least or side > LARGEST for side in sides):
        refuse(layer, f"has {both}={sides}, which is impossible")
    return sides


def expect(layer, key, stated, wanted):
    """Refuses a number of outputs that is not that of the weights."""
    if stated != wanted[0]:
        refuse(
            layer, f"is stated to have {key}={stated}, its weights {wanted[0]}"
        )


def check_rank(layer, x, rank):
    """Refuses vectors where maps are needed."""
    if len(x.shape) != rank:
        refuse(layer, f"needs maps of images, and reads {described(x)}")


def check_fits(layer, x, window, pads, dilation=1, overhang=(0, 0)):
    """Refuses windows that hang over the padded map by too many pixels."""
    for size, side, pad, over in zip(
        map_shape(x)[1:], window, pads, overhang, strict=True
    ):
        reach = dilation * (side - 1) + 1
        if size is not None and size + 2 * pad + over < reach:
            refuse(
                layer,
                f"has windows of {window} pixels, and reads maps of only "
                f"{map_shape(x)[1:]}",
            )


def leaves_nothing_over(x, window, strides):
    """Whether windows end where the map ends."""
    return all(
        size is not None and (size - side) % stride == 0
        for size, side, stride in zip(
            map_shape(x)[1:], window, strides, strict=True
        )
    )


def keras_axis(layer, x, axis):
    """Keras's axis for one of Caffe's, of (images, channels, height, width)."""
    rank = len(x.shape)
    index = axis + rank if axis < 0 else axis
    if not 1 <= index < rank:
        refuse(layer, f"works along axis {axis}, which is not supported")
    if rank != 4 or channels_first():
        return index
    return {1: 3, 2: 1, 3: 2}[index]


def map_shape(x):
    """Channels, height and width."""
    if channels_first():
        return tuple(x.shape[1:])
    return x.shape[3], x.shape[1], x.shape[2]


def channel_count(x):
    """Channels of a Keras tensor."""
    return x.shape[channel_axis()]


def channel_axis():
    """The axis of the channels, as `concatenate` takes it."""
    return 1 if channels_first() else -1


def channels_first():
    """Whether Keras has the channels before height and width."""
    return keras.config.image_data_format() == "channels_first"


def described(x):
    """A tensor in the words of an error message."""
    return f"a blob of shape {tuple(x.shape)}"


def refuse(layer, reason):
    """Raises the error of a layer."""
    raise ValueError(f"{layer.type} layer {layer} {reason}.")
