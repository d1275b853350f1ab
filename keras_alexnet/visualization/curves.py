"""Loss and error against epochs, as a picture."""

import csv

from keras_alexnet.visualization.figure import new_figure
from keras_alexnet.visualization.figure import save_figure
from keras_alexnet.visualization.figure import within_percent


def plot_curves(history, path):
    """Draws the curves of a training run and saves the picture.

    Args:
        history: Path of a CSV log (`keras.callbacks.CSVLogger`), or a dict of
            lists such as `History.history`.
        path: Path of the picture; its ending chooses the format.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If there is no epoch to draw.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> plot_curves({"loss": [2.3, 1.1]}, folder / "curve.png").name
    'curve.png'
    """
    if not isinstance(history, dict):
        history = _read(history)
    if not history.get("loss"):
        raise ValueError(
            "`history` must have at least one epoch with a loss. "
            f"Received: {sorted(history)}"
        )
    figure = new_figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    _draw(left, history, {"loss": "loss"}, "cross-entropy loss", 1)
    errors = {"top1_error": "top-1", "top5_error": "top-5"}
    _draw(right, history, errors, "error (%)", 100)
    right.set_ylim(within_percent(right.get_ylim()))
    return save_figure(figure, path)


def _draw(axes, history, names, label, scale):
    for color, (name, text) in zip(("C0", "C1"), names.items(), strict=False):
        for prefix, style, kind in (
            ("", "--", "training"),
            ("val_", "-", "validation"),
        ):
            values = history.get(prefix + name)
            if values:
                axes.plot(
                    range(1, len(values) + 1),
                    [scale * value for value in values],
                    style,
                    color=color,
                    # Of many epochs they would hide the dashes.
                    marker="o" if len(values) <= 30 else None,
                    markersize=3,
                    label=f"{text}, {kind}",
                    # An error of 0 or 100 % is on the frame.
                    clip_on=False,
                )
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(frameon=False)


def _read(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    columns = rows[0].keys() if rows else ()
    return {
        name: [float(row[name]) for row in rows if row[name]]
        for name in columns
    }
