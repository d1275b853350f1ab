"""A matplotlib figure that needs no window, and saving it."""

import pathlib


def new_figure(width, height):
    """An empty figure whose parts make room for each other.

    Args:
        width, height: Floats, inches.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ImportError: If matplotlib is not installed.

    Example:

    >>> new_figure(4, 3).get_layout_engine() is not None
    True
    """
    # Imported here: the package does without matplotlib otherwise.
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "Pictures are drawn by matplotlib. Install it with "
            '`pip install "keras-alexnet[examples]"`.'
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure, path):
    """Writes a figure to a file whose ending chooses the format.

    Args:
        figure: A `matplotlib.figure.Figure`.
        path: Path.

    Returns:
        The path, a `pathlib.Path`.
    """
    figure.savefig(path, dpi=120)
    return pathlib.Path(path)


def within_percent(limits):
    """Limits of an axis of percentages, cut to 0 and 100.

    Args:
        limits: Pair of floats, such as `axes.get_ylim()`.

    Returns:
        Pair of floats.

    Example:

    >>> within_percent((-2.5, 52.5))
    (0.0, 52.5)
    """
    low, high = limits
    return max(0.0, low), min(100.0, high)
