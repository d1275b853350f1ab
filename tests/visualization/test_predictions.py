import numpy as np
import pytest

from keras_alexnet.visualization.predictions import OTHER
from keras_alexnet.visualization.predictions import RIGHT
from keras_alexnet.visualization.predictions import plot_predictions

pytest.importorskip("matplotlib", reason="draws a picture")

IMAGES = [np.full((8, 8, 3), 40 * index, "uint8") for index in range(5)]
GUESSES = [[("mite", 0.6), ("black widow", 0.3), ("tick", 0.1)]] * 5


def pixels(path):
    from matplotlib import image

    return (image.imread(path)[..., :3] * 255).round().astype(int)


def count(path, color):
    rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return int((pixels(path) == rgb).all(axis=-1).sum())


def test_the_right_label_has_a_red_bar_as_long_as_its_probability(tmp_path):
    labels = ["mite", None, "ant", "tick", None]
    path = plot_predictions(IMAGES, GUESSES, tmp_path / "a.png", labels)
    shares = [0.6, 0.3, 0.1]
    red, blue = count(path, RIGHT), count(path, OTHER)
    # Letters cover some of both.
    assert red / blue == pytest.approx(0.7 / (5 * sum(shares) - 0.7), rel=0.3)
    path = plot_predictions(IMAGES, GUESSES, tmp_path / "b.png")
    assert count(path, RIGHT) == 0
    # Two rows of four columns.
    assert pixels(path).shape[0] == pytest.approx(888, abs=2)


def test_as_many_predictions_as_images(tmp_path):
    for images, guesses in (([], []), (IMAGES, GUESSES[:1])):
        with pytest.raises(ValueError, match="as many, at least one. Received"):
            plot_predictions(images, guesses, tmp_path / "a.png")
