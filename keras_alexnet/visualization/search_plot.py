"""The picture of a search: errors against hyperparameters."""

import collections
import math

import numpy as np

from keras_alexnet.visualization.figure import new_figure
from keras_alexnet.visualization.figure import save_figure
from keras_alexnet.visualization.figure import within_percent
from keras_alexnet.visualization.ticks import separate_labels
from keras_alexnet.visualization.ticks import set_log_ticks
from keras_alexnet.visualization.ticks import set_value_ticks
from keras_alexnet.visualization.ticks import set_word_ticks

FINISHED, BEST, UNFINISHED = "C0", "C1", "0.45"
MARKERS = {"fewer epochs": "s", "stopped": "o", "failed": "x"}
# Share of the plot's height that a strip takes, and its background.
STRIP, STRIP_COLOR = 0.14, "0.94"
# Points between trials of one value, and how far apart they all may be.
GAP, REACH = 6, 36


def plot_search(rows, names, path, logarithmic=()):
    """Draws the error of each trial against each hyperparameter.

    The best trial is a star; bars are standard errors. A trial that was
    stopped early, that failed, or that was trained for fewer epochs than
    others, as `Hyperband` does, has no error to compare with the others'.
    Strips above the plot show at which values those trials were. Trials of one
    value stand side by side.

    Args:
        rows: List of dicts, such as `SearchResults.rows`.
        names: List of strings, the hyperparameters.
        path: Path of the picture; its ending chooses the format.
        logarithmic: Sequence of strings, the hyperparameters that were
            searched on a logarithmic scale, such as
            `SearchResults.logarithmic`. Defaults to none.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: If no trial has ended with an error, or there is no name.
        ImportError: If matplotlib is not installed.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> rows = [{"n": 5, "val_top1_error": 0.4}]
    >>> plot_search(rows, ["n"], folder / "search.png").name
    'search.png'
    """
    groups = {"finished": [], **{kind: [] for kind in MARKERS}}
    for row in rows:
        groups[_group(row)].append(row)
    longest = max((_epochs(row) for row in groups["finished"]), default=0)
    for row in groups["finished"]:
        if _epochs(row) < longest:
            groups["fewer epochs"].append(row)
    groups["finished"] = [
        row for row in groups["finished"] if _epochs(row) == longest
    ]
    if not groups["finished"] or not names:
        raise ValueError(
            "`rows` must have at least one trial that ended with an error, "
            f"and `names` a hyperparameter. Received: {len(rows)} trials, "
            f"names={list(names)}"
        )
    columns = min(3, len(names))
    lines = math.ceil(len(names) / columns)
    figure = new_figure(3 * columns, 0.4 + 2.7 * lines)
    panels = figure.subplots(
        lines, columns, sharey=True, squeeze=False
    ).flatten()
    for axes, name in zip(panels, names, strict=False):
        place = _ticks(axes, [r.get(name) for r in rows], name in logarithmic)
        _draw(axes, groups, lambda row, n=name, p=place: p(row.get(n)))
        axes.set_xlabel(name)
    for axes in panels[len(names) :]:
        axes.set_axis_off()
    for axes in panels[::columns]:
        axes.set_ylabel("validation top-1 error (%)")
    _add_legend(figure, panels[0], groups)
    separate_labels(figure, panels[: len(names)])
    return save_figure(figure, path)


def _group(row):
    if row.get("val_top1_error") is None:
        return "failed"
    return "stopped" if row.get("stopped") else "finished"


def _epochs(row):
    return row.get("epochs", 0)


def _ticks(axes, values, is_logarithmic):
    """Sets the ticks; a function from a value to its place, `None` to NaN."""
    values = [value for value in values if value is not None]
    if any(isinstance(value, str | bool) for value in values):
        places = set_word_ticks(axes, map(str, values))
        return lambda value: places.get(str(value), math.nan)
    # Room for the trials that stand beside the least and the largest value.
    axes.margins(x=0.16)
    if is_logarithmic:
        set_log_ticks(axes, "x", values)
    else:
        set_value_ticks(axes, values)
    return lambda value: math.nan if value is None else value


def _draw(axes, groups, place):
    finished = groups["finished"]
    errors = [100 * row["val_top1_error"] for row in finished]
    bars = [100 * (r.get("val_top1_standard_error") or 0) for r in finished]
    best = int(np.argmin(errors))
    places = [place(row) for row in finished]
    # Only for the limits: what is shifted by points has no influence on them.
    axes.plot(places, errors, linestyle="none")
    for index, transform in enumerate(_side_by_side(axes, places)):
        axes.errorbar(
            places[index],
            errors[index],
            bars[index] or None,
            fmt="*" if index == best else "o",
            markersize=13 if index == best else 5,
            color=BEST if index == best else FINISHED,
            zorder=3 if index == best else 2,
            transform=transform,
        )
    axes.grid(alpha=0.3)
    low = min(np.subtract(errors, bars))
    high = max(np.add(errors, bars))
    margin = max(0.08 * (high - low), 0.5)
    low, high = within_percent((low - margin, high + margin))
    strips = [kind for kind in MARKERS if groups[kind]]
    height = STRIP * (high - low)
    for number, kind in enumerate(strips):
        bottom = high + number * height
        axes.axhspan(bottom, bottom + height, color=STRIP_COLOR, zorder=0)
        places = [place(row) for row in groups[kind]]
        axes.plot(places, [low] * len(places), linestyle="none")
        transforms = _side_by_side(axes, places)
        for x, transform in zip(places, transforms, strict=True):
            axes.plot(
                x,
                bottom + height / 2,
                MARKERS[kind],
                color=UNFINISHED,
                markerfacecolor="none",
                transform=transform,
            )
    axes.set_ylim(low, high + len(strips) * height)
    # No error belongs to the strips, so they have no ticks.
    axes.set_yticks([t for t in axes.get_yticks() if low <= t <= high])


def _side_by_side(axes, places):
    """Transforms that move apart what is at one place along x."""
    from matplotlib.transforms import ScaledTranslation

    counts = collections.Counter(places)
    seen = collections.Counter()
    for place in places:
        others = counts[place] - 1
        gap = min(GAP, REACH / max(1, others))
        points = gap * (seen[place] - others / 2)
        seen[place] += 1
        shift = ScaledTranslation(points / 72, 0, axes.figure.dpi_scale_trans)
        yield axes.transData + shift


def _add_legend(figure, axes, groups):
    handles = [
        axes.plot([], [], "*", color=BEST, markersize=13, label="best")[0],
        axes.plot([], [], "o", color=FINISHED, label="finished")[0],
    ]
    for kind, marker in MARKERS.items():
        if groups[kind]:
            (handle,) = axes.plot(
                [],
                [],
                marker,
                color=UNFINISHED,
                markerfacecolor="none",
                label=f"{kind} (gray strip)",
            )
            handles.append(handle)
    figure.legend(
        loc="outside upper center",
        handles=handles,
        ncols=len(handles),
        frameon=False,
    )
