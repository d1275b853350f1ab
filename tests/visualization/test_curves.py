import pytest

from keras_alexnet.visualization import curves
from keras_alexnet.visualization import plot_curves

image = pytest.importorskip("matplotlib.image", reason="draws pictures")


def test_draws_a_csv_log(tmp_path):
    log = tmp_path / "history.csv"
    log.write_text(
        "epoch,loss,top1_error,val_loss\n0,2.3,0.9,2.2\n1,1.1,0.5,1.3\n"
    )
    picture = plot_curves(log, tmp_path / "curve.png")
    pixels = image.imread(picture)
    # Two lines of loss and one of error, in matplotlib's first color.
    blue = abs(pixels[..., :3] - [0.122, 0.467, 0.706]).max(axis=-1) < 0.02
    middle = pixels.shape[1] // 2
    assert blue[:, :middle].sum() > blue[:, middle:].sum() > 50


def test_same_picture_from_a_history(tmp_path):
    log = tmp_path / "history.csv"
    log.write_text("epoch,loss\n0,2.5\n1,1.5\n")
    a = plot_curves(log, tmp_path / "a.png")
    b = plot_curves({"loss": [2.5, 1.5]}, tmp_path / "b.png")
    assert (image.imread(a) == image.imread(b)).all()


def test_nothing_to_draw(tmp_path):
    with pytest.raises(ValueError, match="at least one epoch with a loss"):
        plot_curves({}, tmp_path / "curve.png")


def test_errors_stay_within_100_percent(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(curves, "save_figure", lambda f, path: kept.append(f))
    history = {"loss": [7.0, 2.0], "top1_error": [1.0, 0.0]}
    plot_curves(history, tmp_path / "curve.png")
    assert kept[0].axes[1].get_ylim() == (0, 100)
    assert kept[0].axes[0].get_ylim()[1] > 7
