"""The three maps of an occlusion, as in Zeiler and Fergus's Figure 7."""

import numpy as np

from keras_alexnet.visualization.attributions import overlay
from keras_alexnet.visualization.figure import new_figure
from keras_alexnet.visualization.figure import save_figure
from keras_alexnet.visualization.mosaics import show

# At most so many labels have a color of their own.
LABELS = 8


def plot_occlusion(image, found, path, class_names=None):
    """Draws what a network says of an image while a square covers a part.

    From left to right: the image with a square of the size that was used, the
    total activation of the feature map, the probability of the class, and the
    most probable class. A place stands for the square that it is the center
    of, and reaches halfway to the centers beside it.

    Args:
        image: RGB array `(height, width, 3)` in 0-255.
        found: An `Occlusion`, what `occlusion` returned for the image.
        path: Path of the picture; its ending chooses the format.
        class_names: List of names. Defaults to the numbers.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If the image is smaller than what was covered.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> from keras_alexnet.inspection import occlusion
    >>> from keras_alexnet.models import CIFARNet
    >>> model = CIFARNet(architecture="cifar_26")
    >>> image = np.zeros((32, 32, 3))
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> found = occlusion(model, image, stride=8)
    >>> plot_occlusion(image, found, folder / "occlusion.png").name
    'occlusion.png'

    Reference: [Zeiler and Fergus, 2014](https://arxiv.org/abs/1311.2901),
    figure 7.
    """
    height, width = np.shape(image)[:2]
    if found.tops[-1] + found.size > height:
        raise ValueError(
            "`image` must be the one that was covered, at least "
            f"{found.tops[-1] + found.size} pixels high. Received: {height}"
        )
    names = class_names or [f"class {i}" for i in range(found.label.max() + 1)]
    name = names[found.unit] if found.unit < len(names) else str(found.unit)
    figure = new_figure(8.4, 1.75 * height / width + 0.6)
    panels = figure.subplots(1, 4)
    _draw_square(panels[0], image, found)
    activation, probability = found.uncovered
    _draw_map(figure, panels[1], image, found, found.activation)
    panels[1].set_title(
        f"sum of map {found.channel} of {found.maps}\n"
        f"(uncovered {activation:.3g})",
        fontsize=8,
    )
    _draw_map(
        figure, panels[2], image, found, found.probability, vmin=0, vmax=1
    )
    panels[2].set_title(
        f"probability of {_cut(name)}\n(uncovered {probability:.2f})",
        fontsize=8,
    )
    _draw_labels(panels[3], image, found, names)
    return save_figure(figure, path)


def _draw_square(axes, image, found):
    from matplotlib.patches import Rectangle

    height, width = np.shape(image)[:2]
    show(axes, np.asarray(image) / 255, extent=(0, width, height, 0))
    axes.add_patch(
        Rectangle((0, 0), found.size, found.size, color="0.5", linewidth=0)
    )
    axes.set_title(
        f"image; the square\nis {found.size} pixels wide", fontsize=8
    )


def _draw_map(figure, axes, image, found, values, **options):
    drawn, extent = _in_places(found, values)
    overlay(figure, axes, image, drawn, extent=extent, **options)


def _draw_labels(axes, image, found, names):
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    labels, counts = np.unique(found.label, return_counts=True)
    common = labels[np.argsort(-counts, kind="stable")][:LABELS]
    # What is rare shares the last color.
    places = np.full(found.label.shape, LABELS)
    for place, label in enumerate(common):
        places[found.label == label] = place
    colors = [f"C{i}" for i in range(LABELS)] + ["0.3"]
    height, width = np.shape(image)[:2]
    grey = np.asarray(image, "float32").mean(axis=-1) / 255
    show(axes, grey, extent=(0, width, height, 0))
    drawn, extent = _in_places(found, places)
    axes.imshow(
        drawn,
        cmap=ListedColormap(colors),
        vmin=-0.5,
        vmax=LABELS + 0.5,
        alpha=0.6,
        interpolation="nearest",
        extent=extent,
    )
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    handles = [
        Patch(color=colors[place], alpha=0.6, label=_cut(_name(names, label)))
        for place, label in enumerate(common)
    ]
    if len(labels) > LABELS:
        handles.append(Patch(color="0.3", alpha=0.6, label="others"))
    axes.legend(
        handles=handles,
        fontsize=6,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        frameon=False,
    )
    axes.set_title("most probable class\n", fontsize=8)


def _in_places(found, values):
    """A map in half pixels, and its extent in the image.

    The last squares may be nearer to those before them than the others are,
    so places differ in size.
    """
    tops, lefts = (
        _edges(starts + found.size / 2, found.size)
        for starts in (found.tops, found.lefts)
    )
    # Edges are whole numbers of half pixels.
    rows, columns = (
        np.rint(2 * np.diff(edges)).astype(int) for edges in (tops, lefts)
    )
    drawn = np.repeat(np.repeat(values, rows, axis=0), columns, axis=1)
    return drawn, (lefts[0], lefts[-1], tops[-1], tops[0])


def _edges(centers, size):
    """What lies halfway between centers, and as far beyond the outer ones."""
    if len(centers) == 1:
        return centers[0] - size / 2, centers[0] + size / 2
    between = (centers[1:] + centers[:-1]) / 2
    first = 2 * centers[0] - between[0]
    return first, *between, 2 * centers[-1] - between[-1]


def _name(names, label):
    return names[label] if label < len(names) else f"class {label}"


def _cut(name):
    return name if len(name) <= 18 else f"{name[:17]}…"
