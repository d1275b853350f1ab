import dataclasses
import warnings

import keras
import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="a source is read by tf.data")

from keras_alexnet.data import load_source  # noqa: E402
from keras_alexnet.preflight import find_duplicates  # noqa: E402
from keras_alexnet.preflight.labels import label_findings  # noqa: E402


def images(first, count):
    numbers = np.arange(first, first + count, dtype="uint8")
    return np.zeros((count, 4, 4, 3), "uint8") + numbers[:, None, None, None]


def test_images_in_two_splits():
    source = load_source(
        {
            "train": (images(0, 40), np.arange(40) % 2),
            "test": (images(35, 20), np.arange(20) % 2),
        }
    )
    found = find_duplicates(source)
    assert found == {
        "test": [(f"test[{i}]", f"train[{35 + i}]") for i in range(5)]
    }
    # Every fourth of the test images, and of the training images every
    # eighth: 39 is among both.
    assert find_duplicates(source, 6) == {"test": [("test[4]", "train[39]")]}


def test_files_are_compared_by_their_bytes(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for split, start in (("train", 0), ("test", 3)):
        for label in ("cat", "dog"):
            place = tmp_path / split / label
            place.mkdir(parents=True)
            for number in range(start, start + 4):
                shade = number + 10 * (label == "dog")
                pixels = np.full((9, 9, 3), shade, "uint8")
                image.fromarray(pixels).save(place / f"{number}.png")
    found = find_duplicates(load_source(tmp_path))["test"]
    assert [pair[0].endswith("3.png") for pair in found] == [True, True]
    assert [a.split("/")[-2:] == b.split("/")[-2:] for a, b in found] == [
        True,
        True,
    ]


def findings(train, classes=4, **splits):
    splits = {name: np.array(labels) for name, labels in splits.items()}
    splits["train"] = np.array(train)
    batch = np.tile(np.arange(classes), 8)
    found = label_findings(batch, classes, splits, list("abcd"))
    return {finding.name: finding.what for finding in found}


def test_frequencies_of_classes():
    balanced = [0, 1, 2, 3] * 5
    assert findings(balanced) == {}
    what = findings([0] * 30 + [1] * 3 + [2] * 10 + [3] * 10)
    assert list(what) == ["classes_imbalanced"]
    assert "30 training images are of 'a' and 3 of 'b'" in what.popitem()[1]
    assert list(findings([1, 2, 3] * 5)) == ["labels_off_by_one"]
    what = findings([0, 1, 3] * 5)
    assert list(what) == ["classes_without_images"]
    assert "1 of 4 classes have no training image: 'c'" in what.popitem()[1]
    what = findings([0, 1, 3] * 5, test=[2, 2])
    assert "'test' and not in 'train': 'c'" in what["classes_only_in_test"]


def test_sorted_labels():
    splits = {"train": np.repeat(np.arange(4), 30)}
    found = label_findings(np.zeros(32, int), 4, splits)
    assert [finding.name for finding in found] == ["labels_sorted"]


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="trains on tf.data"
)
class TestInTraining:
    """What `train` and `fit` do with it."""

    @pytest.fixture
    def train(self):
        from keras_alexnet import train
        from keras_alexnet.models import PAPER

        # Wide enough for the windows of the norms.
        narrow = dataclasses.replace(
            PAPER, filters=(16, 16, 16, 16, 16), fc_units=(64, 64)
        )

        def run(data, **options):
            return train(
                data,
                narrow,
                **{
                    "input_size": 64,
                    "epochs": 1,
                    "batch_size": 32,
                    "flip": False,
                    **options,
                },
            )

        return run

    def test_one_line_where_all_is_well(self, train, capsys, tmp_path):
        train("digits", directory=tmp_path, verbose=2)
        lines = capsys.readouterr().out.splitlines()
        own = [line for line in lines if line.startswith("Preflight")]
        assert len(own) == 1 and "nothing suspicious" in own[0]
        assert "1,000 of 1,438 train, 359 of 359 test images" in own[0]
        assert (tmp_path / "preflight.json").exists()
        # It is not repeated where nothing begins.
        train("digits", directory=tmp_path, verbose=2)
        assert "Preflight" not in capsys.readouterr().out

    def test_it_changes_nothing(self, train):
        with_it = train("digits", verbose=0).model.get_weights()
        without = train("digits", verbose=0, preflight=False)
        for a, b in zip(with_it, without.model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_findings_are_a_warning(self, train, capsys):
        rng = np.random.default_rng(0)
        few = rng.integers(0, 2, (80, 8, 8, 3)).astype("uint8")
        data = {"train": (few, np.arange(80) % 2), "test": (few[:9], [0] * 9)}
        with pytest.warns(
            UserWarning, match="(?s)Pixels are from 0 to 1.*'train'"
        ):
            train(data, verbose=0)
        assert "Preflight" not in capsys.readouterr().out
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Preflight")
            train(data, verbose=0, preflight=False)

    def test_what_cannot_succeed_is_an_error(self, train, tmp_path):
        data = np.zeros((80, 8, 8, 3), "uint8"), np.arange(80) % 2
        with pytest.raises(ValueError, match="(?s)cannot succeed.*one value"):
            train(data, directory=tmp_path / "run")
        # Nothing is in the way of the same call with other images.
        assert not (tmp_path / "run").exists()
