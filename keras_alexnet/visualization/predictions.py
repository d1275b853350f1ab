"""Images with the labels that a network finds most probable."""

import math

from keras_alexnet.visualization.figure import new_figure
from keras_alexnet.visualization.figure import save_figure

# As in the paper's figure, more or less.
RIGHT, OTHER = "#e8747c", "#8fa8dc"


def plot_predictions(images, predictions, path, labels=None, columns=4):
    """Draws images over their five most probable labels, as in Figure 4.

    Each bar is as long as the label's probability. The correct label, where
    it is known, stands under the image, and its bar is red.

    Args:
        images: Sequence of RGB arrays `(height, width, 3)` in 0-255.
        predictions: List per image of tuples `(label, probability)`, the most
            probable first.
        path: Path of the picture; its ending chooses the format.
        labels: List of correct labels, `None` for those that are unknown.
            Defaults to `None`.
        columns: Integer, images side by side. Defaults to `4`.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If there is no image, or not as many predictions.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> image = np.zeros((8, 8, 3), "uint8")
    >>> guesses = [[("mite", 0.9), ("tick", 0.1)]]
    >>> plot_predictions([image], guesses, folder / "x.png", ["mite"]).name
    'x.png'

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 6.1, figure 4 (left).
    """
    if not len(images) or len(images) != len(predictions):
        raise ValueError(
            "`images` and `predictions` must be as many, at least one. "
            f"Received: {len(images)} images, {len(predictions)} predictions"
        )
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    figure = new_figure(2.4 * columns, 3.7 * rows)
    panels = figure.subplots(
        2 * rows, columns, squeeze=False, height_ratios=[1.7, 1] * rows
    )
    labels = labels or [None] * len(images)
    for index in range(rows * columns):
        row, column = divmod(index, columns)
        above, below = panels[2 * row : 2 * row + 2, column]
        above.set_axis_off()
        below.set_axis_off()
        if index < len(images):
            above.imshow(images[index])
            above.text(
                0.5,
                -0.03,
                labels[index] or "",
                transform=above.transAxes,
                ha="center",
                va="top",
                fontsize=9,
            )
            _draw_bars(below, predictions[index], labels[index])
    return save_figure(figure, path)


def _draw_bars(axes, guesses, label):
    for place, (name, probability) in enumerate(guesses):
        color = RIGHT if name == label else OTHER
        axes.barh(place, probability, height=0.85, color=color)
        text = name if len(name) <= 26 else f"{name[:25]}…"
        axes.text(0.02, place, text, va="center", fontsize=8)
    # Five places, also where there are fewer classes.
    axes.set_ylim(max(5, len(guesses)) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_axis_on()
    axes.set_xticks(())
    axes.set_yticks(())
