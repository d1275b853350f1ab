"""Scales batches of square images as the input pipeline does."""

import numpy as np
from keras import ops


def resize_square(images, side):
    """Scales square images, on every backend and inside graphs.

    ```
    y = round(R x Rᵀ),  for each channel
    ```

    As `keras_alexnet.data.resize_and_crop` does: area average down, and
    bicubic (Keys, a = -1/2) up. Images of the right size stay as they are.

    Args:
        images: Array or tensor of shape `(batch, height, width, channels)`,
            square, in 0-255.
        side: Integer.

    Returns:
        Tensor of shape `(batch, side, side, channels)`, float32; `images`
        themselves if they have this size.

    Raises:
        ValueError: If the images are not square, or of unknown size.

    Example:

    >>> tuple(resize_square(np.ones((2, 64, 64, 3)), 32).shape)
    (2, 32, 32, 3)
    """
    height, width = images.shape[1:3]
    if height is None or height != width:
        raise ValueError(
            "Images must be square and of one known size to be scaled; "
            "`keras_alexnet.data.resize_and_crop` makes them so. "
            f"Received: {height} x {width} pixels, wanted {side} x {side}"
        )
    if height == side:
        return images
    matrix = resize_matrix(height, side)
    x = ops.cast(images, "float32")
    x = ops.einsum("ri,bijc,sj->brsc", matrix, x, matrix)
    return ops.clip(ops.round(x), 0.0, 255.0)


def resize_matrix(before, after):
    """The matrix that scales one side of an image.

    Args:
        before: Integer, pixels.
        after: Integer, pixels.

    Returns:
        float32 array of shape `(after, before)`; each row has the sum 1.

    Example:

    >>> resize_matrix(4, 2).tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    scale = before / after
    pixels = np.arange(before)
    starts = scale * np.arange(after)[:, None]
    if after < before:
        ends = np.minimum(starts + scale, pixels + 1)
        weights = np.maximum(ends - np.maximum(starts, pixels), 0)
    else:
        weights = _keys(np.abs(starts + scale / 2 - pixels - 0.5))
    # At the borders less than a whole window is within the image.
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype("float32")


def _keys(distance):
    """Keys's cubic kernel with a = -1/2."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
