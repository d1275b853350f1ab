"""Figure 3 of the paper: the kernels of the first layer, column by column."""

import math

import numpy as np

from keras_alexnet.inspection.kernels import color_specialization
from keras_alexnet.inspection.kernels import first_kernels
from keras_alexnet.visualization.figure import new_figure
from keras_alexnet.visualization.figure import save_figure
from keras_alexnet.visualization.mosaics import around_grey
from keras_alexnet.visualization.mosaics import mosaic
from keras_alexnet.visualization.mosaics import show


def plot_kernels(model, path, permutations=10_000, seed=0):
    """Draws the first layer's kernels as Figure 3, one block per column.

    Each kernel is scaled by its own largest weight; grey is zero. Under each
    block stands how much of its kernels' energy is color, and under all of
    them whether the columns differ in that, see `color_specialization`.

    Args:
        model: A `keras.Model`, of columns or not, whose first convolution
            sees three channels.
        path: Path of the picture; its ending chooses the format.
        permutations, seed: As of `color_specialization`.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: As of `color_specialization`.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_alexnet import AlexNet
    >>> from keras_alexnet.models import PAPER, with_width
    >>> model = AlexNet(architecture=with_width(PAPER, 0.25), classes=2)
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> plot_kernels(model, folder / "kernels.png", permutations=99).name
    'kernels.png'

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    figure 3 and section 6.1.
    """
    found = color_specialization(model, permutations, seed)
    tiles = around_grey(np.moveaxis(first_kernels(model), -1, 0))
    if sees_bgr(model):
        tiles = tiles[..., ::-1]
    columns = len(found.means)
    # The paper's 48 are in three rows.
    per_row = 16 if len(tiles) >= 48 else 8
    block = len(tiles) // columns
    rows = math.ceil(block / per_row)
    width = 7.2 if per_row == 16 else 4.6
    height = columns * (width * rows / per_row + 0.3) + 0.35
    figure = new_figure(width, height)
    panels = figure.subplots(columns, 1, squeeze=False)[:, 0]
    for number, axes in enumerate(panels):
        part = tiles[number * block : (number + 1) * block]
        show(axes, mosaic(part, per_row), interpolation="nearest")
        axes.set_frame_on(False)
        axes.set_xlabel(_column_text(found, number), fontsize=8)
    figure.supxlabel(_test_text(found), fontsize=8)
    return save_figure(figure, path)


def sees_bgr(model):
    """Whether the first layer of a model sees BGR.

    Example:

    >>> from keras_alexnet.models import CIFARNet
    >>> sees_bgr(CIFARNet())
    False
    """
    architecture = getattr(model, "architecture", None)
    return getattr(architecture, "channel_order", "rgb") == "bgr"


def _column_text(found, number):
    share = found.shares[number]
    name = f"column {number}: " if len(found.means) > 1 else ""
    return (
        f"{name}share of color {found.means[number]:.2f} on average, "
        f"above 1/2 in {int((share > 0.5).sum())} of {len(share)} kernels"
    )


def _test_text(found):
    text = f"{found.initial_mean:.2f} at initialization"
    if found.p_value is None:
        return text
    least = 1 / (1 + found.permutations)
    p = f"= {found.p_value:.2g}"
    if found.p_value <= least:
        p = f"≤ {least:.1g}"
    return f"{text}; the columns differ with p {p} (permutation test)"
