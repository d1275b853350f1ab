import numpy as np
import pytest

from keras_alexnet.visualization import plot_search
from keras_alexnet.visualization import search_plot
from keras_alexnet.visualization.figure import save_figure
from keras_alexnet.visualization.ticks import log_ticks

pytest.importorskip("matplotlib", reason="draws pictures")

TRIALS = [
    {"n": 5, "alpha": 1e-6, "norms": "conv1", "val_top1_error": 0.2},
    {"n": 9, "alpha": 1e-2, "norms": "conv2", "val_top1_error": 0.6},
    {"n": 7, "alpha": 1e-3, "norms": "conv1", "val_top1_error": None},
    {"n": None, "alpha": None, "norms": "none", "val_top1_error": 0.5},
    {
        "n": 3,
        "alpha": 1e-4,
        "norms": "conv2",
        "val_top1_error": 0.95,
        "stopped": 1.0,
    },
]


@pytest.fixture
def draw(tmp_path, monkeypatch):
    """Draws a search; gives the figure as it was saved."""
    kept = []

    def keep(figure, path):
        figure.draw_without_rendering()
        kept.append(figure)
        return save_figure(figure, path)

    monkeypatch.setattr(search_plot, "save_figure", keep)

    def function(rows, names, logarithmic=()):
        path = plot_search(rows, names, tmp_path / "x.png", logarithmic)
        assert path.stat().st_size > 5_000
        return kept[-1]

    return function


def markers(axes, marker):
    """Places of the points that are drawn with a marker."""
    places = [
        (line.get_xdata()[0], line.get_ydata()[0])
        for line in axes.lines
        if line.get_marker() == marker
        and line.get_linestyle() == "None"
        and len(line.get_xdata()) == 1
    ]
    return sorted(place for place in places if not np.isnan(place[0]))


def tick_labels(axes):
    return [label.get_text() for label in axes.get_xticklabels()]


def test_the_best_is_a_star(draw):
    (axes,) = draw(TRIALS, ["n"]).axes
    assert markers(axes, "*") == [(5, 20)]


def test_all_trials_are_within_the_frame(draw):
    rows = [
        {"n": 3 + 2 * (index > 8), "k": 0.5, "val_top1_error": 0.1 * index}
        for index in range(10)
    ]
    for axes in draw(rows, ["n", "k"], ["k"]).axes:
        frame = axes.get_window_extent()
        for line in axes.lines:
            if line.get_marker() in "o*" and len(line.get_xdata()) == 1:
                x, y = line.get_transform().transform(line.get_xydata())[0]
                assert frame.x0 + 5 < x < frame.x1 - 5


def test_finished_trials_fill_the_plot(draw):
    """The stopped one has an error of 95 %, the failed one none."""
    (axes,) = draw(TRIALS, ["n"]).axes
    low, high = axes.get_ylim()
    assert low < 20 and high < 90
    (stopped_x, stopped_y), *finished = markers(axes, "o")
    ((failed_x, failed_y),) = markers(axes, "x")
    assert (stopped_x, failed_x) == (3, 7)
    assert finished == [(9, 60)]
    assert 60 < stopped_y < failed_y < high
    # An error of the strips would be read off the ticks.
    assert all(low <= tick < stopped_y for tick in axes.get_yticks())


def test_trials_of_fewer_epochs_are_in_a_strip(draw):
    """As Hyperband's are, which has tried n = 5 twice."""
    tried = [(5, 1, 0.1), (5, 4, 0.3), (9, 4, 0.2)]
    rows = [
        {"n": n, "epochs": epochs, "val_top1_error": error}
        for n, epochs, error in tried
    ]
    (axes,) = draw(rows, ["n"]).axes
    assert markers(axes, "*") == [(9, 20)]
    assert markers(axes, "o") == [(5, 30)]
    ((x, y),) = markers(axes, "s")
    assert x == 5 and y > 30
    words = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert words == ["best", "finished", "fewer epochs (gray strip)"]


def test_trials_of_one_value_do_not_hide_each_other(draw):
    rows = [
        {"norms": "none", "val_top1_error": 0.5, "stopped": index > 2}
        for index in range(6)
    ]
    (axes,) = draw(rows, ["norms"]).axes
    drawn = {
        tuple(line.get_transform().transform((0, line.get_ydata()[0])))
        for line in axes.lines
        if line.get_marker() in "o*" and list(line.get_xdata()) == [0]
    }
    assert len(drawn) == 6
    first, *_, last = sorted(x for x, _ in drawn)
    # Two gaps of six points, in pixels.
    assert last - first == pytest.approx(12 / 72 * axes.figure.dpi)


def test_no_strip_where_all_have_finished(draw):
    (axes,) = draw(TRIALS[:2], ["n"]).axes
    assert axes.get_ylim()[1] < 65
    assert not axes.patches


def test_errors_stay_within_0_and_100_percent(draw):
    rows = [
        {"n": n, "val_top1_error": error, "val_top1_standard_error": 0.3}
        for n, error in ((3, 0.1), (5, 0.9))
    ]
    (axes,) = draw(rows, ["n"]).axes
    assert axes.get_ylim() == (0, 100)


def test_scales_are_those_of_the_search(draw):
    alpha, n = draw(TRIALS, ["alpha", "n"], ["alpha"]).axes
    assert (alpha.get_xscale(), n.get_xscale()) == ("log", "linear")
    assert tick_labels(alpha) == ["1e-06", "1e-05", "0.0001", "0.001", "0.01"]
    assert tick_labels(n) == ["3", "5", "7", "9"]


def test_a_logarithmic_scale_has_no_place_for_0(draw):
    rows = [{"alpha": 0.0, "val_top1_error": 0.5}]
    with pytest.raises(ValueError, match=r"must be positive. Received: .0.0."):
        draw(rows, ["alpha"], ["alpha"])


def test_words_and_booleans(draw):
    rows = [{**row, "across": bool(i % 2)} for i, row in enumerate(TRIALS)]
    norms, across = draw(rows, ["norms", "across"]).axes
    assert tick_labels(norms) == ["conv1", "conv2", "none"]
    assert tick_labels(across) == ["False", "True"]
    assert markers(norms, "*") == [(0, 20)]


@pytest.mark.parametrize(
    "values, logarithmic",
    [
        ([f"normalization after layer {i}" for i in range(12)], False),
        (["before relu", "after relu", "after pooling", "none"], False),
        ([10.0**-e for e in range(1, 13)], True),
        ([0.25, 0.3, 0.31, 3.99, 4.0], True),
        ([0.123456789 * i for i in range(1, 9)], False),
        (list(range(0, 4000, 137)), False),
    ],
)
def test_labels_do_not_overlap(values, logarithmic, draw):
    rows = [
        {"first": value, "second": value, "third": value, "val_top1_error": 0.5}
        for value in values
    ]
    names = ["first", "second", "third"]
    figure = draw(rows, names, names if logarithmic else ())
    for axes in figure.axes:
        boxes = [
            label.get_window_extent()
            for label in axes.get_xticklabels()
            if label.get_text()
        ]
        assert len(boxes) >= 2
        for index, box in enumerate(boxes):
            for other in boxes[index + 1 :]:
                assert not box.overlaps(other)


@pytest.mark.parametrize(
    "low, high, ticks",
    [
        (0.25, 4, [0.5, 1, 2]),
        (1e-6, 1e-2, [1e-6, 1e-5, 1e-4, 1e-3, 1e-2]),
        (1e-9, 1, [1e-9, 1e-7, 1e-5, 1e-3, 1e-1]),
        (0.3, 0.4, [0.3, 0.4]),
        (2, 2, [2]),
    ],
)
def test_log_ticks_are_round_and_few(low, high, ticks):
    assert log_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize(
    "rows, names", [(TRIALS[2:3], ["n"]), ([], ["n"]), (TRIALS, [])]
)
def test_needs_an_error_and_a_name(rows, names, draw):
    with pytest.raises(ValueError, match="at least one trial that ended"):
        draw(rows, names)
