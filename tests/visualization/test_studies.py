import math

import numpy as np
import pytest

from keras_alexnet.visualization import figure
from keras_alexnet.visualization import plot_ablation
from keras_alexnet.visualization import plot_scaling
from keras_alexnet.visualization import studies

image = pytest.importorskip("matplotlib.image", reason="draws pictures")

BLUE = (0.122, 0.467, 0.706)
ORANGE = (1.0, 0.498, 0.055)
GRAY = (0.6, 0.6, 0.6)


def places(path, color):
    """Rows and columns of the pixels of a color."""
    pixels = image.imread(path)[..., :3]
    return np.nonzero(abs(pixels - color).max(axis=-1) < 0.02)


def change(name, difference, reach, **more):
    return {
        "change": name,
        "top1_difference": difference,
        "top1_low": difference - reach,
        "top1_high": difference + reach,
        "contains_zero": reach > abs(difference),
        **more,
    }


def test_ablation_tells_what_differs(tmp_path):
    records = [
        {"change": "baseline", "top1_difference": None},
        change("no LRN", 8.0, 1.0, paper="> +1.4 / +1.2"),
        change("no dropout", 0.0, 9.0),
        change("one pair", 2.0, math.inf, contains_zero=None),
    ]
    path = plot_ablation(records, tmp_path / "ablation.png")
    middle = image.imread(path).shape[1] / 2
    rows, columns = places(path, BLUE)
    # Below the legend.
    low = rows > 40
    assert columns[low].min() > middle
    rows, columns = places(path, GRAY)
    low = rows > 40
    assert columns[low].min() < middle < columns[low].max()
    assert len(places(path, ORANGE)[0]) > 50


def test_ablation_needs_a_difference(tmp_path):
    with pytest.raises(ValueError, match="at least one change"):
        plot_ablation([{"change": "baseline"}], tmp_path / "ablation.png")


def test_scaling_draws_a_panel_per_axis(tmp_path):
    means = [(0.25, 0.4, 0.02), (0.5, 0.3, 0.02), (1.0, 0.2, math.nan)]
    curve = means, lambda x: 0.2 * x**-0.5
    one = plot_scaling({"share": curve}, tmp_path / "one.png")
    two = plot_scaling({"share": curve, "width": curve}, tmp_path / "two.png")
    assert len(places(one, BLUE)[0]) > 50
    assert image.imread(two).shape[1] == 2 * image.imread(one).shape[1]


def test_scaling_needs_a_curve(tmp_path):
    with pytest.raises(ValueError, match="at least one axis"):
        plot_scaling({}, tmp_path / "scaling.png")


def panels(monkeypatch, plot, *arguments):
    """The panels of a picture as it was drawn."""
    kept = []

    def keep(drawn, path):
        drawn.draw_without_rendering()
        kept.append(drawn)
        return figure.save_figure(drawn, path)

    monkeypatch.setattr(studies, "save_figure", keep)
    plot(*arguments)
    return kept[0].axes


def test_differences_of_errors_stay_within_100_points(tmp_path, monkeypatch):
    (axes,) = panels(
        monkeypatch,
        plot_ablation,
        [change("two seeds", 2.0, 1270.0)],
        tmp_path / "ablation.png",
    )
    assert axes.get_xlim() == (-100, 100)


def test_one_pair_does_not_say_that_it_contains_zero(tmp_path, monkeypatch):
    records = [
        change("no LRN", 8.0, 1.0),
        change("no dropout", 0.0, 9.0),
        change("no noise", 2.0, math.inf, contains_zero=None),
    ]
    (axes,) = panels(
        monkeypatch, plot_ablation, records, tmp_path / "ablation.png"
    )
    (legend,) = axes.figure.legends
    styles = {
        text.get_text(): (line.get_color(), line.get_markerfacecolor())
        for text, line in zip(
            legend.get_texts(), legend.get_lines(), strict=True
        )
    }
    marked = {
        line.get_xdata()[0]: (line.get_color(), line.get_markerfacecolor())
        for line in axes.lines
        if line.get_marker() == "o" and len(line.get_xdata())
    }
    assert marked == {
        8.0: styles["differs"],
        0.0: styles["contains 0"],
        2.0: styles["one pair"],
    }
    assert len(set(marked.values())) == 3


def test_scaling_stays_within_100_percent(tmp_path, monkeypatch):
    means = [(0.25, 0.9, 0.3), (0.5, 0.6, 0.7), (1.0, 0.2, math.nan)]
    (axes,) = panels(
        monkeypatch,
        plot_scaling,
        {"share": (means, None)},
        tmp_path / "scaling.png",
    )
    low, high = axes.get_ylim()
    assert 0 < low < 20 and high == 100
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["20", "50", "100"]
    assert [t.get_text() for t in axes.get_xticklabels()] == [
        "0.25",
        "0.5",
        "1",
    ]


def test_scaling_shows_an_error_of_0(tmp_path, monkeypatch):
    """Logarithms have no place for it."""
    means = [(0.5, 0.4, 0.02), (1.0, 0.0, 0.0)]
    (axes,) = panels(
        monkeypatch,
        plot_scaling,
        {"share": (means, None)},
        tmp_path / "scaling.png",
    )
    (note,) = axes.texts
    assert (note.get_text(), note.xy[0]) == ("0", 1.0)
