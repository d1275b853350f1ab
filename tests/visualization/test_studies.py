import math

import numpy as np
import pytest

from keras_alexnet.visualization.studies import plot_ablation
from keras_alexnet.visualization.studies import plot_scaling
from keras_alexnet.visualization.studies import plot_search

image = pytest.importorskip("matplotlib.image", reason="draws pictures")

BLUE = (0.122, 0.467, 0.706)
ORANGE = (1.0, 0.498, 0.055)
GRAY = (0.6, 0.6, 0.6)


def places(path, color):
    """Rows and columns of the pixels of a color."""
    pixels = image.imread(path)[..., :3]
    return np.nonzero(abs(pixels - color).max(axis=-1) < 0.02)


TRIALS = [
    {"n": 5, "alpha": 1e-4, "norms": "conv1", "val_top1_error": 0.2},
    {"n": 9, "alpha": 1e-2, "norms": "conv2", "val_top1_error": 0.6},
    {"n": 7, "alpha": 1e-3, "norms": "conv1", "val_top1_error": None},
    {"n": None, "alpha": None, "norms": "none", "val_top1_error": 0.5},
]


def test_search_marks_the_best(tmp_path):
    path = plot_search(TRIALS, ["n"], tmp_path / "search.png")
    star_row, star_column = map(np.mean, places(path, ORANGE))
    dot_row, dot_column = map(np.mean, places(path, BLUE))
    # Less error is further down, n=5 is left of n=9.
    assert star_row > dot_row
    assert star_column < dot_column
    # The failed trial is a cross at the upper edge, between them.
    ended = [trial for trial in TRIALS if trial["val_top1_error"]]
    without = plot_search(ended, ["n"], tmp_path / "without.png")
    cross = abs(image.imread(path) - image.imread(without)).max(axis=-1) > 0.2
    cross_row, cross_column = map(np.mean, np.nonzero(cross))
    assert cross_row <= dot_row
    assert star_column < cross_column < dot_column


def test_search_draws_what_was_stopped_as_a_ring(tmp_path):
    whole = len(places(plot_search(TRIALS, ["n"], tmp_path / "a.png"), BLUE)[0])
    stopped = [TRIALS[0], {**TRIALS[1], "stopped": 1.0}]
    ring = len(places(plot_search(stopped, ["n"], tmp_path / "b.png"), BLUE)[0])
    assert 0 < ring < whole / 2


def test_search_draws_all_kinds(tmp_path):
    names = ["n", "alpha", "norms"]
    wide = image.imread(plot_search(TRIALS, names, tmp_path / "a.png"))
    slim = image.imread(plot_search(TRIALS, ["n"], tmp_path / "b.png"))
    assert wide.shape[1] == 3 * slim.shape[1]


def test_search_needs_an_error(tmp_path):
    with pytest.raises(ValueError, match="at least one trial with an error"):
        plot_search(TRIALS[2:3], ["n"], tmp_path / "search.png")


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
        change("one seed", 2.0, math.inf),
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
