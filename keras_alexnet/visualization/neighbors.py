"""Query images with the images that a network takes for similar."""

from keras_alexnet.visualization.figure import new_figure
from keras_alexnet.visualization.figure import save_figure
from keras_alexnet.visualization.predictions import checked_image
from keras_alexnet.visualization.predictions import shortened
from keras_alexnet.visualization.predictions import write_below

# Letters for which there is room under an image.
LONGEST = 20


def plot_neighbors(queries, neighbors, path, caption=None):
    """Draws each query beside its nearest neighbors, as in Figure 4.

    A row per query: the query on the left, then its neighbors, the nearest
    first, each with a text such as its distance under it.

    Args:
        queries: List of tuples `(image, text)`: an RGB array `(height, width,
            3)` in 0-255, and a string.
        neighbors: List per query of lists of such tuples.
        path: Path of the picture; its ending chooses the format.
        caption: String that says what was measured, such as the layer and the
            distance. Defaults to `None`.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If there is no query, not as many lists of neighbors, one
            of them is empty, or an image is none.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> import numpy as np
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> image = np.zeros((8, 8, 3), "uint8")
    >>> plot_neighbors([(image, "query")], [[(image, "d = 0")] * 3],
    ...                folder / "x.png").name
    'x.png'

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 6.1, figure 4 (right).
    """
    if not len(queries) or len(queries) != len(neighbors):
        raise ValueError(
            "`queries` and `neighbors` must be as many, at least one. "
            f"Received: {len(queries)} queries, {len(neighbors)} lists"
        )
    most = max(len(row) for row in neighbors)
    if not min(len(row) for row in neighbors):
        raise ValueError(
            "Each query must have a neighbor. Received: none of query "
            f"{[len(row) for row in neighbors].index(0)}"
        )
    figure = new_figure(1.5 * (most + 1.15), 1.75 * len(queries) + 0.4)
    panels = figure.subplots(
        len(queries),
        # A gap sets the queries apart, as the paper's line does.
        most + 2,
        squeeze=False,
        width_ratios=[1, 0.15, *[1] * most],
    )
    for axes in panels.flat:
        axes.set_axis_off()
    for row, query, found in zip(panels, queries, neighbors, strict=True):
        for axes, (image, text) in zip(
            (row[0], *row[2:]), (query, *found), strict=False
        ):
            axes.imshow(checked_image(image))
            write_below(axes, shortened(text, LONGEST), fontsize=8)
    figure.supxlabel(
        caption or "Left: queries. Right: their neighbors, the nearest first",
        fontsize=9,
        wrap=True,
    )
    return save_figure(figure, path)
