"""Writes archives that are built as ImageNet's own, of other images.

The tests and `benchmarks/prepare.py` prepare them: ImageNet itself may not be
passed on.
"""

import io
import pathlib
import tarfile

import numpy as np

NAMES = {
    2012: {
        "train": "ILSVRC2012_img_train.tar",
        "validation": "ILSVRC2012_img_val.tar",
        "kit": "ILSVRC2012_devkit_t12.tar.gz",
        "kit_folder": "ILSVRC2012_devkit_t12/data",
    },
    2010: {
        "train": "ILSVRC2010_images_train.tar",
        "validation": "ILSVRC2010_images_val.tar",
        "test": "ILSVRC2010_images_test.tar",
        "kit": "ILSVRC2010_devkit-1.0.tar.gz",
        "kit_folder": "devkit-1.0/data",
    },
}


def write_archives(folder, train, validation, test=None, year=2012):
    """Writes the archives of a challenge and its development kit.

    Args:
        folder: Path, made if need be.
        train: Dict from synsets, such as `"n01440764"`, to lists of the bytes
            of images.
        validation: List of pairs `(synset, bytes)`.
        test: The same of the test images, which 2010 has; or `None`.
        year: `2012` or `2010`.

    Returns:
        `pathlib.Path` of the folder.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = NAMES[year]
    with tarfile.open(folder / names["train"], "w") as outer:
        for synset, images in train.items():
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as archive:
                for number, content in enumerate(images):
                    add(archive, f"{synset}_{number}.JPEG", content)
            add(outer, f"{synset}.tar", inner.getvalue())
    # The numbers of the kit are not in the order of the synsets' names.
    numbers = {name: i for i, name in enumerate(sorted(train)[::-1], 1)}
    _write_flat(folder / names["validation"], year, "val", validation)
    files = {
        "meta.mat": meta(train, numbers, year),
        f"ILSVRC{year}_validation_ground_truth.txt": truth(validation, numbers),
    }
    with tarfile.open(folder / names["kit"], "w:gz") as kit:
        for name, content in files.items():
            add(kit, f"{names['kit_folder']}/{name}", content)
    if test is not None:
        _write_flat(folder / names["test"], year, "test", test)
        path = folder / f"ILSVRC{year}_test_ground_truth.txt"
        path.write_bytes(truth(test, numbers))
    return folder


def add(archive, name, content):
    """Adds a file of these bytes to an open archive."""
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def truth(images, numbers):
    """The kit's list of numbers, a line for each image."""
    return "".join(f"{numbers[name]}\n" for name, _ in images).encode()


def meta(train, numbers, year):
    """The kit's `meta.mat`: the synsets, and a node above them."""
    from scipy import io as scipy_io

    rows = [
        (
            numbers[name],
            name,
            f"words of {name}",
            "gloss",
            0,
            [],
            0,
            len(images),
        )
        for name, images in sorted(train.items(), key=lambda x: numbers[x[0]])
    ]
    above = list(numbers.values())
    rows.append(
        (len(rows) + 1, "n00001740", "entity", "", len(above), above, 1, 0)
    )
    fields = (
        *(f"ILSVRC{year}_ID", "WNID", "words", "gloss", "num_children"),
        *("children", "wordnet_height", "num_train_images"),
    )
    synsets = np.empty((len(rows), 1), [(field, object) for field in fields])
    for number, row in enumerate(rows):
        synsets[number, 0] = row
    file = io.BytesIO()
    scipy_io.savemat(file, {"synsets": synsets})
    return file.getvalue()


def _write_flat(path, year, split, images):
    with tarfile.open(path, "w") as archive:
        # The real archives are not sorted.
        for number in reversed(range(len(images))):
            name = f"ILSVRC{year}_{split}_{number + 1:08d}.JPEG"
            add(archive, name, images[number][1])
