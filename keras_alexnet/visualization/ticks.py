"""Ticks of an axis whose labels do not overlap."""

import math

# Labels of an axis that is two inches long.
MOST = 5


def set_log_ticks(axes, which, values):
    """A logarithmic scale with few ticks, at round values.

    Args:
        axes: A panel.
        which: `"x"` or `"y"`.
        values: List of floats, those that are drawn.

    Raises:
        ValueError: If a value is not positive.
    """
    if min(values, default=1) <= 0:
        raise ValueError(
            "Values on a logarithmic scale must be positive. Received: "
            f"{sorted(values)}"
        )
    ticks = log_ticks(min(values, default=1), max(values, default=1))
    getattr(axes, f"set_{which}scale")("log")
    axis = getattr(axes, f"{which}axis")
    axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.set_ticks([], minor=True)


def log_ticks(low, high):
    """Round values on a logarithmic scale, at most five.

    Args:
        low, high: Positive floats.

    Returns:
        List of floats within the bounds, or the bounds themselves if there
        are not two round values between them.

    Example:

    >>> log_ticks(0.25, 4), log_ticks(1e-6, 1e-2)
    ([0.5, 1.0, 2.0], [1e-06, 1e-05, 0.0001, 0.001, 0.01])
    """
    exponents = range(
        math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1
    )
    for digits in ((1, 2, 5), (1,)):
        ticks = [float(f"{d}e{e}") for e in exponents for d in digits]
        # A tick that rounding puts beside a bound is within.
        ticks = [t for t in ticks if low * 0.999 <= t <= high * 1.001]
        if len(ticks) <= MOST:
            break
    if len(ticks) < 2:
        return sorted({low, high})
    return ticks[:: math.ceil(len(ticks) / MOST)]


def set_value_ticks(axes, values):
    """Ticks of numbers along x: at the values if they are few.

    Args:
        axes: A panel.
        values: List of numbers, those that are drawn.
    """
    different = sorted(set(values))
    if all(isinstance(v, int) for v in different) and len(different) <= MOST:
        axes.set_xticks(different)
    else:
        axes.locator_params(axis="x", nbins=MOST)


def set_word_ticks(axes, words):
    """Ticks of words along x, each at a place of its own.

    Args:
        axes: A panel.
        words: Iterable of strings.

    Returns:
        Dict from each word to its place, a number.
    """
    words = sorted(set(words))
    axes.set_xticks(range(len(words)), [w.replace(" ", "\n") for w in words])
    axes.set_xlim(-0.5, len(words) - 0.5)
    return {word: place for place, word in enumerate(words)}


def separate_labels(figure, panels):
    """Turns the labels along x of panels where they would overlap.

    Args:
        figure: A `matplotlib.figure.Figure`.
        panels: Sequence of its panels.
    """
    figure.draw_without_rendering()
    crowded = [axes for axes in panels if _overlap(axes)]
    for axes in crowded:
        labels = axes.get_xticklabels()
        inches = axes.get_window_extent().width / figure.dpi
        # A label stands upright in its share of the width.
        room = 0.7 * 72 * inches / len(labels)
        axes.set_xticks(
            axes.get_xticks(),
            [label.get_text().replace("\n", " ") for label in labels],
            rotation=90,
            fontsize=min(labels[0].get_fontsize(), room),
        )


def _overlap(axes):
    boxes = [
        label.get_window_extent()
        for label in axes.get_xticklabels()
        if label.get_text()
    ]
    boxes.sort(key=lambda box: box.x0)
    pairs = zip(boxes, boxes[1:], strict=False)
    return any(left.x1 >= right.x0 for left, right in pairs)
