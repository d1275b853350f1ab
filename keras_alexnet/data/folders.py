"""A folder of class folders of image files, as a source."""

import hashlib
import os

import numpy as np
import tensorflow as tf

from keras_alexnet.data.image_files import holds_images
from keras_alexnet.data.image_files import image_files
from keras_alexnet.data.image_files import leave_out
from keras_alexnet.data.image_files import loose_files
from keras_alexnet.data.image_files import subfolders
from keras_alexnet.data.lookup import lookup
from keras_alexnet.data.source import Split

# What a split may be called, in whatever case.
SPLIT_FOLDERS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "val",
}


def open_folder(folder, skipped=None, ignored=None):
    """Makes splits of a folder of class folders.

    The class folders lie in `folder` itself, or in its subfolders `train`,
    `test` and so on, in upper or lower case. Classes are numbered in the
    order of their names, files in that of their paths. Hidden files, texts
    and what file managers leave behind do not count.

    Args:
        folder: Path.
        skipped: List to which a line is added for each file or class that is
            left out. If `None`, the first one is an error.
        ignored: Dict in which what does not count is counted, by kind.

    Returns:
        Tuple `(class_names, splits, fingerprint)`.
    """
    ignored = {} if ignored is None else ignored
    roots = _split_folders(folder, skipped, ignored)
    class_names = tuple(path.name for path in subfolders(roots["train"]))
    _check_classes(roots["train"], class_names)
    found = {
        name: _examples(root, class_names, skipped, ignored)
        for name, root in roots.items()
    }
    fingerprint = _fingerprint(folder, [paths for paths, _ in found.values()])
    splits = {
        name: _file_split(paths, labels, fingerprint)
        for name, (paths, labels) in found.items()
    }
    return class_names, splits, fingerprint


def _split_folders(folder, skipped, ignored):
    """Dict from a split's name to its folder, or of `folder` itself."""
    found, others = {}, []
    for path in subfolders(folder):
        split = SPLIT_FOLDERS.get(path.name.lower())
        if split in found:
            raise ValueError(
                f"{folder} must hold one folder per split. Both "
                f"{found[split].name!r} and {path.name!r} mean {split!r}"
            )
        if split is None:
            others.append(path)
        else:
            found[split] = path
    names = ", ".join(repr(path.name) for path in found.values())
    divided = [path for path in found.values() if subfolders(path)]
    # A folder of images among others is a class, whatever it is called.
    if not found or (others and not divided):
        return {"train": folder}
    if not divided:
        raise ValueError(
            f"{folder} holds {names}, which are splits, and each of them must "
            "hold one folder of images per class. They hold no folder"
        )
    if "train" not in found:
        raise ValueError(
            f"{folder} holds {names}, but no 'train' with a folder of images "
            "per class. Make it, and move the training images into it"
        )
    loose_files(folder, skipped, ignored)
    for path in others:
        if not holds_images(path):
            ignored[path.name] = 1
            continue
        leave_out(
            f"Neither a split nor part of one: {path}. ({names} in the same "
            "folder are taken for splits. If they are classes, move them and "
            "the other classes into a folder 'train')",
            skipped,
        )
    if found["train"] not in divided:
        raise ValueError(
            f"{found['train']} must hold one folder of images per class. "
            "It holds no folder"
        )
    return found


def _check_classes(root, class_names):
    if not class_names:
        raise ValueError(
            f"{root} must hold one folder of images per class. "
            "It holds no folder"
        )
    if len(class_names) == 1:
        only = root / class_names[0]
        advice = "A network needs two to tell apart"
        if subfolders(only):
            advice = f"If the classes are the folders in it, name {only}"
        raise ValueError(
            f"{root} must hold one folder of images per class. It holds one "
            f"folder only, {class_names[0]!r}. {advice}"
        )


def _examples(root, class_names, skipped, ignored):
    found = [path.name for path in subfolders(root)]
    for unknown in sorted(set(found) - set(class_names)):
        leave_out(f"Not a class of the training set: {root / unknown}", skipped)
    loose_files(root, skipped, ignored)
    paths, labels = [], []
    for label, class_name in enumerate(class_names):
        if class_name not in found:
            continue
        files = image_files(root / class_name, skipped, ignored)
        paths += files
        labels += [label] * len(files)
    return paths, labels


def _fingerprint(folder, groups):
    hashed = hashlib.blake2b(digest_size=8)
    for path in (path for paths in groups for path in paths):
        stat = path.stat()
        relative = path.relative_to(folder).as_posix()
        entry = f"{relative} {stat.st_size} {stat.st_mtime_ns}\n"
        hashed.update(entry.encode("utf-8", "surrogateescape"))
    return hashed.hexdigest()


def _file_split(paths, labels, fingerprint):
    labels = np.array(labels, "int64")
    # Names of files need not be text.
    names = tf.constant([os.fsencode(path) for path in paths], tf.string)
    path, label = lookup(names), lookup(labels)

    def fetch(index):
        name = path(index)
        return tf.io.read_file(name), label(index), name

    return Split(
        len(paths), fetch, encoded=True, labels=labels, version=fingerprint
    )
