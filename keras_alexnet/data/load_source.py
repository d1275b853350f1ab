"""Labelled images by name: digits, folders, TFDS data sets, arrays."""

import dataclasses
import json
import os
import pathlib

import numpy as np
import tensorflow as tf

from keras_alexnet.data.arrays import as_pairs
from keras_alexnet.data.arrays import open_arrays
from keras_alexnet.data.arrays import open_digits
from keras_alexnet.data.block_copies import BlockCopies
from keras_alexnet.data.disk_cache import digest
from keras_alexnet.data.folders import open_folder
from keras_alexnet.data.image_files import leave_out
from keras_alexnet.data.scan import without_bad
from keras_alexnet.data.scan import without_empty_classes
from keras_alexnet.data.source import Source
from keras_alexnet.data.tfds import open_tfds
from keras_alexnet.disk import is_remote
from keras_alexnet.disk import path_string

# The first of the last three that a source has plays the test set.
SPLIT_NAMES = ("train", "test", "validation", "val")


def load_source(
    source,
    data_dir=None,
    *,
    holdout=0.0,
    seed=0,
    on_error="raise",
    class_names=None,
    upright=True,
):
    """Opens a labelled set of images.

    The split called `"test"` is the source's own labelled `test`, else its
    `validation`, else `val`. A source without any gives a fifth of each
    class, the same fifth as long as its files are the same.

    Args:
        source: `"digits"` (1,797 handwritten digits of 8x8 pixels that ship
            with scikit-learn), a folder of class folders (or of `train` and
            `test`, `validation` or `val` folders of class folders), the name
            of a TFDS data set such as `"imagenette/160px-v2"`, the folder of
            a prepared one, which may be remote (`"gs://bucket/imagenet"`) if
            it is stored as TFRecord, a pair of arrays `(images, labels)`, or
            a dict of pairs by split. What is read of remote records is kept
            in `keras_alexnet` in Keras's own folder (`KERAS_HOME`, else
            `~/.keras`), which needs room for all of them.
        data_dir: TFDS's data folder, which must exist. Nothing is downloaded
            when the data set is already there. Defaults to TFDS's own.
        holdout: Float in [0, 1). Fraction of each training class that is
            moved to the split `"holdout"`, drawn with `seed`. A source that
            has that split takes none. Defaults to `0.0`.
        seed: Integer. Defaults to `0`.
        on_error: `"raise"` or `"skip"`. What to do about a file that is no
            image, a broken link, a class or a split without images, a label
            out of range, an image that cannot be decoded or is damaged.
            `"raise"` names it in an error; images when they are read, and
            damaged JPEG files that can be decoded nevertheless are used and
            collected in `Source.damaged`. `"skip"` decodes everything now,
            and leaves out what is bad, listed in `Source.skipped`; what was
            found in files is remembered until a file changes. Defaults to
            `"raise"`.
        class_names: Sequence of strings, the classes of arrays. Defaults to
            the numbers up to the largest label.
        upright: Boolean. Whether photos are turned as the orientation in
            their metadata (EXIF) asks, as programs show them. HEIC files
            always are: it is part of their format. Defaults to `True`.

    Returns:
        A `Source`. `print` it to see what it holds and what was left out.

    Raises:
        ValueError: If there is no such source, no training split, fewer than
            two classes, a path is remote and no prepared set, or as above.
        ImportError: If a library is missing that the source needs.

    Example:

    >>> source = load_source("digits", holdout=0.1)
    >>> source.counts
    {'train': 1295, 'test': 359, 'holdout': 143}
    """
    _check_arguments(source, data_dir, holdout, on_error, class_names)
    skipped, ignored = [] if on_error == "skip" else None, {}
    copies = _copies(source, data_dir)
    if copies is None:
        name, folder, (class_names, splits, fingerprint) = _open(
            source, data_dir, class_names, skipped, ignored
        )
    else:
        name, folder = path_string(source), copies.folder
        class_names, splits, fingerprint = open_tfds(
            name, None, SPLIT_NAMES, copies=copies
        )
    if any(split.encoded for split in splits.values()):
        splits = {
            key: dataclasses.replace(split, upright=bool(upright))
            for key, split in splits.items()
        }
        fingerprint = digest(fingerprint, bool(upright))
    splits = {
        key: without_bad(f"{name} {key}", split, class_names, skipped)
        for key, split in splits.items()
    }
    splits = _without_empty_splits(name, splits, skipped)
    class_names, splits = without_empty_classes(
        name, splits, class_names, skipped
    )
    if len(class_names) < 2:
        raise ValueError(
            "A source must have images of two classes or more, or there is "
            f"nothing to tell apart. {name} has: {list(class_names)}"
        )
    splits = _arrange(splits, holdout, seed)
    fingerprint = digest(fingerprint, holdout, seed, *(skipped or ()))
    return Source(
        name,
        class_names,
        splits,
        fingerprint,
        tuple(skipped or ()),
        ignored,
        folder=folder,
    )


def _check_arguments(source, data_dir, holdout, on_error, class_names):
    if not 0 <= holdout < 1:
        raise ValueError(
            f"`holdout` must be in [0, 1). Received: holdout={holdout}"
        )
    if on_error not in ("raise", "skip"):
        raise ValueError(
            f'`on_error` must be "raise" or "skip". Received: {on_error!r}'
        )
    kinds = (str, os.PathLike, dict, tuple, list)
    if not isinstance(source, kinds) or source == "":
        raise ValueError(
            "`source` must be the name of a data set, a folder, a pair "
            "`(images, labels)` or a dict of pairs. "
            f"Received: {type(source).__name__} {str(source)[:60]}"
        )
    if isinstance(source, (dict, tuple, list)) and data_dir is not None:
        raise ValueError(
            "`data_dir` is the folder of a TFDS data set. Of arrays give the "
            'test set as `{"train": (images, labels), "test": (images, labels)}'
            f"`. Received: data_dir of type {type(data_dir).__name__}"
        )
    if class_names is not None and isinstance(source, (str, os.PathLike)):
        raise ValueError(
            "`class_names` names the classes of arrays; other sources have "
            f"names of their own. Received: source={str(source)!r}, "
            f"class_names={class_names!r}"
        )


def _copies(source, data_dir):
    """The copies of a remote set, or `None` if the source is none."""
    if _is_remote(data_dir):
        raise ValueError(
            "`data_dir` must be a folder of this machine. Give the remote "
            "folder of the set as `source`, the one of its dataset_info.json. "
            f"Received: data_dir={path_string(data_dir)!r}"
        )
    if not _is_remote(source):
        return None
    remote = path_string(source)
    info = f"{remote.rstrip('/')}/dataset_info.json"
    if data_dir is not None or not tf.io.gfile.exists(info):
        raise ValueError(
            "A remote `source` must be a prepared set, whose folder holds "
            "dataset_info.json. Pack images into records before "
            "(`prepare_imagenet`, TFDS), mount the bucket (`gcsfuse`, "
            f"`s3fs`), or copy it. Received: source={remote!r}"
            + (f", data_dir={os.fspath(data_dir)!r}" if data_dir else "")
        )
    with tf.io.gfile.GFile(info) as file:
        stored = json.load(file).get("fileFormat", "tfrecord")
    if stored != "tfrecord":
        raise ValueError(
            f"{remote} must be stored as tfrecord to be read from there. It is "
            f"stored as {stored}; mount the bucket, or copy it"
        )
    return BlockCopies(remote)


def _is_remote(path):
    return isinstance(path, (str, os.PathLike)) and is_remote(path)


def _open(source, data_dir, class_names, skipped, ignored):
    if isinstance(source, (dict, tuple, list)):
        return "arrays", "", open_arrays(as_pairs(source), class_names)
    a_folder = os.path.isdir(source)
    # A `Path` is never a name.
    if str(source) == "digits" and not (
        a_folder and isinstance(source, os.PathLike)
    ):
        if a_folder:
            raise ValueError(
                'There is a folder "digits" here, and `source="digits"` are '
                'those of scikit-learn. Give the folder as "./digits", or work '
                "elsewhere"
            )
        return "digits", "", open_digits()
    path = pathlib.Path(source).expanduser()
    is_tfds = (path / "dataset_info.json").is_file()
    if data_dir is None and path.is_dir() and not is_tfds:
        return str(path), "", open_folder(path, skipped, ignored)
    folder = str(path) if is_tfds else ""
    name = folder or os.fspath(source)
    return name, folder, open_tfds(name, data_dir, SPLIT_NAMES)


def _without_empty_splits(name, splits, skipped):
    kept = {key: split for key, split in splits.items() if split.count}
    if "train" not in kept:
        raise ValueError(
            f'{name} must have images in a split "train". It has images in: '
            f"{list(kept)}"
        )
    for key in splits.keys() - kept.keys():
        leave_out(
            f"Empty split: {name} has no image in {key!r}. Fill it, or remove "
            "it, and others serve in its place",
            skipped,
        )
    return kept


def _arrange(splits, holdout, seed):
    tests = [key for key in SPLIT_NAMES[1:] if key in splits]
    splits = dict(splits)
    if tests:
        splits["test"] = splits.pop(tests[0])
    else:
        # Always the same, so that results under other seeds compare.
        splits["train"], splits["test"] = splits["train"].divide(0.2, seed=0)
        _check_divided(splits["test"], "A fifth of each class")
    if holdout:
        if "holdout" in splits:
            raise ValueError(
                "The source has a split 'holdout' of its own. Leave `holdout` "
                f"at 0, or that split out. Received: holdout={holdout}"
            )
        kept, taken = splits["train"].divide(holdout, seed)
        _check_divided(kept, f"What `holdout={holdout}` leaves of each class")
        _check_divided(taken, f"`holdout={holdout}` of each class")
        before, after = splits["train"].labels, kept.labels
        if before is not None and len(set(after)) < len(set(before)):
            raise ValueError(
                "`holdout` must leave training images of every class. "
                f"Received: holdout={holdout}, which takes all of a class of "
                f"{np.bincount(before).min()}"
            )
        splits["train"], splits["holdout"] = kept, taken
    return splits


def _check_divided(split, what):
    if not split.count:
        raise ValueError(
            f"{what} rounds to no image. Take a larger fraction, or more "
            "images per class"
        )
