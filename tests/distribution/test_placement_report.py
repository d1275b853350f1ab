import dataclasses
import re
import sys

import keras
import pytest
from column_networks import LOSS
from column_networks import SMALL
from column_networks import batch
from column_networks import network

from keras_alexnet.distribution import ColumnParallelStrategy
from keras_alexnet.distribution import Mirrored
from keras_alexnet.distribution import PlacementReport
from keras_alexnet.distribution import Transfer
from keras_alexnet.distribution import on_one_device
from keras_alexnet.distribution import placed_step
from keras_alexnet.distribution import placement_report
from keras_alexnet.distribution import plot_placement
from keras_alexnet.distribution.placement_plot import readable
from keras_alexnet.training import Recipe
from keras_alexnet.training.fit import compile_by

DEVICES = ("/CPU:1", "/CPU:2")


@pytest.fixture(scope="module")
def model():
    with ColumnParallelStrategy(DEVICES).scope():
        model = network()
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), LOSS)
    return model


@pytest.fixture(scope="module")
def report(model):
    return placement_report(model, batch())


def test_each_layer_is_where_its_column_is(report):
    rows = {layer.name: layer for layer in report.layers}
    for name, device in (
        ("conv2_column0", ("CPU:1",)),
        ("conv2_column1", ("CPU:2",)),
        ("fc7", ("CPU:1",)),
    ):
        row = rows[name]
        places = (row.variables, row.slots, row.forward, row.backward)
        assert places == (device,) * 4, name
    pool = rows["pool1_column1"]
    assert (pool.variables, pool.slots, pool.parameters) == ((), (), 0)
    assert pool.forward == pool.backward == ("CPU:2",)
    # Half of eight filters of 3 x 3 by four channels, and their biases.
    exchange = rows["conv2"]
    assert exchange.forward == exchange.backward == ("CPU:1", "CPU:2")
    # Each column has all eight channels of a batch of four, in four bytes.
    assert exchange.activations == 4 * 8 * 8 * 8 * 4
    assert rows["conv2_column1"].parameters == 4 * (3 * 3 * 4 + 1)


def test_totals_are_those_of_the_model(model, report):
    totals = report.totals()
    assert sum(total[0] for total in totals.values()) == model.count_params()
    # The head has the last layer as well.
    assert totals["CPU:1"][0] - totals["CPU:2"][0] == 10 * (32 + 1)


def test_what_crosses_is_counted_in_bytes(report):
    # conv2's output, 8 x 8 x 4 each of a batch of 4, to the other column and
    # its gradient back; likewise pool3's, 4 x 4 x 8; and fc6's to the head.
    maps = 4 * 4 * (8 * 8 * 4 + 4 * 4 * 8)
    crossings = report.crossings()
    assert 2 * maps <= crossings["CPU:1", "CPU:2"] < 2 * maps + 500
    features = 4 * 4 * 16
    images = 4 * 4 * 35 * 35 * 3
    assert 2 * maps <= crossings["CPU:2", "CPU:1"] - features < 2 * maps + 500
    assert crossings["CPU:0", "CPU:2"] == pytest.approx(images, abs=64)


def test_the_table_has_all_of_it(report, capsys):
    table = str(report)
    assert re.search(r"conv2_column1 +CPU:2 +CPU:2 +CPU:2 +CPU:2 +148", table)
    assert "tensor that crosses" in table
    total = sum(report.crossings().values())
    assert f"{total:,}" in table.splitlines()[-1]


def test_the_step_is_taken_back():
    model = network(dataclasses.replace(SMALL, columns=1))
    model.compile("adam", LOSS)
    before = [w.numpy() for w in model.weights]
    placed_step(model, batch())
    for old, new in zip(before, model.weights, strict=True):
        assert (old == new.numpy()).all()
    assert model.optimizer.iterations.numpy() == 0


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(ValueError, match="call `model.compile` first"):
        placement_report(network())


def test_plot_has_a_box_per_device_and_an_arrow_per_direction(
    report, monkeypatch
):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    (axes,) = plot_placement(report).axes
    texts = [text.get_text() for text in axes.texts]
    for device, (parameters, _) in report.totals().items():
        assert any(device in t and f"{parameters:,}" in t for t in texts)
    for size in report.crossings().values():
        assert readable(size) in texts
    arrows = [text for text in axes.texts if getattr(text, "arrow_patch", None)]
    assert len(arrows) == len(report.crossings())


def test_sizes_that_are_not_known_are_said_to_be():
    report = PlacementReport([], [], [Transfer("x", "CPU:0", "CPU:1", None)])
    assert report.crossings() == {("CPU:0", "CPU:1"): 0}
    assert re.search(r"x +CPU:0 +CPU:1 +\?", str(report))


@pytest.mark.parametrize(
    "size, text",
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (2.5e6, "2.5 MB")],
)
def test_readable(size, text):
    assert readable(size) == text


def test_replicas_and_a_scaled_loss(capsys):
    """Also built once: a `LossScaleOptimizer` built twice cannot go on."""
    strategy = Mirrored(["/CPU:0", "/CPU:1"])
    with strategy.scope():
        model = network()
        scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
        model.compile(scaled, LOSS)
    model.fit(*batch(4), verbose=0)
    count = len(model.optimizer.variables)
    report = placement_report(model, batch(2))
    assert len(model.optimizer.variables) == count
    assert (report.replicas, report.gradients) == (2, 4 * model.count_params())
    assert re.search(
        rf"2 replicas reduce gradients, each of +{report.gradients:,}",
        capsys.readouterr().out,
    )
    one = on_one_device(model)
    assert [v.path for v in one.optimizer.variables] == [
        v.path for v in model.optimizer.variables
    ]


def test_without_matplotlib_it_says_how_to_install_it(monkeypatch):
    # What is `None` cannot be imported.
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(
        ImportError, match=r'pip install "keras-alexnet\[examples\]"'
    ):
        plot_placement(PlacementReport([], [], []))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_model_that_a_recipe_has_compiled(smoothing, capsys):
    with ColumnParallelStrategy(DEVICES).scope():
        model = network()
    compile_by(Recipe(label_smoothing=smoothing), model)
    report = placement_report(model, batch_size=2)
    assert any(layer.name == "conv2_column1" for layer in report.layers)
