import pathlib

import numpy as np
import pytest
import tensorflow as tf
from pictures import encode
from pictures import make_folder
from pictures import picture

from keras_alexnet.data import load_source

IMAGES = np.arange(12 * 4 * 4 * 3, dtype="uint32").reshape(12, 4, 4, 3) % 251
IMAGES = IMAGES.astype("uint8")
LABELS = np.arange(12) % 2


def examples(source, split):
    """Lists of images, labels and ids."""
    found = list(source.dataset(split).as_numpy_iterator())
    return [list(column) for column in zip(*found, strict=True)]


def test_digits():
    pytest.importorskip("sklearn")
    source = load_source("digits")
    assert source.class_names == tuple("0123456789")
    assert source.counts == {"train": 1438, "test": 359}
    images, labels, ids = examples(source, "test")
    assert images[0].shape == (8, 8, 3) and images[0].dtype == "uint8"
    assert np.max(images) == 255 and np.min(images) == 0
    # Every class gives its share.
    counts = np.bincount(labels)
    assert counts.min() >= 34 and counts.max() <= 37
    assert set(ids).isdisjoint(examples(source, "train")[2])


def test_split_does_not_change_with_the_seed():
    pytest.importorskip("sklearn")
    tests = [
        examples(load_source("digits", seed=seed, holdout=0.5), "test")[2]
        for seed in (0, 1)
    ]
    assert tests[0] == tests[1]


@pytest.mark.parametrize("holdout", [0.0, 0.25, 0.5])
def test_holdout_is_carved_out_of_train(holdout):
    arrays = {"train": (IMAGES, LABELS), "test": (IMAGES[:2], LABELS[:2])}
    source = load_source(arrays, holdout=holdout, seed=3)
    train = examples(source, "train")[2]
    held = examples(source, "holdout")[2] if holdout else []
    assert len(held) == len(set(held)) == 2 * round(6 * holdout)
    assert sorted(train + held) == sorted(
        f"train[{i}]".encode() for i in range(12)
    )
    assert source.counts["test"] == 2
    again = load_source(arrays, holdout=holdout, seed=3)
    assert examples(again, "train")[2] == train
    assert again.fingerprint == source.fingerprint
    if holdout:
        other = load_source(arrays, holdout=holdout, seed=4)
        assert examples(other, "holdout")[2] != held
        assert other.fingerprint != source.fingerprint


def test_arrays_keep_images_and_labels_together():
    source = load_source(
        {"train": (IMAGES, LABELS), "val": (IMAGES[:3], LABELS[:3])},
        class_names=["cat", "dog"],
    )
    assert source.class_names == ("cat", "dog")
    assert source.counts == {"train": 12, "test": 3}
    images, labels, ids = examples(source, "train")
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
    assert ids[11] == b"train[11]"


@pytest.mark.parametrize(
    "images",
    [
        IMAGES[..., 0],
        IMAGES[..., :1],
        IMAGES[..., 0].astype("float32"),
        IMAGES[..., 0] + 0.3,
        IMAGES[..., 0].astype("int64"),
    ],
)
def test_arrays_become_rgb_uint8(images):
    got, labels, _ = examples(load_source((images, LABELS[:, None])), "train")
    kept = [i for i in range(12) if np.any(got == IMAGES[i, ..., :1])]
    assert np.shape(got)[1:] == (4, 4, 3) and got[0].dtype == "uint8"
    assert len(kept) >= len(got)
    for image, label in zip(got, labels, strict=True):
        original = [np.all(image == x[..., :1]) for x in IMAGES]
        assert LABELS[np.argmax(original)] == label and any(original)


def test_fingerprint_is_of_the_content():
    changed = IMAGES.copy()
    changed[3, 0, 0, 0] += 1
    prints = {
        load_source((images, labels)).fingerprint
        for images, labels in (
            (IMAGES, LABELS),
            (IMAGES.copy(), LABELS.copy()),
            (changed, LABELS),
            (IMAGES, LABELS[::-1]),
        )
    }
    assert len(prints) == 3


@pytest.mark.parametrize(
    "source, message",
    [
        ((IMAGES, LABELS[:3]), "12 images, 3 labels in 'train'"),
        ((IMAGES / 255.0, LABELS), "in 0-255; multiply those in 0-1 by 255"),
        ((IMAGES - 300.0, LABELS), "in 0-255.*Received: values from -300"),
        ((IMAGES + np.nan, LABELS), "in 0-255.*nan"),
        ((IMAGES[0, 0], LABELS), r"`images` must have shape.*\(4, 3\)"),
        ((IMAGES[..., :2], LABELS), "1 or 3 channels behind. Received"),
        ((IMAGES, np.eye(12)), "`labels` must be integers, one per image"),
        ((IMAGES, LABELS + 0.5), "`labels` must be integers.*float64"),
        ((IMAGES, LABELS * 2), "Empty class:.*'1' .label 1.*on_error"),
        ({"test": (IMAGES, LABELS)}, 'images in a split "train".*test'),
        (
            {"train": (IMAGES, LABELS), "test": (IMAGES[:0], LABELS[:0])},
            "Empty split: arrays has no image in 'test'. Fill it, or remove",
        ),
        ((IMAGES, LABELS * 0), r"two classes or more.*arrays has: \['0'\]"),
        (IMAGES, "`source` must be the name of.*Received: ndarray"),
        (None, "`source` must be the name of.*Received: NoneType"),
        ("", "`source` must be the name of.*Received: str"),
    ],
)
def test_array_errors(source, message):
    with pytest.raises(ValueError, match=message):
        load_source(source)


def test_label_out_of_range_is_named_or_skipped():
    labels = LABELS.copy()
    labels[[4, 7]] = [2, -1]
    arguments = ({"train": (IMAGES, labels), "test": (IMAGES, LABELS)},)
    names = ["cat", "dog"]
    with pytest.raises(
        ValueError,
        match=r"Label out of range: train\[4\] has label 2, but labels of 2 "
        "classes are 0 to 1.*on_error",
    ):
        load_source(*arguments, class_names=names)
    source = load_source(*arguments, class_names=names, on_error="skip")
    assert source.counts == {"train": 10, "test": 12}
    assert len(source.skipped) == 2
    assert "train[4]" in source.skipped[0] and "train[7]" in source.skipped[1]
    assert b"train[4]" not in examples(source, "train")[2]


@pytest.mark.parametrize("test_name", ["test", "validation", "val"])
def test_folder_of_splits(tmp_path, test_name):
    pytest.importorskip("PIL")
    make_folder(tmp_path / "train", {"dog": 3, "cat": 2})
    make_folder(tmp_path / test_name, {"dog": 1, "cat": 2}, "JPEG")
    source = load_source(tmp_path)
    assert source.class_names == ("cat", "dog")
    assert source.counts == {"train": 5, "test": 3}
    images, labels, ids = examples(source, "train")
    assert labels == [0, 0, 1, 1, 1]
    assert ids[0].decode() == str(tmp_path / "train" / "cat" / "0.png")
    np.testing.assert_array_equal(images[1], picture(seed=1))


def test_validation_stays_where_there_is_a_test_split(tmp_path):
    pytest.importorskip("PIL")
    for name, count in (("train", 3), ("validation", 2), ("test", 1)):
        make_folder(tmp_path / name, {"a": count, "b": count})
    source = load_source(str(tmp_path))
    assert source.counts == {"train": 6, "validation": 4, "test": 2}


def test_folder_of_classes_is_divided(tmp_path):
    pytest.importorskip("PIL")
    make_folder(tmp_path, {"a": 10, "b": 5})
    (tmp_path / "a" / ".DS_Store").write_bytes(b"x")
    (tmp_path / "a" / "deep").mkdir()
    (tmp_path / "a" / "deep" / "10.PNG").write_bytes(encode(picture(), "PNG"))
    source = load_source(tmp_path)
    assert source.counts == {"train": 13, "test": 3}
    first, second = (
        examples(load_source(tmp_path), s)[2] for s in ("train", "test")
    )
    assert len(set(first + second)) == 16
    assert examples(source, "test")[2] == second


def test_folder_fingerprint_changes_with_a_file(tmp_path):
    pytest.importorskip("PIL")
    make_folder(tmp_path, {"a": 6, "b": 6})
    before = load_source(tmp_path).fingerprint
    assert load_source(tmp_path).fingerprint == before
    (tmp_path / "a" / "3.png").write_bytes(encode(picture(seed=9), "PNG"))
    assert load_source(tmp_path).fingerprint != before


@pytest.fixture
def spoiled(tmp_path):
    """A folder with one fault of each kind."""
    pytest.importorskip("PIL")
    make_folder(tmp_path / "train", {"cat": 4, "dog": 3})
    make_folder(tmp_path / "val", {"cat": 2, "bird": 1})
    (tmp_path / "train" / "ant").mkdir()
    (tmp_path / "train" / "cat" / "notes.txt").write_text("not a picture")
    (tmp_path / "train" / "cat" / "film.mp4").write_text("not a picture")
    (tmp_path / "train" / "cat" / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "train" / "cat" / "loop").symlink_to("../cat")
    (tmp_path / "train" / "notes.txt").write_text("of the whole set")
    (tmp_path / "train" / "loose.jpg").write_bytes(b"of no class")
    path = tmp_path / "train" / "cat" / "2.png"
    path.write_bytes(path.read_bytes()[:100])
    (tmp_path / "train" / "dog" / "0.png").write_bytes(b"<html>")
    return tmp_path


def test_faults_are_named_one_after_the_other(spoiled):
    def load():
        return load_source(spoiled)

    with pytest.raises(ValueError, match="outside the class.*loose.jpg"):
        load()
    (spoiled / "train" / "loose.jpg").unlink()
    with pytest.raises(ValueError, match="Not an image file.*cat/film.mp4"):
        load()
    (spoiled / "train" / "cat" / "film.mp4").unlink()
    with pytest.raises(ValueError, match="A broken link: .*cat/gone.jpg"):
        load()
    (spoiled / "train" / "cat" / "gone.jpg").unlink()
    with pytest.raises(ValueError, match="leads back.*cat/loop.*on_error"):
        load()
    (spoiled / "train" / "cat" / "loop").unlink()
    with pytest.raises(ValueError, match="Not a class.*val/bird"):
        load()
    (spoiled / "val" / "bird" / "0.png").unlink()
    (spoiled / "val" / "bird").rmdir()
    with pytest.raises(ValueError, match=r"Empty class:.*'ant' \(label 0\)"):
        load()
    (spoiled / "train" / "ant").rmdir()
    source = load()
    assert source.skipped == ()
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="Cannot decode.*cat/2.png"
    ):
        examples(source, "train")


def test_faults_are_skipped_and_counted(spoiled, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(spoiled / ".home"))
    source = load_source(spoiled, on_error="skip")
    assert source.class_names == ("cat", "dog")
    assert source.counts == {"train": 5, "test": 2}
    assert len(source.skipped) == 8
    assert source.ignored == {"*.txt": 2}
    for what in (
        "loose.jpg",
        "cat/film.mp4",
        "cat/gone.jpg",
        "cat/loop",
        "val/bird",
        "'ant'",
        "cat/2.png: ",
        "dog/0.png: ",
    ):
        assert sum(what in line for line in source.skipped) == 1, what
    _, labels, ids = examples(source, "train")
    assert labels == [0, 0, 0, 1, 1]
    assert not any(b"cat/2.png" in name for name in ids)
    assert "ignored: 2 (*.txt 2)" in str(source)
    assert "skipped: 8, first " in str(source)


def test_folder_without_class_folders(tmp_path):
    with pytest.raises(ValueError, match="one folder of images per class"):
        load_source(tmp_path)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"holdout": 1.0}, r"`holdout` must be in \[0, 1\). Received: .*1.0"),
        ({"on_error": "warn"}, '`on_error` must be "raise" or "skip"'),
        ({"holdout": 0.01}, "`holdout=0.01` of each class rounds to no image"),
        ({"holdout": 0.95}, "`holdout=0.95` leaves of each class rounds to no"),
    ],
)
def test_argument_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_source((IMAGES, LABELS), **arguments)


def test_unknown_split():
    source = load_source((IMAGES, LABELS))
    with pytest.raises(ValueError, match=r"one of \['train', 'test'\] of arr"):
        source.dataset("valid")


def test_class_names_are_of_arrays(tmp_path):
    with pytest.raises(ValueError, match="`class_names` names the classes of"):
        load_source(tmp_path, class_names=["a"])


def test_holdout_leaves_training_images_of_every_class():
    labels = np.array([0] * 10 + [1] * 2)
    arrays = {"train": (IMAGES, labels), "test": (IMAGES[:2], LABELS[:2])}
    with pytest.raises(ValueError, match="takes all of a class of 2"):
        load_source(arrays, holdout=0.8)


@pytest.mark.parametrize(
    "source",
    ["ram://bucket/photos", pathlib.PurePosixPath("ram://bucket/photos")],
)
def test_remote_images_are_to_be_packed(source):
    with tf.io.gfile.GFile("ram://bucket/photos/cat/1.jpg", "wb") as file:
        file.write(encode(picture(), "JPEG"))
    match = "must be a prepared set.*'ram://bucket/photos'$"
    with pytest.raises(ValueError, match=match):
        load_source(source)


def test_data_dir_is_of_this_machine():
    with pytest.raises(ValueError, match="`data_dir` must be a folder of this"):
        load_source("imagenet2012", pathlib.PurePosixPath("gs://bucket"))
    with pytest.raises(ValueError, match="prepared set.*, data_dir='.'$"):
        load_source("ram://bucket/photos", ".")


def test_other_formats_are_not_read_from_remote_folders():
    with tf.io.gfile.GFile("ram://others/dataset_info.json", "w") as file:
        file.write('{"fileFormat": "array_record"}')
    with pytest.raises(ValueError, match="stored as array_record; mount the"):
        load_source("ram://others")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (((IMAGES, LABELS), (IMAGES, LABELS)), 'Two pairs .*"test": .images'),
        ((IMAGES, LABELS, IMAGES), "must be a pair .*tuple of 3"),
        ({"train": IMAGES}, "'train' must be a pair .*ndarray"),
        ({"train": (IMAGES, LABELS), "extra": (IMAGES, LABELS)}, "'extra'"),
        (
            {"test": (IMAGES, LABELS), "Testing": (IMAGES, LABELS)},
            "at most one each",
        ),
    ],
)
def test_arrays_in_another_form(source, message):
    with pytest.raises(ValueError, match=message):
        load_source(source)


def test_a_second_pair_is_no_folder():
    with pytest.raises(ValueError, match="`data_dir` is .*type tuple"):
        load_source((IMAGES, LABELS), (IMAGES, LABELS))


def test_splits_of_arrays_are_called_as_folders_are():
    pair = IMAGES, LABELS
    source = load_source({"Train": pair, "valid": (IMAGES[:4], LABELS[:4])})
    assert source.counts == {"train": 12, "test": 4}


def test_pixels_that_resampling_has_made_a_little_more_than_1():
    with pytest.raises(ValueError, match="in 0-255; multiply"):
        load_source((IMAGES / 255 * 1.02, LABELS))


def test_a_folder_called_digits(tmp_path, monkeypatch):
    make_folder(tmp_path / "digits", {"a": 5, "b": 5})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match='Give the folder as "./digits"'):
        load_source("digits")


def test_a_path_is_no_name(tmp_path, monkeypatch):
    make_folder(tmp_path / "digits", {"a": 5, "b": 5})
    monkeypatch.chdir(tmp_path)
    assert load_source(pathlib.Path("digits")).class_names == ("a", "b")


def test_tuples_of_images_and_labels_are_one_pair():
    source = load_source((tuple(IMAGES), tuple(LABELS.tolist())))
    assert source.counts["train"] + source.counts["test"] == 12


def test_images_that_are_held_out_already():
    pair = IMAGES, LABELS
    source = load_source({"train": pair, "test": pair, "holdout": pair})
    assert source.counts["holdout"] == 12
    with pytest.raises(ValueError, match="'holdout' of its own. .*=0.25"):
        load_source({"train": pair, "holdout": pair}, holdout=0.25)


def test_names_of_classes_are_plain_strings():
    names = np.array(["a", "b"])
    source = load_source((IMAGES, LABELS), class_names=names)
    for found in (source.class_names, load_source("digits").class_names):
        assert {type(name) for name in found} == {str}
