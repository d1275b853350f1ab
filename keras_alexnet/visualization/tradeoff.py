"""A picture of errors against costs."""

from keras_alexnet.visualization.figure import new_figure
from keras_alexnet.visualization.figure import save_figure
from keras_alexnet.visualization.figure import within_percent


def plot_tradeoff(points, path, cost="multiply-adds", error="top-1 error (%)"):
    """Draws the errors of networks against what they cost.

    The line joins the networks that no other one beats in both.

    Args:
        points: Dict of a name to `(cost, error)` or `(cost, error, low,
            high)`: a positive float, percent, and the bounds of an interval.
        path: Path of the picture; its ending chooses the format.
        cost: String, the name of the axis of costs, which is logarithmic.
        error: String, the name of the other axis.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If there is no point, or a cost is not positive.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> points = {"small": (1e6, 40.0), "large": (1e9, 25.0)}
    >>> plot_tradeoff(points, folder / "tradeoff.png").name
    'tradeoff.png'
    """
    if not points or any(not point[0] > 0 for point in points.values()):
        raise ValueError(
            "`points` must have at least one network, of positive cost. "
            f"Received: points={points}"
        )
    figure = new_figure(8, 5)
    axes = figure.subplots()
    axes.set_xscale("log")
    best = frontier(points)
    axes.step(
        [points[name][0] for name in best],
        [points[name][1] for name in best],
        where="post",
        color="0.8",
        zorder=0,
    )
    for x, y, *bounds in points.values():
        axes.plot(x, y, "o", color="C0")
        if bounds:
            axes.plot((x, x), bounds, color="C0")
    axes.set_xlabel(f"{cost} (logarithmic)")
    axes.set_ylabel(error)
    axes.margins(x=0.15, y=0.12)
    axes.set_ylim(within_percent(axes.get_ylim()))
    axes.grid(alpha=0.3, which="both")
    figure.draw_without_rendering()
    _label(axes, points)
    return save_figure(figure, path)


def frontier(points):
    """The names of networks that no other one beats in cost and error.

    Args:
        points: As of `plot_tradeoff`.

    Returns:
        List of names, the cheapest first.

    Example:

    >>> frontier({"a": (1, 40.0), "b": (2, 50.0), "c": (3, 30.0)})
    ['a', 'c']
    """
    found, least = [], float("inf")
    for name in sorted(points, key=lambda name: points[name][:2]):
        if points[name][1] < least:
            found.append(name)
            least = points[name][1]
    return found


# Where a name may stand, in points from its dot, and how it is aligned.
PLACES = (
    ((6, 4), "left", "bottom"),
    ((6, -4), "left", "top"),
    ((-6, 4), "right", "bottom"),
    ((-6, -4), "right", "top"),
    ((0, 9), "center", "bottom"),
    ((0, -9), "center", "top"),
    ((12, 14), "left", "bottom"),
    ((12, -14), "left", "top"),
    ((-12, 14), "right", "bottom"),
    ((-12, -14), "right", "top"),
    ((14, 26), "left", "bottom"),
    ((14, -26), "left", "top"),
)


def _label(axes, points):
    """Writes the names, each where it covers no other name and no dot."""
    renderer = axes.figure.canvas.get_renderer()
    dots = [axes.transData.transform(point[:2]) for point in points.values()]
    taken = []
    for name, point in points.items():
        for offset, horizontal, vertical in PLACES:
            text = axes.annotate(
                name,
                point[:2],
                xytext=offset,
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                fontsize=8,
            )
            box = text.get_window_extent(renderer)
            covers = any(box.overlaps(other) for other in taken) or any(
                box.contains(*dot) for dot in dots
            )
            if not covers or (offset, horizontal, vertical) == PLACES[-1]:
                taken.append(box)
                break
            text.remove()
