"""Pictures of a search, of an ablation and of a scaling study."""

import math
import pathlib

import numpy as np

# Blue for what stands out, gray for what does not, orange for others' numbers.
STRONG, WEAK, OTHER = "C0", "0.6", "C1"


def plot_search(rows, names, path):
    """Draws the error of each trial against each hyperparameter.

    The best trial is a star. Bars are standard errors; rings are trials that
    were stopped early, crosses at the top those that failed.

    Args:
        rows: List of dicts, such as `SearchResults.rows`.
        names: List of strings, the hyperparameters.
        path: Path of the picture; its ending chooses the format.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If no trial has an error.

    Example:

    >>> import tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> rows = [{"n": 5, "val_top1_error": 0.4}]
    >>> plot_search(rows, ["n"], folder / "search.png").name
    'search.png'
    """
    ended = [r for r in rows if r.get("val_top1_error") is not None]
    if not ended:
        raise ValueError(
            "`rows` must have at least one trial with an error. "
            f"Received: {len(rows)} trials"
        )
    best = min(ended, key=lambda row: row["val_top1_error"])
    columns = min(4, len(names))
    lines = math.ceil(len(names) / columns)
    figure = _figure(3 * columns, 2.6 * lines)
    panels = figure.subplots(
        lines, columns, sharey=True, squeeze=False
    ).flatten()
    for axes, name in zip(panels, names, strict=False):
        _draw_trials(axes, rows, best, name)
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    for axes in panels[::columns]:
        axes.set_ylabel("validation top-1 error (%)")
    return _save(figure, path)


def plot_ablation(records, path):
    """Draws the difference that each change makes, with its interval.

    Gray intervals contain zero. Diamonds are the paper's numbers, where it
    has some.

    Args:
        records: List of dicts, such as `Ablation.records()`.
        path: Path of the picture; its ending chooses the format.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If no change has a difference.

    Example:

    >>> import tempfile
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
    figure = _figure(8, 1.2 + 0.3 * len(drawn))
    axes = figure.subplots()
    axes.axvline(0, color="black", linewidth=0.8)
    for place, record in enumerate(drawn):
        value = record["top1_difference"]
        color = WEAK if record["contains_zero"] else STRONG
        axes.plot(value, place, "o", color=color)
        bounds = record["top1_low"], record["top1_high"]
        if all(map(math.isfinite, bounds)):
            axes.plot(bounds, (place, place), color=color)
        paper = _number(record.get("paper"))
        if paper is not None:
            axes.plot(paper, place, "D", color=OTHER, markersize=4)
    axes.set_yticks(range(len(drawn)), [r["change"] for r in drawn])
    axes.set_ylim(len(drawn) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
    axes.set_xlabel(
        "points of top-1 error more than the baseline, 95 % interval"
    )
    figure.legend(
        loc="outside upper center",
        ncols=3,
        handles=[
            axes.plot([], [], "o-", color=STRONG, label="differs")[0],
            axes.plot([], [], "o-", color=WEAK, label="contains 0")[0],
            axes.plot([], [], "D", color=OTHER, label="paper, ImageNet")[0],
        ],
        frameon=False,
    )
    return _save(figure, path)


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

    Example:

    >>> import tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> curve = [(0.5, 0.4, 0.02), (1.0, 0.3, 0.02)], lambda x: 0.3 / x**0.4
    >>> plot_scaling({"share": curve}, folder / "scaling.png").name
    'scaling.png'
    """
    if not curves:
        raise ValueError("`curves` must have at least one axis. Received: {}")
    from matplotlib.ticker import LogFormatter

    figure = _figure(4.5 * len(curves), 3.6)
    panels = figure.subplots(1, len(curves), squeeze=False)[0]
    for axes, (name, (means, law)) in zip(panels, curves.items(), strict=True):
        x, mean, error = np.transpose(means)
        if law is not None:
            line = np.geomspace(x.min(), x.max())
            axes.plot(line, 100 * law(line), color=WEAK, label="power law")
            axes.legend(frameon=False)
        axes.errorbar(x, 100 * mean, 100 * error, fmt="o", color=STRONG)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        for part in (axes.xaxis, axes.yaxis):
            part.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(LogFormatter())
        axes.set_xlabel(name)
        axes.set_ylabel("top-1 error (%)")
        axes.grid(alpha=0.3, which="both")
    return _save(figure, path)


def _draw_trials(axes, rows, best, name):
    rows = [row for row in rows if row.get(name) is not None]
    values = [row[name] for row in rows]
    words = any(isinstance(value, str | bool) for value in values)
    if words:
        labels = sorted(set(map(str, values)))
        values = [labels.index(str(value)) for value in values]
        axes.set_xticks(range(len(labels)), labels, rotation=20, ha="right")
        axes.set_xlim(-0.5, len(labels) - 0.5)
    elif min(values, default=0) > 0 and max(values) / min(values) > 10:
        axes.set_xscale("log")
    for row, value in zip(rows, values, strict=True):
        error = row.get("val_top1_error")
        if error is None:
            axes.plot(
                value, 1, "x", color=WEAK, transform=axes.get_xaxis_transform()
            )
            continue
        bar = row.get("val_top1_standard_error")
        axes.errorbar(
            value,
            100 * error,
            None if bar is None else 100 * bar,
            fmt="*" if row is best else "o",
            markersize=13 if row is best else 5,
            markerfacecolor="none" if row.get("stopped") else None,
            color=OTHER if row is best else STRONG,
            zorder=3 if row is best else 2,
        )
    axes.set_xlabel(name)
    axes.grid(alpha=0.3)


def _number(text):
    """The first number of such as `"+1.4 / +1.2"`, or `None`."""
    for word in (text or "").split():
        try:
            return float(word)
        except ValueError:
            continue
    return None


def _figure(width, height):
    # Imported here: the package does without matplotlib otherwise.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure, path):
    figure.savefig(path, dpi=120)
    return pathlib.Path(path)
