import os
import sys

import numpy as np
import pytest
import tensorflow as tf
from pictures import encode
from pictures import make_folder
from pictures import picture
from PIL import Image

from keras_alexnet.data import TrainingData
from keras_alexnet.data import load_source
from keras_alexnet.data import scan


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("KERAS_HOME", str(folder))
    return folder / "keras_alexnet"


def put(folder, count=3):
    """Images that lie directly in a folder."""
    folder.mkdir(parents=True)
    for number in range(count):
        image = encode(picture(seed=number), "PNG")
        (folder / f"{number}.png").write_bytes(image)


def test_clutter_is_ignored_and_counted(tmp_path):
    make_folder(tmp_path, {"cat": 4, "dog": 4})
    make_folder(tmp_path / "__MACOSX", {"cat": 2})
    for name in ("Thumbs.db", "desktop.ini", "cat/.DS_Store", "dog/.DS_Store"):
        (tmp_path / name).write_bytes(b"x")
    for name in ("notes.txt", "cat/notes.txt", "dog/0.xml", "dog/._0.png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "cat" / "@eaDir").mkdir()
    for on_error in ("raise", "skip"):
        source = load_source(tmp_path, on_error=on_error)
        assert source.class_names == ("cat", "dog")
        assert source.counts == {"train": 6, "test": 2}
        assert source.skipped == ()
        assert source.ignored == {
            "__MACOSX": 1,
            "Thumbs.db": 1,
            "desktop.ini": 1,
            ".DS_Store": 2,
            "*.txt": 2,
            "*.xml": 1,
            ".*": 1,
            "@eaDir": 1,
        }


@pytest.mark.skipif(sys.platform != "linux", reason="names must be text")
def test_a_name_that_is_no_text(tmp_path):
    make_folder(tmp_path, {"cat": 5, "dog": 5})
    odd = tmp_path / "cat" / os.fsdecode(b"0\xe4.png")
    odd.write_bytes(encode(picture(seed=9), "PNG"))
    source = load_source(tmp_path)
    split = source.split("train")
    assert os.fspath(odd) in split.names()
    assert split.name_of(split.names().index(os.fspath(odd))) == os.fspath(odd)
    assert len(list(source.dataset("train"))) == split.count
    odd.write_bytes(b"\x89PNG no image")
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"0\\xe4.png: Unk"
    ):
        list(load_source(tmp_path).dataset("train"))
    (left_out,) = load_source(tmp_path, on_error="skip").skipped
    assert left_out.startswith(f"Cannot use {odd}: ")
    whole = encode(picture(80, 120, 1), "JPEG", quality=90)
    odd.write_bytes(whole[: len(whole) // 2] + whole[-40:])
    source = load_source(tmp_path)
    with pytest.warns(UserWarning, match="0\udce4.png is damaged"):
        list(TrainingData(source, input_size=8, batch_size=4).dataset)
    assert list(source.damaged) == [os.fspath(odd)]


@pytest.mark.parametrize(
    "train, test", [("Train", "Test"), ("TRAIN", "VAL"), ("training", "valid")]
)
def test_splits_in_any_case(tmp_path, train, test):
    make_folder(tmp_path / train, {"cat": 4, "dog": 4})
    make_folder(tmp_path / test, {"cat": 1, "dog": 1})
    source = load_source(tmp_path)
    assert source.class_names == ("cat", "dog")
    assert source.counts == {"train": 8, "test": 2}


def test_a_class_called_train(tmp_path):
    for name in ("bus", "car", "train"):
        put(tmp_path / name)
    source = load_source(tmp_path)
    assert source.class_names == ("bus", "car", "train")


def two_folders_for_a_split(folder):
    make_folder(folder / "train", {"a": 2, "b": 2})
    make_folder(folder / "Training", {"a": 2, "b": 2})


def images_without_classes(folder):
    put(folder / "train")
    put(folder / "test")


def no_training_split(folder):
    make_folder(folder / "test", {"a": 2, "b": 2})
    make_folder(folder / "val", {"a": 2, "b": 2})


def a_folder_beside_the_splits(folder):
    make_folder(folder / "train", {"a": 2, "b": 2})
    put(folder / "bus")


def one_class(folder):
    put(folder / "images")


def one_level_too_high(folder):
    make_folder(folder / "photos", {"a": 2, "b": 2})


def an_empty_test_split(folder):
    make_folder(folder / "train", {"a": 4, "b": 4})
    (folder / "test" / "a").mkdir(parents=True)


def no_images(folder):
    (folder / "a").mkdir()
    (folder / "b").mkdir()


@pytest.mark.parametrize(
    "make, message",
    [
        (two_folders_for_a_split, "Both 'Training' and 'train' mean 'train'"),
        (images_without_classes, "'test', 'train', which are splits.*no fold"),
        (no_training_split, "'test', 'val', but no 'train' with a folder of"),
        (a_folder_beside_the_splits, "Neither a split.*bus. .'train' in the"),
        (one_class, "one folder only, 'images'. A network needs two"),
        (one_level_too_high, "one folder only.*are the folders in it, name .*"),
        (an_empty_test_split, "Empty split: .* has no image in 'test'. Fill"),
        (no_images, 'must have images in a split "train"'),
    ],
)
def test_odd_folders_are_explained(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(ValueError, match=message):
        load_source(tmp_path)


def test_a_folder_of_other_things_beside_the_splits(tmp_path):
    make_folder(tmp_path / "train", {"a": 4, "b": 4})
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "a.xml").write_text("<a/>")
    source = load_source(tmp_path)
    assert source.counts == {"train": 6, "test": 2}
    assert source.ignored == {"annotations": 1}


def test_an_empty_test_split_is_skipped(tmp_path):
    an_empty_test_split(tmp_path)
    source = load_source(tmp_path, on_error="skip")
    assert source.counts == {"train": 6, "test": 2}
    assert "Empty split" in source.skipped[0]


def test_links_to_folders_and_files_are_followed(tmp_path):
    make_folder(tmp_path / "all", {"cat": 4, "dog": 3})
    few = tmp_path / "few"
    (few / "dog").mkdir(parents=True)
    (few / "cat").symlink_to(tmp_path / "all" / "cat")
    (few / "dog" / "some").symlink_to(tmp_path / "all" / "dog")
    source = load_source(few)
    assert sum(source.counts.values()) == 7


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all files")
def test_no_permission(tmp_path):
    make_folder(tmp_path, {"cat": 4, "dog": 4})
    (tmp_path / "cat" / "0.png").chmod(0)
    with pytest.raises(ValueError, match="No permission to read .*0.png"):
        load_source(tmp_path)


def test_home_is_understood(tmp_path, monkeypatch):
    make_folder(tmp_path / "photos", {"cat": 4, "dog": 4})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_source("~/photos").counts == {"train": 6, "test": 2}


def test_a_scan_is_remembered_until_a_file_changes(tmp_path, home, monkeypatch):
    make_folder(tmp_path, {"cat": 4, "dog": 4})
    bad = tmp_path / "cat" / "2.png"
    sound = bad.read_bytes()
    bad.write_bytes(sound[:50])
    first = load_source(tmp_path, on_error="skip")
    assert "cat/2.png" in first.skipped[0]
    assert len(list(home.iterdir())) == 1

    def unexpected(split):
        raise AssertionError("scanned again")

    with monkeypatch.context() as patched:
        patched.setattr(scan, "_scan", unexpected)
        again = load_source(tmp_path, on_error="skip")
        assert again.skipped == first.skipped
        assert again.fingerprint == first.fingerprint
        assert again.counts == first.counts
        bad.write_bytes(sound)
        with pytest.raises(AssertionError, match="scanned again"):
            load_source(tmp_path, on_error="skip")
    assert load_source(tmp_path, on_error="skip").skipped == ()


def test_no_image_is_skipped_because_a_library_is_missing(
    tmp_path, home, monkeypatch
):
    make_folder(tmp_path, {"cat": 4, "dog": 4})
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    (tmp_path / "cat" / "9.heic").write_bytes(heic)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImportError, match="9.heic: .*install pillow-heif"):
        load_source(tmp_path, on_error="skip")
    assert not home.exists()


def test_photos_as_they_lie_or_as_they_were_taken(tmp_path):
    make_folder(tmp_path, {"cat": 4, "dog": 4})
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in tmp_path.glob("*/*.png"):
        path.write_bytes(encode(picture(30, 50), "PNG", exif=exif))
    fingerprints = set()
    for upright, shape in ((True, (50, 30, 3)), (False, (30, 50, 3))):
        source = load_source(tmp_path, upright=upright)
        images = source.dataset("train").as_numpy_iterator()
        assert {np.shape(image) for image, _, _ in images} == {shape}
        fingerprints.add(source.fingerprint)
    assert len(fingerprints) == 2
