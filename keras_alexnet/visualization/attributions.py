"""An image beside what a network looks at in it."""

import math

import numpy as np

from keras_alexnet.visualization.figure import new_figure
from keras_alexnet.visualization.figure import save_figure
from keras_alexnet.visualization.mosaics import show

# Of the values of a map, the share that is drawn within the range of colors.
WITHIN = 99.5


def plot_attributions(image, maps, path, title=None, fields=None, columns=3):
    """Draws an image beside maps of what a unit looks at in it.

    A map of three channels (a gradient, a deconvnet's projection) is drawn in
    color around grey, which is zero; its largest values, half a percent, are
    cut off. A map of one (Grad-CAM) is drawn over the image, warm where it is
    large, with its scale beside it.

    Args:
        image: RGB array `(height, width, 3)` in 0-255.
        maps: Dict of a title to an array `(height, width, 3)`, RGB, or to one
            `(rows, columns)` of places.
        path: Path of the picture; its ending chooses the format.
        title: String, what was asked of which network. Defaults to none.
        fields: Dict of a title to a `ReceptiveField`, which tells where the
            places of a map of one channel are. Defaults to the whole image.
        columns: Integer, images side by side. Defaults to `3`.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If there is no map, or one is of another shape or not
            finite.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> image = np.zeros((8, 8, 3), "uint8")
    >>> maps = {"gradient": np.ones((8, 8, 3)), "Grad-CAM": np.eye(2)}
    >>> plot_attributions(image, maps, folder / "maps.png").name
    'maps.png'
    """
    _check(image, maps)
    columns = min(columns, 1 + len(maps))
    rows = math.ceil((1 + len(maps)) / columns)
    shape = np.shape(image)
    figure = new_figure(
        2.5 * columns, (2.5 * shape[0] / shape[1] + 0.25) * rows + 0.35
    )
    panels = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes in panels:
        axes.set_axis_off()
    show(panels[0], np.asarray(image) / 255)
    panels[0].set_title("image", fontsize=9)
    for axes, (name, values) in zip(panels[1:], maps.items(), strict=False):
        axes.set_title(name, fontsize=9)
        if values.ndim == 3:
            show(axes, in_color(values))
        else:
            field = (fields or {}).get(name)
            overlay(figure, axes, image, values, field)
    if title:
        figure.suptitle(title, fontsize=10)
    return save_figure(figure, path)


def in_color(values):
    """A map of three channels around grey, from 0 to 1.

    Args:
        values: Array `(height, width, 3)`.

    Returns:
        Array of that shape.

    Example:

    >>> in_color(np.array([[[0.0, 2.0, -2.0]]])).tolist()
    [[[0.5, 1.0, 0.0]]]
    """
    largest = np.percentile(np.abs(values), WITHIN)
    # Sparse maps are zero in most places.
    largest = largest or np.abs(values).max() or 1.0
    return np.clip(0.5 + values / (2 * largest), 0, 1)


def overlay(figure, axes, image, values, field=None, label=None, **options):
    """Draws a map of places over a grey copy of an image, with its scale.

    Args:
        figure, axes: The figure and a panel of it.
        image: RGB array `(height, width, 3)` in 0-255.
        values: Array `(rows, columns)`.
        field: A `ReceptiveField` of the places. Defaults to places that fill
            the image.
        label: String, of the scale. Defaults to none.
        **options: As of `imshow`, for the map.
    """
    grey = np.asarray(image, "float32").mean(axis=-1) / 255
    height, width = grey.shape
    show(axes, grey, extent=(0, width, height, 0))
    drawn = axes.imshow(
        values,
        **{
            "cmap": "inferno",
            "alpha": 0.6,
            "extent": extent(values.shape, grey.shape, field),
            "interpolation": "nearest",
            **options,
        },
    )
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    # As high as the image, whatever room there is beside it.
    bar = figure.colorbar(drawn, cax=axes.inset_axes((1.02, 0, 0.04, 1)))
    bar.ax.tick_params(labelsize=6)
    bar.ax.locator_params(nbins=4)
    if label:
        bar.set_label(label, fontsize=7)


def extent(shape, size, field=None):
    """Where the edges of a map of places are in the image.

    Each place is drawn as a square around the center of what it sees, as
    large as the distance between neighbors.

    Args:
        shape: Pair of integers, rows and columns of the map.
        size: Pair of integers, height and width of the image.
        field: A `ReceptiveField`. Defaults to places that fill the image.

    Returns:
        Tuple of floats `(left, right, bottom, top)`, in pixels.

    Example:

    >>> from keras_alexnet.inspection import ReceptiveField
    >>> extent((2, 2), (12, 12), ReceptiveField((4, 4), (6, 6), (1, 1)))
    (0.0, 12.0, 12.0, 0.0)
    """
    if field is None:
        return 0.0, float(size[1]), float(size[0]), 0.0
    edges = []
    for axis in (0, 1):
        step = field.stride[axis]
        center = field.offset[axis] + field.size[axis] / 2
        edges.append((center - step / 2, center + step * (shape[axis] - 0.5)))
    (top, bottom), (left, right) = edges
    return left, right, bottom, top


def _check(image, maps):
    shape = np.shape(image)
    fits = len(shape) == 3 and shape[-1] == 3
    for values in maps.values():
        same = np.shape(values) == shape or np.ndim(values) == 2
        fits = fits and same and np.isfinite(values).all()
    if not maps or not fits:
        raise ValueError(
            "`image` must have shape (height, width, 3), and `maps` at least "
            "one finite array of that shape or of (rows, columns). Received: "
            f"{shape}, {[np.shape(values) for values in maps.values()]}"
        )
