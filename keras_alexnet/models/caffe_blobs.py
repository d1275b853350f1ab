"""What flows between the layers of a Caffe network that is written."""

import dataclasses

import keras
import numpy as np


@dataclasses.dataclass(frozen=True)
class Blob:
    """What flows between layers.

    Args:
        name: String, Caffe's name.
        shape: Channels, height and width of a map; `None` for a vector.
        flattened: The shape of the map that a vector was, if its values are in
            Keras's order (pixel by pixel).
        moved: Boolean. Whether a `Permute` has moved the channels to the front.
        one_pixel: Boolean. Whether a vector is a map of one pixel in Caffe.
        margins: Zeros around a map that Keras has added in a layer of its own.
        pixels: For images, what centered pixels were divided by (RGB) and
            their channel order, if they are not Caffe's.
    """

    name: str = ""
    shape: tuple | None = None
    flattened: tuple | None = None
    moved: bool = False
    one_pixel: bool = False
    margins: tuple = ((0, 0), (0, 0))
    pixels: tuple | None = None

    @classmethod
    def of(cls, shape, pixels=None):
        """The blob of a Keras tensor of a shape, without the batch."""
        if len(shape) != 3:
            return cls()
        if not channels_first():
            shape = (shape[2], shape[0], shape[1])
        return cls(shape=tuple(shape), pixels=pixels)

    def named(self, name):
        """The same blob under a name."""
        return dataclasses.replace(self, name=name)


def adapted(layer, kernel, blob):
    """The kernel of a convolution for pixels as Caffe has them."""
    if blob.pixels is None:
        return kernel
    std, order = blob.pixels
    scale = np.divide(1.0, std)
    if order == "bgr":
        scale = scale[::-1]
    scaled = (kernel * scale[:, None]).astype(kernel.dtype)
    return scaled if order == "bgr" else scaled[:, :, ::-1]


def conv_pads(layer, blob, padding, shape):
    """Pixels of padding on both sides of each axis."""
    check_map(layer, blob)
    pads = []
    for axis, out in enumerate(Blob.of(shape).shape[1:]):
        side, stride = layer.kernel_size[axis], layer.strides[axis]
        window = layer.dilation_rate[axis] * (side - 1) + 1
        before, after = blob.margins[axis]
        size = blob.shape[axis + 1]
        padded = size + before + after
        if padding == "same":
            before += max((out - 1) * stride + window - padded, 0) // 2
        elif padding not in ("valid", "ceil"):
            before += padding
        if (size + 2 * before - window) // stride + 1 != out:
            refuse(
                layer,
                "pads an image on one side only, see `paddings`; Caffe pads "
                "both sides and rounds sizes down",
            )
        pads.append(before)
    return tuple(pads)


def pool_size(size, side, stride, pad):
    """Output pixels of Caffe's pooling, `pooling_layer.cpp:91-106`."""
    count = -(-(size + 2 * pad - side) // stride) + 1
    if pad and (count - 1) * stride >= size + pad:
        count -= 1
    return count


def sides(both, one, values, left_out=None):
    """A setting, as one number where the sides are equal."""
    height, width = values
    if height != width:
        return {f"{one}_h": height, f"{one}_w": width}
    return {} if height == left_out else {both: height}


def check_caffe_pixels(layer, blob):
    """Refuses what only a convolution could make up for."""
    check_map(layer, blob, vectors=True)
    if any(map(any, blob.margins)):
        refuse(layer, "follows a `ZeroPadding2D`, which Caffe does not have")
    if blob.pixels is not None:
        std, order = blob.pixels
        if order != "bgr" or any(value != 1 for value in std):
            refuse(
                layer,
                "sees pixels in another order or scale than Caffe's, for "
                "which only a convolution can make up",
            )


def check_map(layer, blob, vectors=False):
    """Refuses vectors, and maps whose channels were moved."""
    if blob.moved and type(layer).__name__ != "Flatten":
        refuse(layer, "follows a `Permute`, which Caffe does not have")
    if blob.shape is None and not vectors:
        refuse(layer, "needs a map, and Caffe has a vector there")


def channels_first():
    """Whether Keras has the channels before height and width."""
    return keras.config.image_data_format() == "channels_first"


def refuse(layer, reason):
    """Raises the error of a layer."""
    raise ValueError(f"layer `{layer.name}` {reason}.")
