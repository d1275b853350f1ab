"""Pictures of what a network looks at: what is drawn is what was found."""

import dataclasses

import numpy as np
import pytest

from keras_alexnet.inspection import LayerStatistics
from keras_alexnet.inspection import Occlusion
from keras_alexnet.inspection import ReceptiveField
from keras_alexnet.inspection import TopPatches
from keras_alexnet.visualization import plot_activations
from keras_alexnet.visualization import plot_attributions
from keras_alexnet.visualization import plot_class_maps
from keras_alexnet.visualization import plot_dead_units
from keras_alexnet.visualization import plot_lrn
from keras_alexnet.visualization import plot_occlusion
from keras_alexnet.visualization import plot_top_patches
from keras_alexnet.visualization.attributions import extent
from keras_alexnet.visualization.attributions import in_color
from keras_alexnet.visualization.mosaics import mosaic

pytest.importorskip("matplotlib", reason="draws a picture")

GREY = np.full((24, 32, 3), 128, "uint8")


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved, to look at."""
    from matplotlib.figure import Figure

    saved = []
    save = Figure.savefig

    def keep(figure, *arguments, **options):
        saved.append(figure)
        return save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def drawn(axes):
    return [np.asarray(image.get_array()) for image in axes.images]


def test_maps_are_drawn_beside_the_image(tmp_path, figures):
    color = np.zeros((24, 32, 3))
    color[3, 4] = [2.0, 0.0, -2.0]
    places = np.arange(6.0).reshape(2, 3)
    maps = {"gradient": color, "Grad-CAM": places}
    field = ReceptiveField((8, 8), (8, 8), (4, 4))
    path = plot_attributions(
        GREY, maps, tmp_path / "a.png", "cat", {"Grad-CAM": field}
    )
    assert path.stat().st_size > 5000
    (figure,) = figures
    image, gradient, cam = figure.axes[:3]
    assert titles(figure)[:3] == ["image", "gradient", "Grad-CAM"]
    np.testing.assert_allclose(drawn(image)[0], GREY / 255)
    np.testing.assert_allclose(drawn(gradient)[0][3, 4], [1, 0.5, 0])
    np.testing.assert_allclose(drawn(gradient)[0][0, 0], 0.5)
    under, over = cam.images
    np.testing.assert_array_equal(over.get_array(), places)
    # The first place sees the pixels 4 to 12, so its center is at 8.
    assert over.get_extent() == [4, 28, 20, 4]
    assert under.get_extent() == [0, 32, 24, 0]
    assert figure.get_suptitle() == "cat"


def test_colors_cut_off_a_few_outliers():
    values = np.ones((100, 100, 3))
    values[0, 0] = 1000
    assert in_color(values)[5, 5, 0] == pytest.approx(1)
    assert in_color(values)[0, 0, 0] == 1
    assert (in_color(np.zeros((4, 4, 3))) == 0.5).all()


def test_places_are_where_the_units_look():
    field = ReceptiveField((163, 163), (16, 16), (-64, -64))
    left, right, bottom, top = extent((13, 13), (224, 224), field)
    # conv5 of the paper's network: centers from 17.5 on, 16 pixels apart.
    assert (left, top) == (9.5, 9.5) and (right, bottom) == (217.5, 217.5)


def test_a_mosaic_has_each_tile_in_its_place():
    tiles = np.arange(1, 6)[:, None, None] * np.ones((5, 2, 3))
    wanted = [
        [1, 1, 1, 0, 2, 2, 2, 0, 3, 3, 3],
        [1, 1, 1, 0, 2, 2, 2, 0, 3, 3, 3],
        [0] * 11,
        [4, 4, 4, 0, 5, 5, 5, 0, 0, 0, 0],
        [4, 4, 4, 0, 5, 5, 5, 0, 0, 0, 0],
    ]
    np.testing.assert_array_equal(mosaic(tiles, 3, background=0), wanted)


def occlusion(starts=(0, 12)):
    return Occlusion(
        activation=np.array([[5.0, 4.0], [3.0, 2.0]]),
        probability=np.array([[0.9, 0.8], [0.1, 0.2]]),
        label=np.array([[1, 1], [0, 2]]),
        tops=np.array(starts),
        lefts=np.array(starts),
        size=12,
        unit=1,
        maps="conv5",
        channel=7,
        uncovered=(6.0, 0.95),
    )


def test_the_three_maps_of_an_occlusion(tmp_path, figures):
    found = occlusion()
    names = ["dog", "cat", "a very long name of an animal"]
    plot_occlusion(GREY, found, tmp_path / "a.png", names)
    (figure,) = figures
    square, activation, probability, label = figure.axes[:4]
    (patch,) = square.patches
    assert patch.get_width() == 12
    # In half pixels, of which a place has 24.
    np.testing.assert_array_equal(
        drawn(activation)[1], np.kron(found.activation, np.ones((24, 24)))
    )
    assert "map 7 of conv5\n(uncovered 6)" in activation.get_title()
    np.testing.assert_array_equal(
        drawn(probability)[1][::24, ::24], found.probability
    )
    assert "cat\n(uncovered 0.95)" in probability.get_title()
    # The square at (12, 12) stands for its center, 18.
    assert activation.images[1].get_extent() == [0, 24, 24, 0]
    legend = [text.get_text() for text in label.get_legend().get_texts()]
    assert legend == ["cat", "dog", "a very long name …"]
    plot_occlusion(GREY, found, tmp_path / "b.png")
    assert "class 1" in figures[1].axes[2].get_title()
    with pytest.raises(ValueError, match="at least 24 pixels high. Rec.*: 20"):
        plot_occlusion(GREY[:20], found, tmp_path / "c.png")


def test_the_last_squares_of_an_occlusion_are_drawn_where_they_were(
    tmp_path, figures
):
    """The last ends at the edge, nearer to the one before than the others."""
    image = np.zeros((227, 227, 3), "uint8")
    starts = np.array([*range(0, 171, 14), 171])
    rows = np.arange(14.0)[:, None] * np.ones(14)
    found = dataclasses.replace(
        occlusion(),
        activation=rows,
        probability=rows.T / 13,
        label=rows.astype(int),
        tops=starts,
        lefts=starts,
        size=56,
    )
    plot_occlusion(image, found, tmp_path / "a.png")
    activation, _, label = figures[0].axes[1:4]
    for axes in (activation, label):
        # Centers at 28, 42, ... 196 and, of the last one, at 199.
        extent = axes.images[1].get_extent()
        assert extent == [21, 200.5, 200.5, 21]
    column = drawn(activation)[1][:, 0]
    for row, start in enumerate(starts):
        assert column[int(2 * (start + 28 - 21))] == row
    assert (column == 13).sum() == 2 * 3


def test_an_occlusion_by_one_square(tmp_path, figures):
    found = dataclasses.replace(
        occlusion([0]),
        activation=np.ones((1, 1)),
        probability=np.ones((1, 1)),
        label=np.ones((1, 1), int),
    )
    plot_occlusion(GREY, found, tmp_path / "a.png")
    assert figures[0].axes[1].images[1].get_extent() == [0, 12, 12, 0]


def patches(projections=True):
    random = np.random.default_rng(0)
    shape = (2, 4, 5, 5, 3)
    return TopPatches(
        layer="conv2",
        channels=(3, 8),
        values=np.array([[9.0, 8, 7, 6], [5, 4, 3, 2]]),
        indices=np.zeros((2, 4), int),
        positions=np.zeros((2, 4, 2), int),
        patches=random.uniform(0, 255, shape),
        projections=random.normal(size=shape) if projections else None,
    )


def test_patches_are_drawn_beside_their_projections(tmp_path, figures):
    found = patches()
    plot_top_patches(found, tmp_path / "a.png")
    (figure,) = figures
    assert "conv2: projections and patches of the 4 largest" in (
        figure.get_suptitle()
    )
    assert "map 3: 9 to 6" in [
        axes.get_title(loc="left") for axes in figure.axes
    ]
    (shown,) = drawn(figure.axes[1])
    assert shown.shape == (11, 11, 3)
    np.testing.assert_allclose(
        shown[:5, :5], found.patches[0, 0] / 255, atol=1e-6
    )
    np.testing.assert_allclose(
        shown[6:, 6:], found.patches[0, 3] / 255, atol=1e-6
    )
    np.testing.assert_allclose(
        drawn(figure.axes[0])[0][:5, 6:],
        in_color(found.projections[0, 1]),
        atol=1e-6,
    )
    # Centered images of Caffe: their mean is added, blue comes first.
    plot_top_patches(patches(False), tmp_path / "b.png", [1.0, 2, 3], bgr=True)
    (shown,) = drawn(figures[1].axes[0])
    wanted = np.clip((found.patches[0, 0] + [1, 2, 3])[..., ::-1] / 255, 0, 1)
    np.testing.assert_allclose(shown[:5, :5], wanted, atol=1e-6)


def test_class_maps(tmp_path, figures):
    maps = np.zeros((2, 3, 6))
    maps[..., 4] = 0.5
    maps[1, 2, 2] = 0.75
    plot_class_maps(GREY, maps, tmp_path / "a.png")
    plot_class_maps(GREY, maps, tmp_path / "b.png", [2], list("abcdef"))
    best, chosen = figures
    assert titles(best)[1:3] == ["class 4: up to 0.50", "class 2: up to 0.75"]
    assert titles(chosen)[:2] == ["photo, 32 x 24 pixels", "c: up to 0.75"]
    np.testing.assert_array_equal(drawn(chosen.axes[1])[1], maps[..., 2])
    for wrong, match in (
        ({"maps": maps[0]}, r"shape \(rows, columns, classes\). Received"),
        ({"maps": maps * np.nan}, "`maps` must be finite"),
        ({"classes": [6]}, r"`classes` must be of 0 to 5. Received.*\[6\]"),
        ({"classes": []}, "`classes` must be of 0 to 5"),
    ):
        with pytest.raises(ValueError, match=match):
            plot_class_maps(GREY, **{"maps": maps, **wrong}, path="x.png")


def test_feature_maps_share_a_scale(tmp_path, figures):
    y = np.zeros((1, 6, 6, 70))
    y[0, 2, 3, 1] = 8
    y[0, :, :, 0] = 2
    found = {"conv1": y, "fc6": np.ones((1, 4))}
    plot_activations(found, tmp_path / "a.png")
    (figure,) = figures
    assert titles(figure) == ["conv1: 64 of 70 maps of 6x6\nup to 8"]
    (shown,) = drawn(figure.axes[0])
    assert shown[0, 0] == pytest.approx(0.25)
    assert shown[2, 7 + 3] == 1
    with pytest.raises(ValueError, match="must have a layer of maps.*'fc6'"):
        plot_activations({"fc6": np.ones((1, 4))}, tmp_path / "b.png")


def test_dead_units_are_bars_of_percent(tmp_path, figures):
    dead = LayerStatistics(1.0, 1.0, 5.0, 0.5, 0.25, (3, 4, 5), 12)
    none = LayerStatistics(1.0, 1.0, 5.0, 0.5, None, None, 12)
    found = {"conv1": dead, "norm1": none}
    plot_dead_units(found, tmp_path / "a.png", 1000)
    axes = figures[0].axes[0]
    assert [bar.get_width() for bar in axes.patches] == [25, 25]
    assert axes.get_title() == "dead ReLUs on 1,000 images"
    assert [t.get_text() for t in axes.get_yticklabels()] == ["conv1"]
    with pytest.raises(ValueError, match="must have a layer with a ReLU"):
        plot_dead_units({"norm1": none}, tmp_path / "b.png")


def test_lrn_before_and_after(tmp_path, figures):
    random = np.random.default_rng(0)
    before = random.uniform(0.1, 1, (2, 5, 5, 12))
    after = 0.5 * before
    after[..., 7] *= 0.1
    plot_lrn(before, after, tmp_path / "a.png", "norm1", largest=1)
    left, right, pairs = figures[0].axes
    assert left.get_title() == "norm1: before, times 0.50"
    # The map that loses most is the only one.
    scaled = 0.5 * before[0, ..., 7]
    np.testing.assert_allclose(drawn(left)[0], scaled / scaled.max(), atol=1e-6)
    np.testing.assert_allclose(
        drawn(right)[0], 0.1 * scaled / scaled.max(), atol=1e-6
    )
    assert len(pairs.lines[0].get_xdata()) == before.size
    with pytest.raises(ValueError, match="`before` and `after` must have one"):
        plot_lrn(before, after[:1], tmp_path / "b.png")
    plot_lrn(np.zeros((1, 4, 4, 2)), np.zeros((1, 4, 4, 2)), tmp_path / "c.png")


@pytest.mark.parametrize(
    "image, maps",
    [
        (GREY, {}),
        (GREY[..., 0], {"a": np.ones((2, 2))}),
        (GREY, {"a": np.ones((24, 31, 3))}),
        (GREY, {"a": np.full((2, 2), np.nan)}),
    ],
)
def test_maps_of_another_shape_are_refused(image, maps, tmp_path):
    with pytest.raises(ValueError, match="`image` must have shape .* Received"):
        plot_attributions(image, maps, tmp_path / "a.png")
