"""Images with the labels that a network finds most probable."""

import math

import numpy as np

from keras_alexnet.visualization.figure import new_figure
from keras_alexnet.visualization.figure import save_figure

# As in the paper's figure, more or less.
RIGHT, OTHER = "#e8747c", "#8fa8dc"

# Letters for which there is room under an image, and in a bar.
LONGEST = 26


def plot_predictions(
    images, predictions, path, labels=None, columns=4, caption=None
):
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
        caption: String that says what was measured. Defaults to what bars and
            colors mean.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If there is no image, not as many predictions or labels,
            an image is none, or a probability is not in 0 to 1.
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
    labels = [None] * len(images) if labels is None else labels
    _check(images, predictions, labels)
    images = [checked_image(image) for image in images]
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    figure = new_figure(2.4 * columns, 3.9 * rows + 0.4)
    panels = figure.subplots(
        2 * rows, columns, squeeze=False, height_ratios=[1.7, 1] * rows
    )
    for index in range(rows * columns):
        row, column = divmod(index, columns)
        above, below = panels[2 * row : 2 * row + 2, column]
        above.set_axis_off()
        below.set_axis_off()
        if index < len(images):
            above.imshow(images[index])
            write_below(above, shortened(labels[index] or ""), fontsize=9)
            _draw_bars(below, predictions[index], labels[index])
    known = any(label is not None for label in labels)
    caption = caption or (
        "Bars: probability of the most probable labels"
        + (", red that of the correct one" if known else "")
    )
    figure.supxlabel(caption, fontsize=9, wrap=True)
    return save_figure(figure, path)


def checked_image(image):
    """An image as uint8, refused if it is none.

    Matplotlib takes floats to be in [0, 1], and would draw others white.

    Args:
        image: RGB array `(height, width, 3)` in 0-255.

    Returns:
        uint8 array.

    Raises:
        ValueError: If it has another shape or other values.

    Example:

    >>> checked_image(np.full((1, 1, 3), 9.6)).tolist()
    [[[10, 10, 10]]]
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(
            "An image must be an RGB array (height, width, 3). "
            f"Received: shape={image.shape}"
        )
    if not (image.min() >= 0 and image.max() <= 255):
        raise ValueError(
            "Pixels must be in 0-255. Received: from "
            f"{image.min()} to {image.max()}"
        )
    return np.round(image).astype("uint8")


def shortened(text, longest=LONGEST):
    """A text for which there is room.

    Args:
        text: String.
        longest: Integer, letters. Defaults to `26`.

    Returns:
        String, which ends in an ellipsis where letters were left out.

    Example:

    >>> shortened("Mexican hairless"), shortened("soft-coated wheaten terrier")
    ('Mexican hairless', 'soft-coated wheaten terri…')
    """
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def write_below(axes, text, fontsize):
    """Writes a text under an image, in the middle.

    Args:
        axes: Matplotlib axes that show an image.
        text: String.
        fontsize: Integer, points.
    """
    axes.text(
        0.5,
        -0.03,
        text,
        transform=axes.transAxes,
        ha="center",
        va="top",
        fontsize=fontsize,
    )


def _check(images, predictions, labels):
    counts = len(images), len(predictions), len(labels)
    if not len(images) or len(set(counts)) > 1:
        raise ValueError(
            "`images`, `predictions` and `labels` must be as many, at least "
            f"one. Received: {counts[0]} images, {counts[1]} predictions, "
            f"{counts[2]} labels"
        )
    for index, guesses in enumerate(predictions):
        for name, probability in guesses:
            if not 0 <= probability <= 1:
                raise ValueError(
                    "Probabilities must be in 0 to 1. Received: "
                    f"{probability} of {name!r} for image {index}"
                )


def _draw_bars(axes, guesses, label):
    for place, (name, probability) in enumerate(guesses):
        color = RIGHT if name == label else OTHER
        axes.barh(place, probability, height=0.85, color=color)
        axes.text(0.02, place, shortened(name), va="center", fontsize=8)
    # Five places, also where there are fewer classes.
    axes.set_ylim(max(5, len(guesses)) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_axis_on()
    axes.set_xticks((0, 0.5, 1), ("0", "½", "1"), fontsize=7)
    axes.tick_params(axis="x", length=2, pad=1)
    axes.set_yticks(())
