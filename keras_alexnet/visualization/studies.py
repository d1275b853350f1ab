"""Pictures of an ablation and of a scaling study."""

import math

import numpy as np

from keras_alexnet.visualization.figure import new_figure
from keras_alexnet.visualization.figure import save_figure
from keras_alexnet.visualization.figure import within_percent
from keras_alexnet.visualization.ticks import set_log_ticks

# Blue for what stands out, gray for what does not, orange for others' numbers.
STRONG, WEAK, OTHER = "C0", "0.6", "C1"

# Of whether an interval contains zero; of one pair there is no interval.
STYLES = {
    False: {"color": STRONG},
    True: {"color": WEAK},
    None: {"color": WEAK, "markerfacecolor": "none"},
}


def plot_ablation(records, path):
    """Draws the difference that each change makes, with its interval.

    Gray intervals contain zero. Hollow circles are differences of one pair of
    networks, which have no interval. Diamonds are the paper's numbers, where
    it has some.

    Args:
        records: List of dicts, such as `Ablation.records()`.
        path: Path of the picture; its ending chooses the format.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If no change has a difference.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> record = {"change": "no LRN", "top1_difference": 1.2,
    ...           "top1_low": 0.8, "top1_high": 1.6, "contains_zero": False}
    >>> plot_ablation([record], folder / "ablation.png").name
    'ablation.png'
    """
    drawn = [r for r in records if r.get("top1_difference") is not None]
    if not drawn:
        raise ValueError(
            "`records` must have at least one change with a difference. "
            f"Received: {len(records)} records"
        )
    figure = new_figure(8, 1.2 + 0.3 * len(drawn))
    axes = figure.subplots()
    axes.axvline(0, color="black", linewidth=0.8)
    for place, record in enumerate(drawn):
        value = record["top1_difference"]
        style = STYLES[record["contains_zero"]]
        axes.plot(value, place, "o", **style)
        bounds = record["top1_low"], record["top1_high"]
        if all(map(math.isfinite, bounds)):
            axes.plot(bounds, (place, place), color=style["color"])
        paper = _number(record.get("paper"))
        if paper is not None:
            axes.plot(paper, place, "D", color=OTHER, markersize=4)
    axes.set_yticks(range(len(drawn)), [r["change"] for r in drawn])
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
    # Intervals of two seeds may be longer than any difference of errors.
    low, high = axes.get_xlim()
    axes.set_xlim(max(low, -100), min(high, 100))
    axes.set_xlabel(
        "points of top-1 error more than the baseline, 95 % interval"
    )
    figure.legend(
        loc="outside upper center",
        ncols=4,
        handles=[
            axes.plot([], [], "o-", **STYLES[False], label="differs")[0],
            axes.plot([], [], "o-", **STYLES[True], label="contains 0")[0],
            axes.plot([], [], "o", **STYLES[None], label="one pair")[0],
            axes.plot([], [], "D", color=OTHER, label="paper, ImageNet")[0],
        ],
        frameon=False,
    )
    return save_figure(figure, path)


def plot_scaling(curves, path):
    """Draws errors against sizes on logarithmic scales, with power laws.

    Args:
        curves: Dict from the name of an axis to a pair: a list of `(x, mean
            error, standard error)` and a function of `x`, the fitted law, or
            `None`.
        path: Path of the picture; its ending chooses the format.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If there is no curve.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> curve = [(0.5, 0.4, 0.02), (1.0, 0.3, 0.02)], lambda x: 0.3 / x**0.4
    >>> plot_scaling({"share": curve}, folder / "scaling.png").name
    'scaling.png'
    """
    if not curves:
        raise ValueError("`curves` must have at least one axis. Received: {}")
    figure = new_figure(4.5 * len(curves), 3.6)
    panels = figure.subplots(1, len(curves), squeeze=False)[0]
    for axes, (name, (means, law)) in zip(panels, curves.items(), strict=True):
        x, mean, error = np.transpose(means)
        if law is not None:
            line = np.geomspace(x.min(), x.max())
            axes.plot(line, 100 * law(line), color=WEAK, label="power law")
            axes.legend(frameon=False)
        _draw_means(axes, x, 100 * mean, 100 * np.nan_to_num(error))
        axes.set_xscale("log", base=2)
        axes.set_xticks(x, [f"{value:g}" for value in x])
        axes.set_xlabel(name)
        axes.set_ylabel("top-1 error (%)")
        axes.grid(alpha=0.3)
    return save_figure(figure, path)


def _draw_means(axes, x, mean, error):
    """Errors in percent on a logarithmic scale, which has no place for 0."""
    seen = mean > 0
    if seen.any():
        x_seen, mean_seen, error_seen = x[seen], mean[seen], error[seen]
        low = np.maximum(mean_seen - error_seen, 0.5 * mean_seen)
        high = mean_seen + error_seen
        axes.errorbar(
            x_seen,
            mean_seen,
            (mean_seen - low, error_seen),
            fmt="o",
            color=STRONG,
        )
        set_log_ticks(axes, "y", [*low, *high])
        axes.set_ylim(within_percent(axes.get_ylim()))
    for value in x[~seen]:
        axes.plot(
            value,
            0.02,
            "v",
            color=STRONG,
            transform=axes.get_xaxis_transform(),
        )
        axes.annotate(
            "0",
            (value, 0.06),
            xycoords=axes.get_xaxis_transform(),
            ha="center",
        )


def _number(text):
    """The first number of such as `"+1.4 / +1.2"`, or `None`."""
    for word in (text or "").split():
        try:
            return float(word)
        except ValueError:
            continue
    return None
