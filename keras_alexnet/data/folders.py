"""A folder of class folders of image files, as a source."""

import hashlib

import numpy as np
import tensorflow as tf

from keras_alexnet.data.lookup import lookup
from keras_alexnet.data.source import Split

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")


def open_folder(folder, split_names, skipped=None):
    """Makes splits of a folder of class folders.

    The class folders lie in `folder` itself, or in its subfolders `train`,
    `test` and so on. Classes are numbered in the order of their names, files
    in that of their paths; those whose name starts with a dot do not count.

    Args:
        folder: Path.
        split_names: Names of subfolders that are splits. If there is one
            called `train`, `folder` is a folder of splits.
        skipped: List to which a line is added for each file or class that is
            left out. If `None`, the first one is an error.

    Returns:
        Tuple `(class_names, splits, fingerprint)`.
    """
    roots = {"train": folder}
    if (folder / "train").is_dir():
        roots = {n: folder / n for n in split_names if (folder / n).is_dir()}
    class_names = tuple(_class_folders(roots["train"]))
    if not class_names:
        raise ValueError(
            f"{roots['train']} must hold one folder of images per class. "
            "It holds no folder"
        )
    hashed = hashlib.blake2b(digest_size=8)
    splits = {}
    for name, root in roots.items():
        paths, labels = _examples(root, class_names, skipped)
        for path in paths:
            stat = path.stat()
            relative = path.relative_to(folder).as_posix()
            entry = f"{relative} {stat.st_size} {stat.st_mtime_ns}\n"
            hashed.update(entry.encode("utf-8", "surrogateescape"))
        splits[name] = _file_split([str(p) for p in paths], labels)
    return class_names, splits, hashed.hexdigest()


def leave_out(what, skipped):
    """Raises `what` as an error, or notes it in the list `skipped`."""
    if skipped is None:
        raise ValueError(
            f'{what}. Repair it, or pass `on_error="skip"` to `load_source`'
        )
    skipped.append(what)


def _class_folders(root):
    return sorted(
        path.name
        for path in root.iterdir()
        if path.is_dir() and not path.name.startswith(".")
    )


def _examples(root, class_names, skipped):
    for unknown in set(_class_folders(root)) - set(class_names):
        leave_out(f"Not a class of the training set: {root / unknown}", skipped)
    for path in sorted(root.iterdir()):
        if path.suffix.lower() in EXTENSIONS and path.is_file():
            leave_out(f"An image outside the class folders: {path}", skipped)
    paths, labels = [], []
    for label, class_name in enumerate(class_names):
        files = _image_files(root / class_name, skipped)
        paths += files
        labels += [label] * len(files)
    return paths, labels


def _image_files(folder, skipped):
    images = []
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or path.name.startswith("."):
            continue
        if path.suffix.lower() in EXTENSIONS:
            images.append(path)
        else:
            leave_out(
                f"Not an image file ({', '.join(EXTENSIONS)}): {path}", skipped
            )
    return images


def _file_split(paths, labels):
    labels = np.array(labels, "int64")
    path, label = lookup(paths), lookup(labels)

    def fetch(index):
        name = path(index)
        return tf.io.read_file(name), label(index), name

    return Split(len(paths), fetch, encoded=True, labels=labels)
