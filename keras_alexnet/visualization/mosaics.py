"""Many small images as one: kernels, feature maps, patches."""

import math

import numpy as np


def mosaic(tiles, columns=None, gap=1, background=1.0):
    """Lays tiles out in rows, with a gap between them.

    Args:
        tiles: Array `(count, height, width)` or `(count, height, width, 3)`.
        columns: Integer, tiles in a row. Defaults to a nearly square mosaic.
        gap: Integer, pixels between tiles. Defaults to `1`.
        background: Float, what is between and behind. Defaults to `1.0`.

    Returns:
        Array `(height, width)` or `(height, width, 3)`.

    Example:

    >>> mosaic(np.zeros((5, 4, 4)), columns=3).shape
    (9, 14)
    """
    count, height, width = tiles.shape[:3]
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    shape = rows * (height + gap) - gap, columns * (width + gap) - gap
    found = np.full((*shape, *tiles.shape[3:]), background, "float32")
    for index, tile in enumerate(tiles):
        top, left = (
            place * (side + gap)
            for place, side in zip(
                divmod(index, columns), (height, width), strict=True
            )
        )
        found[top : top + height, left : left + width] = tile
    return found


def stretched(tiles):
    """Tiles from 0 to 1, each by its own least and largest value.

    A tile whose values are all equal becomes grey.

    Example:

    >>> stretched(np.array([[[-2.0, 2.0]], [[5.0, 5.0]]])).tolist()
    [[[0.0, 1.0]], [[0.5, 0.5]]]
    """
    axes = tuple(range(1, tiles.ndim))
    low = tiles.min(axis=axes, keepdims=True)
    span = tiles.max(axis=axes, keepdims=True) - low
    return np.where(span > 0, (tiles - low) / np.where(span > 0, span, 1), 0.5)


def around_grey(tiles):
    """Tiles from 0 to 1, each by its largest absolute value; 0 becomes grey.

    Example:

    >>> around_grey(np.array([[[-1.0, 2.0]], [[0.0, 0.0]]])).tolist()
    [[[0.25, 1.0]], [[0.5, 0.5]]]
    """
    axes = tuple(range(1, tiles.ndim))
    largest = np.abs(tiles).max(axis=axes, keepdims=True)
    return 0.5 + tiles / np.where(largest > 0, 2 * largest, 1)


def show(axes, image, **options):
    """Draws an image without ticks.

    Args:
        axes: A panel.
        image: Array, grey or RGB from 0 to 1; what is beyond is cut off.
        **options: As of `imshow`.

    Returns:
        What `imshow` returns.
    """
    grey = {"cmap": "gray", "vmin": 0, "vmax": 1} if image.ndim == 2 else {}
    axes.set_xticks(())
    axes.set_yticks(())
    return axes.imshow(np.clip(image, 0, 1), **{**grey, **options})
