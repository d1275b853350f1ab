"""Small pictures of arrays, without matplotlib."""

import base64
import io

import numpy as np

from keras_alexnet.inspection.kernels import first_kernels
from keras_alexnet.visualization.kernels import sees_bgr
from keras_alexnet.visualization.mosaics import around_grey
from keras_alexnet.visualization.mosaics import mosaic

# Stops of a color map from cool to warm: blue, white, red.
COOL, PALE, WARM = (59, 76, 192), (221, 221, 221), (180, 4, 38)


def kernel_mosaics(model, least=360):
    """The kernels of the first layer, as in Figure 3, an image per column.

    Each kernel is scaled by its own largest weight; grey is zero. Where the
    layer does not see three channels, the mean over channels is shown.

    Args:
        model: A `keras.Model`, of columns or not.
        least: Integer, pixels that an image is wide at least. Kernels are
            enlarged by a whole factor. Defaults to `360`.

    Returns:
        List of uint8 RGB arrays.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> from keras_alexnet.models import PAPER, with_width
    >>> model = AlexNet(architecture=with_width(PAPER, 0.25), classes=2)
    >>> [image.shape for image in kernel_mosaics(model)]
    [(92, 380, 3), (92, 380, 3)]
    """
    tiles = np.moveaxis(first_kernels(model), -1, 0)
    if tiles.shape[-1] != 3:
        tiles = np.repeat(tiles.mean(axis=-1, keepdims=True), 3, axis=-1)
    elif sees_bgr(model):
        tiles = tiles[..., ::-1]
    tiles = around_grey(tiles)
    architecture = getattr(model, "architecture", None)
    columns = architecture.columns if architecture is not None else 1
    per_row = 16 if len(tiles) >= 48 else 8
    width = per_row * (tiles.shape[2] + 1) - 1
    factor = max(1, -(-least // width))
    return [
        enlarged(
            np.uint8(255 * mosaic(block, min(per_row, len(block)))), factor
        )
        for block in np.split(tiles, columns)
    ]


def enlarged(image, factor):
    """An image whose pixels are squares of `factor` pixels."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def overlaid(image, values):
    """An image with a map over it: cool where it is 0, warm where largest.

    Args:
        image: uint8 RGB array `(height, width, 3)`.
        values: Array `(rows, columns)` of 0 or more.

    Returns:
        uint8 RGB array of the shape of `image`.

    Example:

    >>> overlaid(np.zeros((4, 4, 3), "uint8"), np.eye(2)).shape
    (4, 4, 3)
    """
    from PIL import Image

    largest = float(values.max())
    share = values / largest if largest > 0 else np.zeros_like(values)
    small = Image.fromarray(np.asarray(share, "float32"))
    height, width = image.shape[:2]
    share = np.asarray(small.resize((width, height), Image.BILINEAR))
    share = np.clip(share, 0, 1)[..., None]
    cool = np.asarray(COOL) + 2 * share * np.subtract(PALE, COOL)
    warm = np.asarray(PALE) + (2 * share - 1) * np.subtract(WARM, PALE)
    color = np.where(share < 0.5, cool, warm)
    grey = image.mean(axis=-1, keepdims=True)
    return np.uint8(np.clip(0.5 * grey + 0.5 * color, 0, 255))


def captioned(image, text, side=224):
    """An image in a square with a line of text under it.

    Args:
        image: uint8 RGB array.
        text: String; what does not fit is cut off.
        side: Integer, pixels of the square. Defaults to `224`.

    Returns:
        uint8 RGB array `(side + 16, side, 3)`.

    Example:

    >>> captioned(np.zeros((8, 8, 3), "uint8"), "cat, not dog").shape
    (240, 224, 3)
    """
    from PIL import Image
    from PIL import ImageDraw

    page = Image.new("RGB", (side, side + 16), "white")
    kind = Image.NEAREST if max(image.shape[:2]) < side else Image.BILINEAR
    page.paste(Image.fromarray(image).resize((side, side), kind), (0, 0))
    ImageDraw.Draw(page).text((2, side + 2), text, fill="black")
    return np.asarray(page)


def data_uri(image, quality=None):
    """An image as text that a page can hold.

    Args:
        image: uint8 RGB array.
        quality: Integer, of JPEG. Defaults to `None`, a PNG without loss.

    Returns:
        String that begins with `data:image/`.

    Example:

    >>> data_uri(np.zeros((1, 1, 3), "uint8"))[:22]
    'data:image/png;base64,'
    """
    from PIL import Image

    kind = "jpeg" if quality else "png"
    options = {"quality": quality} if quality else {"optimize": True}
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    encoded = base64.b64encode(file.getvalue()).decode()
    return f"data:image/{kind};base64,{encoded}"
