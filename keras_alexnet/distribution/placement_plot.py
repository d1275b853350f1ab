"""Draws devices as boxes, and what crosses between them as arrows."""

# Inches between devices.
STEP = 4


def plot_placement(report):
    """Draws a placement report.

    Args:
        report: A `PlacementReport`.

    Returns:
        A `matplotlib` figure: a box per device with its parameters and
        activations, an arrow per direction with the bytes of a step.

    Raises:
        ImportError: If matplotlib is not installed.

    Example:

    >>> from keras_alexnet.distribution import PlacementReport
    >>> from keras_alexnet.distribution import Transfer
    >>> report = PlacementReport(
    ...     [], [], [Transfer("pool2", "CPU:0", "CPU:1", 86528)])
    >>> [text.get_text() for text in plot_placement(report).axes[0].texts][-1]
    '86.5 kB'
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Pictures are drawn by matplotlib. Install it with "
            '`pip install "keras-alexnet[examples]"`.'
        ) from error

    totals, crossings = report.totals(), report.crossings()
    devices = sorted({*totals, *(d for pair in crossings for d in pair)})
    places = {device: STEP * i for i, device in enumerate(devices)}
    figure, axes = plt.subplots(figsize=(STEP * len(devices), STEP))
    for device, place in places.items():
        _draw_device(axes, place, device, *totals.get(device, (0, 0)))
    for (source, target), size in crossings.items():
        _draw_crossing(axes, places[source], places[target], size)
    axes.set_xlim(-STEP / 2, STEP * (len(devices) - 0.5))
    axes.set_ylim(-STEP / 2, STEP / 2)
    axes.axis("off")
    return figure


def readable(size):
    """Bytes with a unit.

    Args:
        size: Number of bytes.

    Returns:
        String.

    Example:

    >>> readable(86528)
    '86.5 kB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.3g} {unit}"
        size /= 1000


def _draw_device(axes, place, device, parameters, activations):
    axes.text(
        place,
        0,
        f"{device}\n{parameters:,} parameters\n"
        f"{readable(activations)} of activations",
        ha="center",
        va="center",
        bbox={"boxstyle": "round,pad=1", "facecolor": "white"},
    )


def _draw_crossing(axes, start, stop, size):
    # Arrows to the right pass above the boxes, to the left below.
    side = 1 if start < stop else -1
    axes.annotate(
        "",
        (stop, side * 0.4),
        (start, side * 0.4),
        arrowprops={"arrowstyle": "->", "connectionstyle": "arc3,rad=-0.3"},
    )
    height = 0.5 + 0.15 * abs(stop - start)
    axes.text(
        (start + stop) / 2,
        side * height,
        readable(size),
        ha="center",
        va="center",
    )
