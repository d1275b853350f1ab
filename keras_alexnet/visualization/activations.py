"""Feature maps, dead units and the effect of LRN, as pictures."""

import math

import numpy as np

from keras_alexnet.visualization.figure import new_figure
from keras_alexnet.visualization.figure import save_figure
from keras_alexnet.visualization.mosaics import mosaic
from keras_alexnet.visualization.mosaics import show

ALIVE, DEAD = "#8fa8dc", "#e8747c"


def plot_activations(found, path, most=64, columns=3):
    """Draws the feature maps of layers for one image.

    The maps of a layer share a scale: black is 0 or less, white the layer's
    largest output, which stands above them.

    Args:
        found: Dict of layer name to array, such as `activations` returns for
            one image, or for several, of which the first is drawn. Layers
            that give no maps are left out.
        path: Path of the picture; its ending chooses the format.
        most: Integer, maps per layer, the first ones. Defaults to `64`.
        columns: Integer, layers side by side. Defaults to `3`.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If no layer gives maps.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> found = {"conv1": np.ones((1, 8, 8, 16))}
    >>> plot_activations(found, folder / "maps.png").name
    'maps.png'
    """
    maps = {name: y[0] for name, y in found.items() if np.ndim(y) == 4}
    if not maps:
        raise ValueError(
            "`found` must have a layer of maps, an array (images, height, "
            f"width, channels). Received: {sorted(found)}"
        )
    columns = min(columns, len(maps))
    rows = math.ceil(len(maps) / columns)
    figure = new_figure(2.6 * columns, 2.85 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes in panels:
        axes.set_axis_off()
    for axes, (name, y) in zip(panels, maps.items(), strict=False):
        tiles = np.moveaxis(y, -1, 0)[:most]
        largest = y.max()
        tiles = np.clip(tiles / largest, 0, 1) if largest > 0 else 0 * tiles
        gap = max(1, tiles.shape[1] // 16)
        show(axes, mosaic(tiles, gap=gap, background=0.35))
        shown = "" if len(tiles) == y.shape[-1] else f"{len(tiles)} of "
        axes.set_title(
            f"{name}: {shown}{y.shape[-1]} maps of {y.shape[0]}x{y.shape[1]}\n"
            f"up to {largest:.3g}",
            fontsize=8,
        )
    return save_figure(figure, path)


def plot_dead_units(statistics, path, images=None):
    """Draws the share of ReLUs that never fire, layer by layer.

    Two bars per layer: of its units (a ReLU at each place of each map, as
    the paper counts neurons), and of its maps, which are dead if they fire
    nowhere. Of a dense layer both are the same.

    Args:
        statistics: Dict of layer name to `LayerStatistics`, what
            `layer_statistics` returned.
        path: Path of the picture; its ending chooses the format.
        images: Integer, of how many images they are, for the title. Defaults
            to no title.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If no layer has a ReLU.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_alexnet.inspection import LayerStatistics
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> conv1 = LayerStatistics(1.0, 1.0, 5.0, 0.5, 0.1, (3,), 96)
    >>> plot_dead_units({"conv1": conv1}, folder / "dead.png", 100).name
    'dead.png'
    """
    found = {
        name: one
        for name, one in statistics.items()
        if one.dead_units is not None
    }
    if not found:
        raise ValueError(
            "`statistics` must have a layer with a ReLU. "
            f"Received: {sorted(statistics)}"
        )
    figure = new_figure(5.5, 1.0 + 0.42 * len(found))
    axes = figure.subplots()
    places = np.arange(len(found))
    units = [100 * one.dead_units for one in found.values()]
    maps = [
        100 * len(one.dead_channels) / one.channels for one in found.values()
    ]
    for values, shift, color, label in (
        (units, -0.2, ALIVE, "units"),
        (maps, 0.2, DEAD, "maps"),
    ):
        bars = axes.barh(places + shift, values, 0.38, color=color, label=label)
        axes.bar_label(bars, fmt="%.1f", padding=2, fontsize=7)
    axes.set_yticks(places, list(found), fontsize=8)
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xlim(0, max(1.0, *units, *maps) * 1.12)
    axes.set_xlabel("never fire (%)")
    axes.legend(frameon=False, fontsize=8, loc="best")
    if images:
        axes.set_title(f"dead ReLUs on {images:,} images", fontsize=9)
    return save_figure(figure, path)


def plot_lrn(before, after, path, name="LRN", largest=9):
    """Draws feature maps before and after a local response normalization.

    On the left the maps that it takes most from, before and after, on one
    scale; on the right each output against its input: a straight line would
    be a mere scaling.

    Args:
        before, after: Arrays `(images, height, width, channels)`, the inputs
            and outputs of the layer; maps of the first image are drawn.
        path: Path of the picture; its ending chooses the format.
        name: String, the layer's name. Defaults to `"LRN"`.
        largest: Integer, maps to draw. Defaults to `9`.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If the arrays are not of one shape, or have no maps.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> x = np.random.default_rng(0).uniform(size=(1, 8, 8, 16))
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> plot_lrn(x, x / (1 + x), folder / "lrn.png").name
    'lrn.png'
    """
    if np.shape(before) != np.shape(after) or np.ndim(before) != 4:
        raise ValueError(
            "`before` and `after` must have one shape, (images, height, "
            f"width, channels). Received: {np.shape(before)}, {np.shape(after)}"
        )
    # The scaling that has nothing to do with neighbors.
    fires = np.abs(before) > 1e-3 * np.abs(before).max()
    ratios = after[fires] / before[fires] if fires.any() else np.ones(1)
    scale = ratios.max()
    lost = np.abs(scale * before[0] - after[0]).sum(axis=(0, 1))
    chosen = np.argsort(-lost, kind="stable")[:largest]
    figure = new_figure(8.2, 2.9)
    panels = figure.subplots(1, 3, width_ratios=(1, 1, 1.15))
    top = scale * np.abs(before[0][..., chosen]).max() or 1.0
    for axes, y, text in (
        (panels[0], scale * before[0], f"before, times {scale:.2f}"),
        (panels[1], after[0], "after"),
    ):
        tiles = np.clip(np.moveaxis(y[..., chosen], -1, 0) / top, 0, 1)
        show(axes, mosaic(tiles, gap=1, background=0.35))
        axes.set_title(f"{name}: {text}", fontsize=8)
    _draw_pairs(panels[2], before, after, scale)
    return save_figure(figure, path)


def _draw_pairs(axes, before, after, scale):
    x, y = np.ravel(before), np.ravel(after)
    random = np.random.default_rng(0)
    if len(x) > 5000:
        drawn = random.choice(len(x), 5000, replace=False)
        x, y = x[drawn], y[drawn]
    axes.plot(x, y, ".", markersize=2, alpha=0.4, color="C0")
    ends = np.array([min(x.min(), 0.0), x.max()])
    axes.plot(ends, scale * ends, color="0.4", linewidth=0.8)
    axes.set_xlabel("input", fontsize=8)
    axes.set_ylabel("output", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.set_title("line: silent neighbors", fontsize=8)
    axes.grid(alpha=0.3)
