"""Networks of columns, each on a device of its own."""

import contextlib

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("columns are placed by TensorFlow", allow_module_level=True)

from photos import photos  # noqa: E402
from small_networks import build  # noqa: E402
from small_networks import small  # noqa: E402

from keras_alexnet import train  # noqa: E402
from keras_alexnet.distribution import strategy_from_name  # noqa: E402
from keras_alexnet.models import PAPER  # noqa: E402
from keras_alexnet.models import with_width  # noqa: E402
from keras_alexnet.preflight import check  # noqa: E402
from keras_alexnet.report import HealthLog  # noqa: E402

LABELS = np.arange(32) % 10


@pytest.mark.parametrize("form", ["columns", "mirrored_columns", "mirrored"])
@pytest.mark.parametrize("divisor", [1, 255])
def test_they_are_judged_as_one_network(divisor, form):
    architecture = small("paper", input_size=131)
    batch = photos(size=131) / divisor, LABELS
    names = []
    for strategy in (None, form):
        scope = (
            strategy_from_name(strategy).scope()
            if strategy
            else contextlib.nullcontext()
        )
        with scope:
            model = build(architecture, include_preprocessing=True)
        names.append([f.name for f in check(model, batch).findings])
    assert names[0] == names[1]
    assert bool(names[0]) == (divisor == 255)


def test_layers_of_columns_are_looked_at():
    """Of two channels in each column, norm1 sees both from anywhere."""
    with strategy_from_name("columns").scope():
        model = build(with_width(PAPER, 0.05), include_preprocessing=True)
    size = model.input_shape[1]
    images = np.random.default_rng(0).uniform(0, 255, (8, size, size, 3))
    found = check(model, (images, LABELS[:8]))
    assert "norm1: a window of 5 channels holds all 2" in str(found)


@pytest.mark.parametrize(
    "strategy", ["columns", "mirrored", "mirrored_columns"]
)
def test_training_on_devices_is_watched(strategy, tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (40, 16, 16, 3)).astype("uint8")
    train(
        (images, np.arange(40) % 2),
        small("paper"),
        input_size=99,
        epochs=1,
        batch_size=16,
        strategy=strategy,
        callbacks=[HealthLog(tmp_path, [(photos(8), LABELS[:8] % 2)])],
        verbose=0,
    )
    assert [path.name for path in tmp_path.iterdir()] == ["health"]
