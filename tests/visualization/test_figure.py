import sys

import pytest

from keras_alexnet import visualization
from keras_alexnet.visualization.figure import within_percent


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("plot_curves", [{"loss": [1.0]}]),
        ("plot_predictions", [[[[[0, 0, 0]]]], [[("mite", 1.0)]]]),
        ("plot_search", [[{"n": 5, "val_top1_error": 0.5}], ["n"]]),
        (
            "plot_ablation",
            [[{"change": "x", "top1_difference": 1, "contains_zero": True}]],
        ),
        ("plot_scaling", [{"share": ([(1, 0.5, 0.1)], None)}]),
    ],
)
def test_without_matplotlib_it_says_how_to_install_it(
    name, arguments, tmp_path, monkeypatch
):
    # What is `None` cannot be imported.
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(
        ImportError, match=r'pip install "keras-alexnet\[examples\]"'
    ):
        getattr(visualization, name)(*arguments, tmp_path / "x.png")
    assert not (tmp_path / "x.png").exists()


def test_limits_of_percentages():
    assert within_percent((-3.0, 104.0)) == (0, 100)
    assert within_percent((12.0, 40.0)) == (12, 40)
