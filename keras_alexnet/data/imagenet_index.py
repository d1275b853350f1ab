"""ImageNet's images with their labels, counted and checked."""

import collections
import dataclasses
import typing

from keras_alexnet.data.imagenet_files import ARCHIVES
from keras_alexnet.data.imagenet_files import FOLDERS
from keras_alexnet.data.imagenet_files import check_folder
from keras_alexnet.data.imagenet_files import find_splits
from keras_alexnet.data.imagenet_files import image_number
from keras_alexnet.data.imagenet_files import list_images
from keras_alexnet.data.imagenet_files import patches
from keras_alexnet.data.imagenet_files import place
from keras_alexnet.data.imagenet_labels import find_synsets

# The images of the challenges: https://image-net.org/challenges/LSVRC/2012,
# and section 2 of the paper for those of 2010.
OFFICIAL = {
    2010: {"train": 1261406, "validation": 50000, "test": 150000},
    2012: {"train": 1281167, "validation": 50000},
}


class Example(typing.NamedTuple):
    """An image to prepare: its name, label, and where its bytes lie."""

    name: str
    label: int
    file: str
    offset: int
    size: int

    @property
    def origin(self):
        """What a message calls it."""
        return place(self)


@dataclasses.dataclass(frozen=True)
class Index:
    """All examples of a set.

    Attributes:
        class_names: Tuple of synsets, sorted. A label is an index into it.
        words: Tuple of the words of each, empty where they are not known.
        splits: Dict from a split's name to a list of `Example`s.
        inputs: Dict from `"labels"` and each split to where it was found.
        notes: Tuple of strings: what the person should know about it.
    """

    class_names: tuple
    words: tuple
    splits: dict
    inputs: dict
    notes: tuple


def index_imagenet(source, year, expected="official"):
    """Finds and labels all images, and checks that none is missing.

    Args:
        source: Folder, see `prepare_imagenet`.
        year: `2010` or `2012`.
        expected: As of `prepare_imagenet`.

    Returns:
        An `Index`.

    Raises:
        ValueError: If images or labels are missing, too many, there twice,
            or of no class.
    """
    folder = check_folder(source)
    wanted = OFFICIAL[year] if expected == "official" else expected
    paths = _paths(folder, year, wanted)
    synsets = find_synsets(folder, year)
    files, notes = {}, []
    for split, path in paths.items():
        files[split] = list_images(path)
        replaced = patches(folder, split, year)
        files[split], count = _patched(files[split], replaced, wanted)
        if count:
            notes.append(f"{count} images of {split} are from patch_images.tar")
    class_names = _classes(paths["train"], files["train"], synsets, expected)
    labels = {name: label for label, name in enumerate(class_names)}
    splits = {}
    for split, images in files.items():
        found, left = _labelled(paths[split], split, images, synsets, labels)
        if left and wanted is not None:
            raise ValueError(
                f"{paths[split]} must hold images of the {len(labels)} classes "
                f"of the training set alone. {left} are of others. To leave "
                "them out, pass `expected=None`"
            )
        if left:
            notes.append(
                f"{left} images of {split} are left out: they are of classes "
                "without training images"
            )
        _check_count(paths[split], split, found, class_names, wanted, synsets)
        splits[split] = found
    words = synsets.words if synsets else {}
    inputs = {split: path.name for split, path in paths.items()}
    inputs["labels"] = "the class folders"
    if synsets is not None:
        inputs["labels"] = synsets.origin.removeprefix(f"{folder}/")
    return Index(
        class_names,
        tuple(words.get(name, "") for name in class_names),
        splits,
        inputs,
        tuple(notes),
    )


def _paths(folder, year, wanted):
    paths = find_splits(folder, year)
    if "train" not in paths:
        names = sorted(path.name for path in folder.iterdir())
        raise ValueError(
            f"{folder} must hold {ARCHIVES[year]['train']}, or a folder "
            f"'train' with one folder for each synset. It holds: {names[:8]}"
        )
    if wanted is None:
        return paths
    for split in wanted:
        if split not in paths:
            there = {s: count for s, count in wanted.items() if s in paths}
            raise ValueError(
                f"{folder} must hold {ARCHIVES[year][split]}, or a folder "
                f"{FOLDERS[split][-1]!r}. To prepare the set without it, pass "
                f"`expected={there}`"
            )
    return {split: paths[split] for split in wanted}


def _patched(images, replaced, wanted):
    names = {image.name for image in images}
    for name in replaced:
        if name not in names and wanted is not None:
            raise ValueError(
                f"{replaced[name].origin} replaces an image that is not there"
            )
    images = [
        replaced[image.name]._replace(synset=image.synset)
        if image.name in replaced
        else image
        for image in images
    ]
    return images, len(names & replaced.keys())


def _classes(path, images, synsets, expected):
    """The sorted synsets of the training set."""
    for image in images:
        if image.synset is None:
            raise ValueError(
                f"{path} must hold one archive or folder for each synset. It "
                f"holds an image: {image.origin}"
            )
    found = {image.synset for image in images}
    if synsets is not None:
        _check_synsets(path, found, synsets, expected)
    if len(found) < 2:
        raise ValueError(
            f"{path} must hold images of two synsets or more. It holds: "
            f"{sorted(found)}"
        )
    if expected == "official" and len(found) != 1000:
        raise ValueError(
            f"{path} must hold images of 1,000 synsets. It holds {len(found)}"
        )
    return tuple(sorted(found))


def _check_synsets(path, found, synsets, expected):
    unknown = sorted(found - synsets.words.keys())
    if unknown:
        raise ValueError(
            f"{path} holds {unknown[0]}, which is no synset of "
            f"{synsets.origin}{_others(unknown)}"
        )
    missing = sorted(synsets.words.keys() - found)
    if missing and expected == "official":
        raise ValueError(
            f"{path} lacks {missing[0]}, a synset of {synsets.origin}"
            f"{_others(missing)}. To prepare a part of the set, pass "
            "`expected=None`"
        )


def _others(names):
    return f", and {len(names) - 1} others" if len(names) > 1 else ""


def _labelled(path, split, images, synsets, labels):
    """The `Example`s, and how many images are of no class of the set."""
    truth = synsets.truth.get(split) if synsets else None
    found, left = [], 0
    for image in images:
        synset = image.synset
        if split != "train":
            synset = _true_synset(path, split, image, truth)
        if synset not in labels:
            left += 1
            continue
        where = image.file, image.offset, image.size
        found.append(Example(image.name, labels[synset], *where))
    return found, left


def _true_synset(path, split, image, truth):
    if truth is None:
        if image.synset is None:
            raise ValueError(
                f"{path} is flat, so the labels must come from the "
                "development kit: put ILSVRC2012_devkit_t12.tar.gz (2010: "
                "ILSVRC2010_devkit-1.0.tar.gz, and for the test set "
                "ILSVRC2010_test_ground_truth.txt) beside it. No label of "
                f"{image.origin}"
            )
        return image.synset
    number = image_number(image.name)
    if number is None:
        return image.synset
    if not 1 <= number <= len(truth):
        raise ValueError(
            f"The labels of {split} are {len(truth)}. There is none of "
            f"{image.origin}"
        )
    synset = truth[number - 1]
    if image.synset not in (None, synset):
        raise ValueError(
            f"{image.origin} lies in the folder of {image.synset}, but is of "
            f"{synset}"
        )
    return synset


def _check_count(path, split, found, class_names, wanted, synsets):
    if not found:
        raise ValueError(f"{path} holds no image of the split {split!r}")
    if wanted is None or wanted[split] == len(found):
        return
    short = ""
    counts = collections.Counter(class_names[e.label] for e in found)
    if split == "train" and synsets is not None:
        wrong = [
            f"{name} has {counts[name]:,} of {synsets.train_counts[name]:,}"
            for name in class_names
            if counts[name] != synsets.train_counts.get(name, counts[name])
        ]
        short = f" ({'; '.join(wrong[:3])})" if wrong else ""
    raise ValueError(
        f"{path} must hold {wanted[split]:,} images. It holds "
        f"{len(found):,}{short}. To prepare a part of the set, pass "
        "`expected=None`, or the numbers that there should be"
    )
