"""Where in a large photo a network sees which class."""

import math

import numpy as np

from keras_alexnet.visualization.attributions import overlay
from keras_alexnet.visualization.figure import new_figure
from keras_alexnet.visualization.figure import save_figure
from keras_alexnet.visualization.mosaics import show


def plot_class_maps(
    image, maps, path, classes=None, class_names=None, field=None
):
    """Draws a heat map per class over a photo.

    Args:
        image: RGB array `(height, width, 3)` in 0-255.
        maps: Array `(rows, columns, classes)` of probabilities, what a
            network made by `to_fully_convolutional` gives for the photo.
        path: Path of the picture; its ending chooses the format.
        classes: List of integers, those to draw. Defaults to the four with
            the largest mean probability.
        class_names: List of names. Defaults to the numbers.
        field: The `ReceptiveField` of the network's last layer, which tells
            where the places are. Defaults to places that fill the photo.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If `maps` has another shape, or there is no such class.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> image, maps = np.zeros((64, 96, 3)), np.full((2, 3, 4), 0.25)
    >>> plot_class_maps(image, maps, folder / "maps.png", [0, 2]).name
    'maps.png'
    """
    maps = np.asarray(maps)
    if maps.ndim != 3 or not np.isfinite(maps).all():
        raise ValueError(
            "`maps` must be finite, of shape (rows, columns, classes). "
            f"Received: shape={maps.shape}"
        )
    count = maps.shape[-1]
    if classes is None:
        order = np.argsort(-maps.mean(axis=(0, 1)), kind="stable")
        classes = order[:4].tolist()
    if not len(classes) or not all(0 <= c < count for c in classes):
        raise ValueError(
            f"`classes` must be of 0 to {count - 1}. "
            f"Received: classes={classes}"
        )
    names = class_names or [f"class {index}" for index in range(count)]
    height, width = np.shape(image)[:2]
    columns = min(3, 1 + len(classes))
    rows = math.ceil((1 + len(classes)) / columns)
    figure = new_figure(
        2.7 * columns, (2.1 * height / width + 0.35) * rows + 0.1
    )
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes in panels:
        axes.set_axis_off()
    show(panels[0], np.asarray(image) / 255)
    panels[0].set_title(f"photo, {width} x {height} pixels", fontsize=8)
    for axes, index in zip(panels[1:], classes, strict=False):
        values = maps[..., index]
        overlay(
            figure,
            axes,
            image,
            values,
            field,
            label="probability",
            vmin=0,
            vmax=1,
            interpolation="bilinear",
        )
        axes.set_title(f"{names[index]}: up to {values.max():.2f}", fontsize=8)
    return save_figure(figure, path)
