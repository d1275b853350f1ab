"""Charts as SVG, which a page holds itself and any window can scale."""

import html
import math

WIDTH, HEIGHT = 420, 260
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 12, 40


def line_chart(lines, x_label, y_label, label):
    """Lines over the epochs 1, 2, ….

    Args:
        lines: List of `(name, values, style)`: a string, a list of floats,
            of which those that are not finite are left out, and the class
            of the line, such as `"a dashed"`.
        x_label, y_label: Strings.
        label: String, what a person who cannot see it is told.

    Returns:
        String, an `<svg>` and its legend.

    Example:

    >>> chart = line_chart([("loss", [2.0, 1.0], "a")], "epoch", "loss", "")
    >>> chart.count("<circle"), 'points="46.0,' in chart
    (2, True)
    """
    longest = max(len(values) for _, values, _ in lines)
    finite = [v for _, values, _ in lines for v in values if math.isfinite(v)]
    top = _round_up(max(finite, default=1.0))
    place = _Places(1, max(longest, 2), 0.0, top)
    parts = [_axes(place, _epoch_ticks(longest), _ticks(top), x_label, y_label)]
    for name, values, style in lines:
        points = [
            (place.x(epoch), place.y(value))
            for epoch, value in enumerate(values, 1)
            if math.isfinite(value)
        ]
        text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline class="{style}" points="{text}"/>')
        if longest <= 60:
            parts += [
                f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="2.5">'
                f"<title>{html.escape(name)}</title></circle>"
                for x, y in points
            ]
    legend = "".join(
        f'<span class="key"><svg viewBox="0 0 26 8" class="mark">'
        f'<line class="{style}" x1="0" y1="4" x2="26" y2="4"/></svg>'
        f"{html.escape(name)}</span>"
        for name, _, style in lines
    )
    return f'{_svg(parts, label)}<p class="legend">{legend}</p>'


def reliability_diagram(calibration):
    """Accuracy against confidence, with its intervals.

    Args:
        calibration: A `keras_alexnet.evaluation.Calibration`.

    Returns:
        String, an `<svg>`.
    """
    place = _Places(0.0, 1.0, 0.0, 1.0)
    ticks = [0, 0.25, 0.5, 0.75, 1.0]
    percent = [(tick, f"{100 * tick:.0f}") for tick in ticks]
    parts = [_axes(place, percent, percent, "confidence (%)", "right (%)")]
    edges, intervals = calibration.edges, calibration.intervals()
    for index, count in enumerate(calibration.counts):
        if not count:
            continue
        low, high = place.x(edges[index]), place.x(edges[index + 1])
        y = place.y(calibration.accuracy[index])
        least, most = intervals[index]
        middle = (low + high) / 2
        parts.append(
            f'<rect class="bar" x="{low + 1:.1f}" y="{y:.1f}" '
            f'width="{high - low - 2:.1f}" height="{place.y(0) - y:.1f}">'
            f"<title>{count} answers, {100 * calibration.accuracy[index]:.0f} "
            f"% right</title></rect>"
            f'<line class="whisker" x1="{middle:.1f}" x2="{middle:.1f}" '
            f'y1="{place.y(least):.1f}" y2="{place.y(most):.1f}"/>'
        )
    parts.append(
        f'<line class="ideal" x1="{place.x(0)}" y1="{place.y(0)}" '
        f'x2="{place.x(1)}" y2="{place.y(1)}"/>'
    )
    return _svg(parts, f"Reliability diagram: {calibration}")


class _Places:
    """Where values are in the picture."""

    def __init__(self, left, right, bottom, top):
        self.left, self.right, self.bottom, self.top = left, right, bottom, top

    def x(self, value):
        share = (value - self.left) / (self.right - self.left)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        share = (value - self.bottom) / (self.top - self.bottom)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _svg(parts, label):
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{html.escape(label)}">{"".join(parts)}</svg>'
    )


def _axes(place, x_ticks, y_ticks, x_label, y_label):
    floor = place.y(place.bottom)
    parts = []
    for value, text in y_ticks:
        y = place.y(value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" '
            f'y1="{y:.1f}" y2="{y:.1f}"/><text x="{LEFT - 6}" '
            f'y="{y + 4:.1f}" text-anchor="end">{text}</text>'
        )
    for value, text in x_ticks:
        parts.append(
            f'<text x="{place.x(value):.1f}" y="{floor + 16:.1f}" '
            f'text-anchor="middle">{text}</text>'
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    height = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 5}" text-anchor="middle">'
        f"{html.escape(x_label)}</text>"
        f'<text x="11" y="{height}" text-anchor="middle" '
        f'transform="rotate(-90 11 {height})">{html.escape(y_label)}</text>'
    )
    return "".join(parts)


def _round_up(value):
    """The next of 1, 2, 5 times a power of ten."""
    if value <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(value))
    return next(f * unit for f in (1, 2, 4, 5, 8, 10) if f * unit >= value)


def _ticks(top):
    return [(top * share / 4, f"{top * share / 4:g}") for share in range(5)]


def _epoch_ticks(count):
    """At most five whole epochs, the first and the last among them."""
    last = max(count, 2)
    places = {1 + round((last - 1) * share / 4) for share in range(5)}
    return [(epoch, str(epoch)) for epoch in sorted(places)]
