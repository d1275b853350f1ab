import numpy as np
import pytest

from keras_alexnet.visualization import neighbors as neighbors_module
from keras_alexnet.visualization import plot_neighbors

pytest.importorskip("matplotlib", reason="draws a picture")


def plain(level):
    return np.full((8, 8, 3), level, "uint8")


QUERIES = [(plain(10), "query a"), (plain(20), "query b")]
FOUND = [
    [(plain(30 + 10 * place), f"d = {place}.5") for place in range(3)],
    [(plain(70), "d = 9.5")],
]


def figure_of(monkeypatch, *arguments, **options):
    kept = []
    monkeypatch.setattr(
        neighbors_module, "save_figure", lambda figure, _: kept.append(figure)
    )
    plot_neighbors(*arguments, None, **options)
    return kept[0]


def test_a_row_per_query_the_nearest_first(monkeypatch):
    figure = figure_of(monkeypatch, QUERIES, FOUND, caption="fc7, Euclidean")
    shown = [
        (axes.images[0].get_array()[0, 0, 0], axes.texts[0].get_text())
        for axes in figure.axes
        if axes.images
    ]
    assert shown == [
        (10, "query a"),
        (30, "d = 0.5"),
        (40, "d = 1.5"),
        (50, "d = 2.5"),
        (20, "query b"),
        (70, "d = 9.5"),
    ]
    assert figure.get_supxlabel() == "fc7, Euclidean"


def test_nothing_overlaps(monkeypatch):
    from matplotlib.text import Text

    long = [(plain(9), "soft-coated wheaten terrier, 1234.5")] * 5
    figure = figure_of(monkeypatch, long[:3], [long] * 3)
    figure.canvas.draw()
    boxes = [
        text.get_window_extent()
        for text in figure.findobj(Text)
        if text.get_text()
    ]
    assert len(boxes) == 19
    boxes += [
        axes.images[0].get_window_extent()
        for axes in figure.axes
        if axes.images
    ]
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :])


def test_saved(tmp_path):
    path = plot_neighbors(QUERIES, FOUND, tmp_path / "a.png")
    assert path.stat().st_size > 1000


@pytest.mark.parametrize(
    "queries, found, message",
    [
        ([], [], "at least one. Received: 0 queries, 0 lists"),
        (QUERIES, FOUND[:1], "Received: 2 queries, 1 lists"),
        (QUERIES, [FOUND[0], []], "must have a neighbor. .*none of query 1"),
        ([(np.zeros(3), "")], FOUND[1:], r"RGB array.*shape=\(3,\)"),
    ],
)
def test_wrong_arguments(tmp_path, queries, found, message):
    with pytest.raises(ValueError, match=message):
        plot_neighbors(queries, found, tmp_path / "a.png")
