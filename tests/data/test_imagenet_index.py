"""What is wrong with archives, folders and labels is found and named."""

import gzip
import io
import shutil
import tarfile

import numpy as np
import pytest
import tensorflow_datasets as tfds
from data.imagenet_like import SYNSETS
from data.imagenet_like import extract
from data.imagenet_like import photo
from data.imagenet_like import training_images
from data.imagenet_like import write_small

from benchmarks.ilsvrc_archives import add
from keras_alexnet.data.image_records import read_bytes
from keras_alexnet.data.imagenet_index import OFFICIAL
from keras_alexnet.data.imagenet_index import index_imagenet
from keras_alexnet.data.imagenet_labels import find_synsets
from keras_alexnet.data.tar_members import tar_members

TRAIN = "ILSVRC2012_img_train.tar"
VALIDATION = "ILSVRC2012_img_val.tar"
KIT = "ILSVRC2012_devkit_t12.tar.gz"


@pytest.fixture
def archives(tmp_path):
    return write_small(tmp_path / "archives")


@pytest.fixture
def folders(archives, tmp_path):
    folder = extract(archives, tmp_path / "folders")
    shutil.copy(archives / KIT, folder / KIT)
    return folder


def members(path):
    with tarfile.open(path) as archive:
        return {m.name: archive.extractfile(m).read() for m in archive}


def write_tar(path, files):
    with tarfile.open(path, "w") as archive:
        for name, content in files:
            add(archive, name, content)


def labels(index):
    return {
        split: {example.name: example.label for example in examples}
        for split, examples in index.splits.items()
    }


@pytest.mark.parametrize("style", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_lie_where_tarfile_finds_them(tmp_path, style):
    path = tmp_path / "a.tar"
    names = ["a.JPEG", "f/b.JPEG", "f/" * 120 + "c.JPEG", "f/ä.JPEG"]
    with tarfile.open(path, "w", format=style) as archive:
        archive.addfile(folder_entry("f"))
        for number, name in enumerate(names):
            add(archive, name, bytes([number]) * 600 * number)
    with tarfile.open(path) as archive:
        expected = [
            (m.name.rpartition("/")[2], m.offset_data, m.size)
            for m in archive
            if m.isfile()
        ]
    assert [tuple(member) for member in tar_members(path)] == expected
    assert len(expected) == 4


def folder_entry(name):
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    return entry


def test_labels_are_positions_in_the_sorted_synsets(archives):
    index = index_imagenet(archives, 2012, None)
    assert index.class_names == SYNSETS
    for name, label in labels(index)["train"].items():
        assert name.startswith(SYNSETS[label])
    # By hand: the kit numbers the synsets from the last to the first, and
    # the images are of synsets 0, 2, 1, 0, 2, 1, 0 of the sorted ones.
    kit = members(archives / KIT)
    truth = kit[
        "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt"
    ]
    assert truth.split() == [b"3", b"1", b"2", b"3", b"1", b"2", b"3"]
    found = sorted(labels(index)["validation"].items())
    assert [label for _, label in found] == [0, 2, 1, 0, 2, 1, 0]
    for examples in index.splits.values():
        for example in examples:
            assert read_bytes(example)[:2] in (b"\xff\xd8", b"\x89P")


def into_class_folders(folder, truth):
    for name, label in truth.items():
        place = folder / SYNSETS[label]
        place.mkdir(exist_ok=True)
        (folder / name).rename(place / name)


@pytest.mark.parametrize("how", ["flat", "class folders", "class archives"])
def test_folders_are_the_same_set(archives, folders, how):
    expected = labels(index_imagenet(archives, 2012, None))
    (folders / "train" / ".DS_Store").touch()
    if how == "class folders":
        into_class_folders(folders / "val", expected["validation"])
    if how == "class archives":
        shutil.rmtree(folders / "train")
        with tarfile.open(archives / TRAIN) as archive:
            archive.extractall(folders / "train", filter="data")
    assert labels(index_imagenet(folders, 2012, None)) == expected


def test_class_folders_need_no_kit(tmp_path):
    archives = write_small(tmp_path / "archives", 2010)
    folders = extract(archives, tmp_path / "folders", 2010)
    expected = {"train": 24, "validation": 7}
    with pytest.raises(ValueError, match="val is flat.*2010_devkit-1.0.tar.gz"):
        index_imagenet(folders, 2010, expected)
    truth = labels(index_imagenet(archives, 2010, expected))
    into_class_folders(folders / "val", truth["validation"])
    index = index_imagenet(folders, 2010, expected)
    assert labels(index) == truth
    assert index.inputs["labels"] == "the class folders"
    # As Imagenette has them, whose validation images are in part of the
    # training set.
    first = next((folders / "val" / SYNSETS[0]).iterdir())
    first.rename(first.with_name(f"{SYNSETS[0]}_77.JPEG"))
    index = index_imagenet(folders, 2010, expected)
    assert labels(index)["validation"][f"{SYNSETS[0]}_77.JPEG"] == 0


def test_labels_that_tfds_ships():
    """Without the kit, those of 2012 are still known: 50 of each class."""
    import pathlib

    synsets = find_synsets(pathlib.Path("nowhere"), 2012)
    assert len(synsets.words) == 1000
    assert list(synsets.words) == sorted(synsets.words)
    truth = synsets.truth["validation"]
    assert len(truth) == 50000 and set(truth) == synsets.words.keys()
    assert {truth.count(name) for name in list(synsets.words)[:5]} == {50}
    labels = tfds.core.tfds_path("datasets/imagenet2012/labels.txt")
    assert list(synsets.words) == labels.read_text().split()
    assert find_synsets(pathlib.Path("nowhere"), 2010) is None


def test_ilsvrc_2010(tmp_path):
    """A labelled test set, a gzipped image, and corrected images."""
    train = training_images()
    train[SYNSETS[0]][1] = gzip.compress(photo(1))
    folder = write_small(tmp_path / "archives", 2010, train)
    better = photo(50)
    with tarfile.open(folder / "patch_images.tar", "w") as archive:
        add(archive, f"patch/train/{SYNSETS[1]}_4.JPEG", better)
        add(archive, "patch/test/ILSVRC2010_test_00000002.JPEG", better)
    index = index_imagenet(folder, 2010, {"train": 24, "test": 5})
    assert {s: len(e) for s, e in index.splits.items()} == {
        "train": 24,
        "test": 5,
    }
    read = {e.name: read_bytes(e) for e in index.splits["train"]}
    assert read[f"{SYNSETS[0]}_1.JPEG"] == photo(1)
    assert read[f"{SYNSETS[1]}_4.JPEG"] == better
    test = {e.name: e for e in index.splits["test"]}
    assert [test[name].label for name in sorted(test)] == [0, 2, 1, 0, 2]
    assert read_bytes(test["ILSVRC2010_test_00000002.JPEG"]) == better
    assert read_bytes(test["ILSVRC2010_test_00000003.JPEG"]) != better
    assert index.notes == (
        "1 images of train are from patch_images.tar",
        "1 images of test are from patch_images.tar",
    )
    with pytest.raises(ValueError, match="000007.JPEG replaces an image that"):
        write_tar(
            folder / "patch_images.tar",
            [("patch/test/ILSVRC2010_test_00000007.JPEG", better)],
        )
        index_imagenet(folder, 2010, {"train": 24, "test": 5})
    (folder / "patch_images.tar").unlink()
    (folder / "ILSVRC2010_test_ground_truth.txt").unlink()
    with pytest.raises(
        ValueError, match="ILSVRC2010_test_ground_truth.txt.*bes"
    ):
        index_imagenet(folder, 2010, {"train": 24, "test": 5})


def test_a_part_of_the_classes(archives, folders):
    """Numbered images of other classes are left out, and counted."""
    shutil.rmtree(folders / "train" / SYNSETS[0])
    index = index_imagenet(folders, 2012, None)
    assert index.class_names == SYNSETS[1:]
    assert len(index.splits["validation"]) == 4
    assert index.notes == (
        "3 images of validation are left out: they are of classes without "
        "training images",
    )
    with pytest.raises(
        ValueError, match="classes of the training set alone. 3"
    ):
        index_imagenet(folders, 2012, {"train": 16, "validation": 7})


def test_official_numbers(archives, monkeypatch):
    assert OFFICIAL == {
        2010: {"train": 1261406, "validation": 50000, "test": 150000},
        2012: {"train": 1281167, "validation": 50000},
    }
    with pytest.raises(ValueError, match="images of 1,000 synsets. It holds 3"):
        index_imagenet(archives, 2012, "official")
    with pytest.raises(
        ValueError, match="must hold 25 images. It holds 24. To"
    ):
        index_imagenet(archives, 2012, {"train": 25})


def test_the_kit_tells_which_class_is_short(folders):
    (folders / "train" / SYNSETS[1] / f"{SYNSETS[1]}_6.JPEG").unlink()
    with pytest.raises(ValueError, match=r"23 \(n02105855 has 7 of 8\)"):
        index_imagenet(folders, 2012, {"train": 24})


@pytest.mark.parametrize("name", [TRAIN, VALIDATION])
def test_archives_that_are_cut_off(archives, name):
    path = archives / name
    content = path.read_bytes()
    # Archives end with up to 10 KiB of zeros, of which one block counts.
    length = len(content.rstrip(b"\0"))
    for kept in (0.1, 0.5, 0.9, 0.999):
        path.write_bytes(content[: round(length * kept)])
        with pytest.raises(ValueError, match=f"{name}.* (is cut off|at byte)"):
            index_imagenet(archives, 2012, None)


def test_an_archive_cut_off_between_two_files(archives):
    path = archives / TRAIN
    start = [m.offset for m in tar_members(path)][2] - 512
    path.write_bytes(path.read_bytes()[:start])
    with pytest.raises(ValueError, match="no further file and no end"):
        index_imagenet(archives, 2012, None)


def test_a_damaged_inner_archive(archives):
    path = archives / TRAIN
    files = members(path)
    inner = bytearray(files[f"{SYNSETS[1]}.tar"])
    places = [m for m in tar_members(path)]
    assert [m.name for m in places] == list(files)
    with tarfile.open(fileobj=io.BytesIO(bytes(inner))) as archive:
        second = archive.getmembers()[1].offset
    # A damaged header in the middle, which `tarfile` takes for the end.
    inner[second : second + 100] = b"x" * 100
    files[f"{SYNSETS[1]}.tar"] = bytes(inner)
    write_tar(path, files.items())
    with pytest.raises(ValueError, match=f"{SYNSETS[1]}.tar in .*at byte"):
        index_imagenet(archives, 2012, None)


def broken(archives, how):
    """Damages the training archive or the kit; returns the error's text."""
    files = members(archives / TRAIN)
    first = f"{SYNSETS[0]}.tar"
    inner = {}
    with tarfile.open(fileobj=io.BytesIO(files[first])) as archive:
        for member in archive:
            inner[member.name] = archive.extractfile(member).read()
    names = list(inner)

    def rewrite(pairs):
        path = archives / "inner.tar"
        write_tar(path, pairs)
        files[first] = path.read_bytes()
        path.unlink()

    if how == "a missing synset":
        del files[first]
        message = f"lacks {SYNSETS[0]}, a synset of"
    elif how == "an unknown synset":
        files["n99999999.tar"] = files.pop(first)
        message = "An image must have a name such as n99999999_1.JPEG"
    elif how == "no synset":
        files["cats.tar"] = files.pop(first)
        message = "must have the name of a synset.*train.tar: cats.tar"
    elif how == "there twice":
        rewrite([*inner.items(), (names[2], photo(5))])
        message = f"{names[2]} is there twice"
    elif how == "of another synset":
        rewrite([*inner.items(), (f"{SYNSETS[1]}_99.JPEG", photo(5))])
        message = f"such as {SYNSETS[0]}_1.JPEG. Received: .*{SYNSETS[1]}_99"
    elif how == "not an image":
        rewrite([*inner.items(), ("readme.txt", b"hello")])
        message = "An image must have a name such as.*readme.txt"
    write_tar(archives / TRAIN, files.items())
    return message


@pytest.mark.parametrize(
    "how",
    [
        "a missing synset",
        "an unknown synset",
        "no synset",
        "there twice",
        "of another synset",
        "not an image",
    ],
)
def test_names_in_archives(archives, how):
    message = broken(archives, how)
    with pytest.raises(ValueError, match=message):
        index_imagenet(archives, 2012, "official")


def test_a_synset_that_the_kit_does_not_know(folders):
    new = folders / "train" / "n99999999"
    (folders / "train" / SYNSETS[1]).rename(new)
    for path in new.iterdir():
        path.rename(new / path.name.replace(SYNSETS[1], new.name))
    with pytest.raises(ValueError, match="holds n99999999, which is no synset"):
        index_imagenet(folders, 2012, None)


def test_files_that_are_not_there(archives, tmp_path):
    for kept, message in (
        ({TRAIN, KIT}, f"must hold {VALIDATION}, or a folder 'val'. .*'train'"),
        ({VALIDATION, KIT}, f"must hold {TRAIN}, or a folder 'train'"),
    ):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for name in kept:
            shutil.copy(archives / name, folder / name)
        with pytest.raises(ValueError, match=message):
            index_imagenet(folder, 2012, {"train": 24, "validation": 7})


def test_one_archive_is_another(archives):
    shutil.copy(archives / VALIDATION, archives / TRAIN)
    with pytest.raises(
        ValueError, match="one archive or folder for each synset"
    ):
        index_imagenet(archives, 2012, None)
    (archives / TRAIN).write_bytes(gzip.compress(b"no tar"))
    with pytest.raises(ValueError, match="is no tar archive, or is damaged"):
        index_imagenet(archives, 2012, None)
    (archives / TRAIN).write_bytes(b"")
    with pytest.raises(ValueError, match="is no tar archive, or is damaged"):
        index_imagenet(archives, 2012, None)


def kit_with(archives, **changes):
    files = members(archives / KIT)
    for name, content in changes.items():
        (path,) = [path for path in files if name in path]
        files[path] = content
    with tarfile.open(archives / KIT, "w:gz") as archive:
        for name, content in files.items():
            add(archive, name, content)


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"ground_truth": b"1\n2\n3\n"},
            "labels of validation are 3.*00000007",
        ),
        ({"ground_truth": b"1\n4\n"}, "line 2, must be the number.*'4'"),
        ({"ground_truth": b"1\nx\n"}, "line 2, must be the number.*'x'"),
        ({"meta": b"no MATLAB"}, "meta.mat is damaged"),
    ],
)
def test_a_damaged_kit(archives, changes, message):
    kit_with(archives, **changes)
    with pytest.raises(ValueError, match=message):
        index_imagenet(archives, 2012, None)


def test_a_kit_that_is_cut_off(archives):
    content = (archives / KIT).read_bytes()
    (archives / KIT).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=f"{KIT} is damaged"):
        index_imagenet(archives, 2012, None)


def test_a_kit_of_another_year(archives, tmp_path):
    other = write_small(tmp_path / "other", 2010)
    (archives / KIT).unlink()
    with tarfile.open(other / "ILSVRC2010_devkit-1.0.tar.gz") as archive:
        archive.extractall(archives, filter="data")
    with pytest.raises(
        ValueError, match="not of the challenge of 2012.*2010_ID"
    ):
        index_imagenet(archives, 2012, None)


def test_a_validation_image_in_the_wrong_folder(folders):
    place = folders / "val" / SYNSETS[1]
    place.mkdir()
    for path in list((folders / "val").glob("*.JPEG")):
        path.rename(place / path.name)
    with pytest.raises(
        ValueError, match=f"the folder of {SYNSETS[1]}, but is of"
    ):
        index_imagenet(folders, 2012, None)


def test_files_that_have_changed(archives):
    index = index_imagenet(archives, 2012, None)
    example = index.splits["train"][-1]
    (archives / TRAIN).write_bytes(b"short")
    with pytest.raises(ValueError, match="has changed: 0 of"):
        read_bytes(example)


def test_broken_gzip_is_left_to_the_decoder(archives):
    index = index_imagenet(archives, 2012, None)
    example = index.splits["train"][-1]
    content = bytearray((archives / TRAIN).read_bytes())
    content[example.offset : example.offset + 2] = b"\x1f\x8b"
    (archives / TRAIN).write_bytes(content)
    assert read_bytes(example).startswith(b"\x1f\x8b")


def test_order_of_files_in_archives_does_not_matter(archives):
    found = index_imagenet(archives, 2012, None)
    files = members(archives / TRAIN)
    write_tar(archives / TRAIN, list(files.items())[::-1])
    again = index_imagenet(archives, 2012, None)
    assert labels(found) == labels(again)
    assert np.array_equal(found.class_names, again.class_names)
