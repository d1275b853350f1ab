import numpy as np
import pytest

from keras_alexnet.visualization import plot_tradeoff
from keras_alexnet.visualization.tradeoff import frontier


def test_frontier_by_hand():
    points = {"a": (1, 50.0), "b": (2, 40.0), "c": (2, 45.0), "d": (9, 40.0)}
    assert frontier(points) == ["a", "b"]


def test_picture_of_errors_and_costs(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    points = {"small": (1e6, 40.0, 38.0, 42.0), "large": (1e9, 25.0)}
    path = plot_tradeoff(points, tmp_path / "tradeoff.png")
    pixels = image.imread(path)[..., :3]
    blue = (0x1F / 255, 0x77 / 255, 0xB4 / 255)
    rows, columns = np.nonzero(abs(pixels - blue).max(axis=-1) < 0.02)
    # One on the left and above, one on the right and below.
    middle = pixels.shape[1] / 2
    assert rows[columns < middle].mean() < rows[columns > middle].mean()


def test_names_of_near_points_do_not_overlap(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    from keras_alexnet.visualization import tradeoff

    figures = []
    save = tradeoff.save_figure
    monkeypatch.setattr(
        tradeoff,
        "save_figure",
        lambda figure, path: figures.append(figure) or save(figure, path),
    )
    points = {f"network {i}": (1e9 + 2e7 * i, 30 + 0.2 * i) for i in range(5)}
    plot_tradeoff(points, tmp_path / "near.png")
    (axes,) = figures[0].axes
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 5
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])


@pytest.mark.parametrize("points", [{}, {"a": (0.0, 1.0)}])
def test_impossible_points(points, tmp_path):
    with pytest.raises(ValueError, match="at least one network, of positive"):
        plot_tradeoff(points, tmp_path / "x.png")
