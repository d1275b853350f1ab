"""Figure 2 and Figure 3: every number and every arrow is that of the net."""

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import small
from test_inspection_plots import drawn
from test_inspection_plots import figures  # noqa: F401

from keras_alexnet.inspection.layer_facts import layer_facts
from keras_alexnet.inspection.layer_facts import total
from keras_alexnet.models import ARCHITECTURES
from keras_alexnet.visualization import plot_architecture
from keras_alexnet.visualization import plot_kernels
from keras_alexnet.visualization.architecture import DIFFERENT
from keras_alexnet.visualization.architecture import TALKS

pytest.importorskip("matplotlib", reason="draws a picture")


def texts(axes):
    return [(text.get_text(), text.get_color()) for text in axes.texts]


def arrows(axes):
    """Colors of the arrows into each row, by the row's height."""
    return [
        (round(text.xy[1], 2), text.arrow_patch.get_edgecolor())
        for text in axes.texts
        if getattr(text, "arrow_patch", None) is not None
    ]


def test_the_papers_figures():
    columns, image, layers = layer_facts("paper")
    assert (columns, image) == (2, (224, 224, 3))
    assert total(layers, "parameters") == 60_965_224
    assert total(layers, "multiply_adds") == 724_406_816
    assert total(layers, "shape") == 659_272
    conv2, conv3 = layers[1:3]
    assert (conv2.kernel, conv2.units, conv2.sees_all) == ((5, 5, 48), 256, 0)
    assert (conv3.kernel, conv3.units, conv3.sees_all) == ((3, 3, 256), 384, 1)
    assert conv2.after == ("ReLU", "LRN", "max 3/2")
    assert conv2.norms == ("k=2 n=5 α=0.0001 β=0.75",)
    assert [x.name for x in layers if x.sees_all and x.name != "conv1"] == [
        "conv3",
        "fc6",
        "fc7",
        "fc8",
    ]


def test_where_columns_talk_is_blue(tmp_path, figures):  # noqa: F811
    plot_architecture(small("paper"), tmp_path / "a.png")
    (axes,) = figures[0].axes
    words = [text for text, _ in texts(axes)]
    # Both columns say the same.
    assert words.count("8 of 5x5x4") == words.count("12 of 3x3x16") == 2
    assert "image 99x99x3" in words and "11x11x16" in words
    by_row = {}
    for height, color in arrows(axes):
        by_row.setdefault(height, []).append(color)
    blue = _rgba(TALKS)
    shown = [
        (len(colors), colors[0] == blue) for _, colors in sorted(by_row.items())
    ]
    assert shown == [
        (2, False),  # conv1 sees the image
        (2, False),
        (4, True),  # conv3
        (2, False),
        (2, False),
        (4, True),
        (4, True),
        (2, True),  # fc8 is one
    ]


def _rgba(color):
    from matplotlib.colors import to_rgba

    return to_rgba(color)


def test_differences_are_marked_in_both(tmp_path, figures):  # noqa: F811
    plot_architecture(small("paper"), tmp_path / "a.png", small("six_conv"))
    left, right = figures[0].axes
    marked = [
        {text for text, color in texts(axes) if color == DIFFERENT}
        for axes in (left, right)
    ]
    # Only the second network has a sixth layer; alpha is divided by n.
    assert "conv6" in marked[1] and "conv6" not in marked[0]
    assert "k=2 n=5 α=0.0001 β=0.75" in marked[0]
    assert "k=2 n=5 α=2e-05 β=0.75" in marked[1]
    assert "conv3" not in marked[0] | marked[1]
    plot_architecture("cifar_13", tmp_path / "b.png", "cifar_13")
    for axes in figures[1].axes:
        assert DIFFERENT not in [color for _, color in texts(axes)]


def test_lrn_across_columns_is_an_arrow(tmp_path, figures):  # noqa: F811
    plot_architecture(small("caffe"), tmp_path / "a.png")
    plot_architecture(small("paper"), tmp_path / "b.png")
    blue = _rgba(TALKS)
    counts = [
        sum(color == blue for _, color in arrows(figure.axes[0]))
        for figure in figures
    ]
    assert counts == [14 + 2, 14]


@pytest.mark.parametrize("preset", ["one_gpu", "owt", "cifar_11", "cifar_18"])
def test_networks_of_one_column(preset, tmp_path, figures):  # noqa: F811
    architecture = ARCHITECTURES[preset]
    if not preset.startswith("cifar"):
        architecture = small(preset)
    plot_architecture(architecture, tmp_path / "a.png")
    words = [text for text, _ in texts(figures[0].axes[0])]
    for name in architecture.layer_names:
        assert words.count(name) == 1
    assert architecture.name in words


def test_other_graphs_are_refused(tmp_path):
    image = keras.Input((8, 8, 3))
    left, right = (keras.layers.Conv2D(2, 1)(image) for _ in range(2))
    model = keras.Model(image, keras.layers.Add(name="sum")([left, right]))
    with pytest.raises(
        ValueError, match="a chain of layers. Rec.*'sum', which"
    ):
        plot_architecture(model, tmp_path / "a.png")
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Conv2D(2, 1)(image))
    with pytest.raises(ValueError, match="must take images of a fixed size"):
        plot_architecture(model, tmp_path / "a.png")
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.ReLU()])
    with pytest.raises(ValueError, match="must have a convolution or a dense"):
        plot_architecture(model, tmp_path / "a.png")
    with pytest.raises(ValueError, match="`architecture` must be one of"):
        plot_architecture("resnet", tmp_path / "a.png")


def test_kernels_stand_in_a_block_per_column(tmp_path, figures):  # noqa: F811
    for preset in ("paper", "caffe"):
        model = build(small(preset, filters=(16, 16, 24, 12, 16)))
        plot_kernels(model, tmp_path / "a.png", permutations=19)
        panels = figures[-1].axes
        kernel = model.get_layer("conv1").get_weights()[0]
        if preset == "caffe":
            # It sees BGR, and the picture is RGB.
            kernel = kernel[:, :, ::-1]
        for column, axes in enumerate(panels):
            (shown,) = drawn(axes)
            one = kernel[..., 8 * column + 1]
            np.testing.assert_allclose(
                shown[:11, 12:23],
                0.5 + one / (2 * np.abs(one).max()),
                atol=1e-5,
            )
            assert f"column {column}: share of color 0." in axes.get_xlabel()
        assert "the columns differ with p" in figures[-1].get_supxlabel()
    plot_kernels(build(small("owt")), tmp_path / "b.png")
    assert "columns" not in figures[-1].get_supxlabel()
