"""The flags that the examples share."""

import importlib
import os
import pathlib
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl import app
from absl import flags
from absl.testing import flagsaver

from keras_alexnet.models import PAPER
from keras_alexnet.models import difference
from keras_alexnet.training import PAPER_RECIPE
from keras_alexnet.training import SMALL_DATA_RECIPE
from keras_alexnet.training import write_class_names

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"

if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)

DIGITS = {"batch_size": 32, "flip": False, "input_size": 48, "epochs": 4}
DIGITS["width"] = 0.125


@pytest.fixture
def shared(monkeypatch):
    """The module, with none of its flags defined yet."""
    monkeypatch.syspath_prepend(EXAMPLES)
    with flagsaver.flagsaver():
        yield importlib.import_module("shared_flags")


def parse(*arguments):
    flags.FLAGS(["script.py", *arguments])


def test_digits_change_what_is_not_given(shared):
    shared.define_source()
    shared.define_architecture("What is built.", DIGITS)
    shared.define_recipe(DIGITS)
    parse("--epochs=7")
    recipe = shared.recipe(DIGITS)
    assert (recipe.epochs, recipe.batch_size, recipe.flip) == (7, 32, False)
    network = shared.architecture(DIGITS)
    assert network.filters[0] == 96, "--width was not defined"
    assert shared.input_size(network, DIGITS) == 48
    parse("--dataset=photos")
    recipe = shared.recipe(DIGITS)
    assert (recipe.epochs, recipe.batch_size, recipe.flip) == (7, 128, True)
    assert shared.input_size(network, DIGITS) == 224


def test_width_narrows_digits_alone(shared):
    shared.define_source()
    shared.define_architecture("What is built.", DIGITS)
    shared.define_width(DIGITS)
    parse()
    assert shared.architecture(DIGITS).filters[0] == 12
    parse("--dataset=photos")
    assert shared.architecture(DIGITS).filters[0] == 96
    parse("--dataset=digits", "--width=0.5")
    assert shared.architecture(DIGITS).filters[0] == 48


def test_changes_of_the_architecture_and_the_recipe(shared):
    shared.define_changes()
    parse()
    assert shared.changed(PAPER, PAPER_RECIPE) == (PAPER, PAPER_RECIPE)
    parse(
        "--change=dropout=0.25",
        "--change=schedule=cosine",
        "--change=scales=(1.0, 1.5)",
    )
    network, recipe = shared.changed(PAPER, PAPER_RECIPE)
    assert difference(PAPER, network) == "dropout: 0.5 -> 0.25"
    assert difference(PAPER_RECIPE, recipe) == (
        "schedule: plateau -> cosine\nscales: None -> (1.0, 1.5)"
    )


def test_changes_that_another_flag_has(shared):
    texts = ["dropout=0", "label_smoothing=0.1"]
    network, recipe = shared.changed(PAPER, PAPER_RECIPE, texts=texts)
    assert difference(PAPER, network) == "dropout: 0.5 -> 0"
    assert difference(PAPER_RECIPE, recipe) == "label_smoothing: 0.0 -> 0.1"
    with pytest.raises(app.UsageError, match="^--variant=drop must be name="):
        shared.changed(PAPER, flag="variant", texts=["drop"])


@pytest.mark.parametrize(
    "change", ["dropout", "drop_out=0.3", "=0.3", "lrn_k 2"]
)
def test_changes_of_no_field(shared, change):
    shared.define_changes()
    parse(f"--change={change}")
    with pytest.raises(app.UsageError, match="must be name=value.* dropout, "):
        shared.changed(PAPER, PAPER_RECIPE)


def test_a_field_of_both_is_the_recipes(shared):
    (network, recipe) = shared.changed(
        PAPER, SMALL_DATA_RECIPE, texts=["pixel_std=50"]
    )
    assert network == PAPER and recipe.pixel_std == 50


def test_initial_values_that_the_recipe_replaces(shared):
    text = f"initial_biases={PAPER.initial_biases}"
    with pytest.raises(app.UsageError, match="=initial_biases=... has no eff"):
        shared.changed(PAPER, SMALL_DATA_RECIPE, texts=[text])
    texts = [text, "initialization=None"]
    assert shared.changed(PAPER, SMALL_DATA_RECIPE, texts=texts)[0] == PAPER


def test_a_field_that_is_given_twice(shared):
    texts = ["dropout=0.3", "lrn_k=1", "dropout=0.4"]
    with pytest.raises(app.UsageError, match="=dropout=0.4: dropout is given"):
        shared.changed(PAPER, PAPER_RECIPE, texts=texts)


def test_the_size_of_the_images_is_no_change(shared):
    with pytest.raises(app.UsageError, match="--variant=input_size=40 is no"):
        shared.changed(PAPER, flag="variant", texts=["input_size=40"])


def test_names_of_classes_are_beside_the_weights(shared, tmp_path):
    shared.define_network()
    shared.define_classes("none")
    (tmp_path / "net.keras").write_bytes(b"")
    parse(f"--weights={tmp_path / 'net.keras'}")
    assert shared.class_names(2) is None
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    assert shared.class_names(2) == ["cat", "dog"]
    with pytest.raises(shared.app.UsageError, match="2 classes; .* has 3"):
        shared.class_names(3)
    parse("--classes=absent.txt")
    with pytest.raises(tf.errors.NotFoundError, match="absent.txt"):
        shared.class_names(2)


@pytest.mark.parametrize(
    "argument",
    ["--epochs=0", "--batch_size=-3", "--on_error=ignore", "--recipe=none"],
)
def test_values_out_of_range_are_refused(shared, argument):
    shared.define_source()
    shared.define_recipe(DIGITS)
    name = argument[2:].partition("=")[0]
    with pytest.raises(flags.IllegalFlagValueError, match=name):
        parse(argument)


def test_files_that_are_no_images_are_left_out_or_refused(
    shared, tmp_path, capsys
):
    image = pytest.importorskip("PIL.Image", reason="writes pictures")
    for name in ("blue", "red"):
        (tmp_path / name).mkdir()
        for index in range(8):
            pixels = np.full((20, 20, 3), 20 * index, "uint8")
            image.fromarray(pixels).save(tmp_path / name / f"{index}.png")
    (tmp_path / "red" / "9.png").write_bytes(b"no picture")
    shared.define_source()
    shared.define_holdout(0.25, "to judge by.")
    parse(f"--dataset={tmp_path}", "--on_error=skip")
    assert sum(shared.source().counts.values()) == 16
    assert "holdout" in shared.source().splits
    printed = capsys.readouterr().out
    assert "1. The first:" in printed
    assert "9.png" in printed


def test_a_dataset_without_default_is_required(shared):
    shared.define_source(default=None)
    with pytest.raises(flags.IllegalFlagValueError, match="dataset"):
        parse()


def test_precision_is_that_of_all_layers(shared):
    shared.define_mixed_precision()
    parse()
    shared.set_precision()
    assert keras.config.dtype_policy().name == "float32"
    parse("--mixed_precision=bfloat16")
    try:
        shared.set_precision()
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")


def test_help_lists_the_flags_as_the_callers(shared):
    shared.define_source()
    shared.define_seed()
    shared.define_output("runs/here")
    ours = flags.FLAGS.get_key_flags_for_module(sys.modules[__name__])
    names = {flag.name for flag in ours}
    assert {"dataset", "on_error", "seed", "output"} <= names


def test_options_of_beam(shared):
    """What follows -- is Beam's; the runner is told to it, too."""
    shared.define_runner()
    rest = flags.FLAGS(
        ["x.py", "photos", "--runner=FlinkRunner", "--", "--flink_master=a:1"]
    )
    assert shared.beam_options(rest) == (
        ["photos"],
        ["--runner=FlinkRunner", "--flink_master=a:1"],
    )
    flags.FLAGS["runner"].value = None
    assert shared.beam_options(["x.py", "photos"]) == (["photos"], [])
    with pytest.raises(app.UsageError, match="--flink_master=a:1: options of"):
        shared.beam_options(rest)


def test_a_folder_is_not_the_weights_of_its_name(shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imagenet").mkdir()
    for name in ("imagenet", "gs://bucket/net.keras", None):
        assert shared.absolute_file(name) == name
    assert shared.file_version("imagenet") == ""
    (tmp_path / "net.keras").touch()
    found = shared.absolute_file("net.keras")
    assert found == str(tmp_path / "net.keras")


@pytest.mark.parametrize("folder", ["", "ram://versions"])
def test_a_file_that_changes_has_another_version(shared, folder, tmp_path):
    path = f"{folder or tmp_path}/net.keras"
    assert shared.file_version(path) == ""
    found = []
    for content in ("a", "bc"):
        with tf.io.gfile.GFile(path, "w") as file:
            file.write(content)
        found.append(shared.file_version(path))
    assert found[0] != found[1]


@pytest.mark.skipif(sys.platform != "linux", reason="names must be text")
def test_a_photo_whose_name_is_no_text(shared, tmp_path):
    from shared_photos import read_photo

    path = os.path.join(tmp_path, os.fsdecode(b"k\xe4fer.png"))
    with open(path, "wb") as file:
        file.write(tf.io.encode_png(tf.zeros((4, 5, 3), "uint8")).numpy())
    assert read_photo(path).shape == (4, 5, 3)


def test_classes_in_another_order_are_refused(shared, tmp_path, capsys):
    weights = tmp_path / "alexnet.keras"
    weights.write_bytes(b"")
    (tmp_path / "classes.txt").write_text("cat\ndog\n")

    def check(*names):
        source = types.SimpleNamespace(name="photos", class_names=names)
        shared.check_classes(str(weights), source)
        return capsys.readouterr().out

    assert check("cat", "dog") == ""
    with pytest.raises(app.UsageError, match="number 0 is 'dog', of the netw"):
        check("dog", "cat")
    assert "'cat' for 'Katze'" in check("Katze", "Hund")
    # A folder's name may be of any bytes.
    names = ("K\u00fcche", b"\xff".decode("utf-8", "surrogateescape"))
    write_class_names(tmp_path / "classes.txt", names)
    assert shared.names_beside(str(weights))[1] == list(names)
    # The weights may be in a bucket.
    for name in ("alexnet.keras", "classes.txt"):
        tf.io.gfile.copy(
            str(tmp_path / name), f"ram://trained/{name}", overwrite=True
        )
    found = shared.names_beside("ram://trained/alexnet.keras")
    assert found == ("ram://trained/classes.txt", list(names))
    # Published weights lie in no folder.
    assert shared.names_beside("imagenet") == (None, None)
