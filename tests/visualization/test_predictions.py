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
    assert pixels(path).shape[0] == pytest.approx(984, abs=2)


def test_as_many_predictions_as_images(tmp_path):
    for images, guesses in (([], []), (IMAGES, GUESSES[:1])):
        with pytest.raises(ValueError, match="as many, at least o.*Received"):
            plot_predictions(images, guesses, tmp_path / "a.png")


@pytest.mark.parametrize(
    "images, guesses, labels, message",
    [
        (IMAGES, GUESSES, ["mite"], "5 images, 5 predictions, 1 labels"),
        ([np.zeros((8, 8))], GUESSES[:1], None, r"RGB array.*shape=\(8, 8\)"),
        (IMAGES[:1], [[("ant", np.nan)]], None, "in 0 to 1. .*nan of 'ant'"),
        (IMAGES[:1], [[("ant", 90)]], None, "in 0 to 1. .*90 of 'ant' for i"),
        ([IMAGES[4] - 500.0], GUESSES[:1], None, "in 0-255. Received: from -3"),
    ],
)
def test_wrong_arguments(tmp_path, images, guesses, labels, message):
    with pytest.raises(ValueError, match=message):
        plot_predictions(images, guesses, tmp_path / "a.png", labels)


def test_floats_are_drawn_as_integers_are(tmp_path):
    drawn = [
        pixels(plot_predictions(images, GUESSES[:1], tmp_path / "a.png"))
        for images in (IMAGES[3:4], [IMAGES[3].astype("float32")])
    ]
    np.testing.assert_array_equal(*drawn)
    assert (drawn[0] == 120).all(axis=-1).sum() > 10_000


def texts(monkeypatch, *arguments, **options):
    """Images and texts of the picture, and where they are, in pixels."""
    from matplotlib.text import Text

    from keras_alexnet.visualization import predictions

    kept = []
    monkeypatch.setattr(
        predictions, "save_figure", lambda figure, _: kept.append(figure)
    )
    plot_predictions(*arguments, None, **options)
    kept[0].canvas.draw()
    pictures = [axes for axes in kept[0].axes if axes.images]
    return [
        *[("image", axes.images[0].get_window_extent()) for axes in pictures],
        *[
            (text.get_text(), text.get_window_extent())
            for text in kept[0].findobj(Text)
            if text.get_text() and text.get_visible()
        ],
    ]


def test_nothing_overlaps(monkeypatch):
    long = "West Highland white terrier, a dog"
    found = texts(monkeypatch, IMAGES, GUESSES, labels=[long] * 5)
    names = [text for text, _ in found]
    assert names.count("West Highland white terri…") == 5
    assert any("red that of the correct one" in name for name in names)
    for index, (text, box) in enumerate(found):
        for other, its_box in found[index + 1 :]:
            assert not box.overlaps(its_box), (text, other)
