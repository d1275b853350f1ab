"""Finds ImageNet's images in archives and folders, and checks their names."""

import pathlib
import re
import typing

from keras_alexnet.data.image_files import image_files
from keras_alexnet.data.image_files import subfolders
from keras_alexnet.data.tar_members import tar_members

ARCHIVES = {
    2012: {
        "train": "ILSVRC2012_img_train.tar",
        "validation": "ILSVRC2012_img_val.tar",
    },
    2010: {
        "train": "ILSVRC2010_images_train.tar",
        "validation": "ILSVRC2010_images_val.tar",
        "test": "ILSVRC2010_images_test.tar",
    },
}
FOLDERS = {
    "train": ("train",),
    "validation": ("validation", "val"),
    "test": ("test",),
}
SYNSET = re.compile(r"n\d{8}")
TRAINING = re.compile(r"(n\d{8})_\d+\.JPEG")
NUMBERED = re.compile(r"ILSVRC\d{4}_(?:val|test)_(\d{8})\.JPEG")


class ImageFile(typing.NamedTuple):
    """An image: its name, its synset or `None`, and where its bytes lie."""

    name: str
    synset: str | None
    file: str
    offset: int
    size: int

    @property
    def origin(self):
        """What a message calls it."""
        return place(self)


def place(image):
    """Where an image lies, for a message.

    Args:
        image: An `ImageFile` or an `Example`.

    Returns:
        String: the path of the file, or of the archive and the name in it.
    """
    inside = image.file.endswith(".tar")
    return f"{image.file}: {image.name}" if inside else image.file


def find_splits(folder, year):
    """The archive, or else the folder, of each split of a challenge.

    Args:
        folder: `pathlib.Path`.
        year: `2010` or `2012`.

    Returns:
        Dict from `"train"`, `"validation"` and, of 2010, `"test"` to paths.
        Splits that are not there are left out.
    """
    found = {}
    for split, archive in ARCHIVES[year].items():
        stem = archive.removesuffix(".tar")
        names = (archive, *FOLDERS[split], stem)
        paths = [path for path in map(folder.joinpath, names) if path.exists()]
        if paths:
            found[split] = paths[0]
    return found


def list_images(path):
    """Lists the images of a split.

    Args:
        path: `pathlib.Path` of an archive of images or of archives, one for
            each synset; or of a folder of images, or of one folder or archive
            for each synset.

    Returns:
        List of `ImageFile`s. Those of a flat split have no synset.

    Raises:
        ValueError: If an archive is damaged, or a name is not one of
            ImageNet's, or is there twice.
    """
    found = list(_images_in_archive(path) if path.is_file() else _images(path))
    _check_names(found)
    return found


def patches(folder, split, year):
    """The corrected images of 2010, which replace blank ones of that name.

    Args:
        folder: `pathlib.Path` that may hold `patch_images.tar`, in which the
            images of each split are in a folder of its name.
        split: String.
        year: Integer. There are none in 2012.

    Returns:
        Dict from names to `ImageFile`s.

    Reference: Fuel, `fuel/converters/ilsvrc2010.py`.
    """
    path = folder / "patch_images.tar"
    if year != 2010 or not path.is_file():
        return {}
    pattern = {
        "train": TRAINING,
        "validation": re.compile(r"ILSVRC2010_val_\d{8}\.JPEG"),
        "test": re.compile(r"ILSVRC2010_test_\d{8}\.JPEG"),
    }[split]
    return {
        name: ImageFile(name, None, str(path), offset, size)
        for name, offset, size in tar_members(path)
        if pattern.fullmatch(name)
    }


def _images_in_archive(path):
    for name, offset, size in tar_members(path):
        if not name.endswith(".tar"):
            yield ImageFile(name, None, str(path), offset, size)
            continue
        synset = _synset(name.removesuffix(".tar"), f"{path}: {name}")
        try:
            for member in tar_members(path, offset, size):
                yield ImageFile(
                    member.name, synset, str(path), member.offset, member.size
                )
        except ValueError as error:
            raise ValueError(f"{name} in {error}") from error


def _images(folder):
    archives = sorted(folder.glob("*.tar"))
    folders = subfolders(folder)
    if not (archives or folders):
        yield from _image_files(folder, None)
    for path in archives:
        synset = _synset(path.stem, path)
        for name, offset, size in tar_members(path):
            yield ImageFile(name, synset, str(path), offset, size)
    names = {path.stem for path in archives}
    for path in folders:
        synset = _synset(path.name, path)
        if synset in names:
            raise ValueError(
                f"{folder} holds {synset} twice, as a folder and as "
                f"{synset}.tar. Remove one of them"
            )
        yield from _image_files(path, synset)


def _image_files(folder, synset):
    unknown = []
    for path in image_files(folder, unknown, {}):
        size = path.stat().st_size
        yield ImageFile(path.name, synset, str(path), 0, size)
    if unknown:
        raise ValueError(f"{unknown[0]}. Remove it, or move it elsewhere")


def _synset(name, origin):
    if not SYNSET.fullmatch(name):
        raise ValueError(
            "A folder or an archive of a class must have the name of a "
            f"synset, such as n01440764. Received: {origin}"
        )
    return name


def _check_names(images):
    seen = {}
    for image in images:
        if not _has_its_name(image):
            example = f"{image.synset}_1.JPEG"
            if image.synset is None:
                example = "ILSVRC2012_val_00000001.JPEG"
            raise ValueError(
                f"An image must have a name such as {example}. "
                f"Received: {image.origin}"
            )
        if image.name in seen:
            raise ValueError(
                f"{image.name} is there twice: {seen[image.name].origin} and "
                f"{image.origin}"
            )
        seen[image.name] = image


def _has_its_name(image):
    if NUMBERED.fullmatch(image.name):
        return True
    match = TRAINING.fullmatch(image.name)
    return match is not None and match[1] == image.synset


def image_number(name):
    """The number in the name of an image of a flat split, else `None`.

    Example:

    >>> image_number("ILSVRC2012_val_00000293.JPEG")
    293
    >>> image_number("n01440764_18.JPEG")
    """
    match = NUMBERED.fullmatch(name)
    return match and int(match[1])


def check_folder(source):
    """The path of a folder that exists.

    Raises:
        ValueError: If there is none.
    """
    folder = pathlib.Path(source).expanduser()
    if not folder.is_dir():
        raise ValueError(
            "`source` must be the folder that holds ImageNet's archives, or "
            f"the folders `train` and `val`. Received: source={str(source)!r}"
        )
    return folder
