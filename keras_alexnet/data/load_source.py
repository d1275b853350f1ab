"""Labelled images by name: digits, folders, TFDS data sets, arrays."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from keras_alexnet.data.arrays import open_arrays
from keras_alexnet.data.arrays import open_digits
from keras_alexnet.data.disk_cache import digest
from keras_alexnet.data.folders import leave_out
from keras_alexnet.data.folders import open_folder
from keras_alexnet.data.images import problem
from keras_alexnet.data.source import Source
from keras_alexnet.data.tfds import open_tfds

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
):
    """Opens a labelled set of images.

    The split called `"test"` is the source's own labelled `test`, else its
    `validation`, else `val`. A source without any gives a fifth of each
    class, always the same fifth.

    Args:
        source: `"digits"` (1,797 handwritten digits of 8x8 pixels that ship
            with scikit-learn), a folder of class folders (or of `train` and
            `test`, `validation` or `val` folders of class folders), the name
            of a TFDS data set such as `"imagenette/160px-v2"`, a pair of
            arrays `(images, labels)`, or a dict of pairs by split.
        data_dir: TFDS's data folder. Nothing is downloaded when the data set
            is already there. Defaults to TFDS's own.
        holdout: Float in [0, 1). Fraction of each training class that is
            moved to the split `"holdout"`, drawn with `seed`. Defaults to
            `0.0`.
        seed: Integer. Defaults to `0`.
        on_error: `"raise"` or `"skip"`. What to do about a file that is no
            image, a class without images, a label out of range, an image
            that cannot be decoded: name it in an error, the last of them
            when it is read; or decode everything now, once, and leave it
            out, counted in `Source.skipped`.
        class_names: Sequence of strings, the classes of arrays. Defaults to
            the numbers up to the largest label.

    Returns:
        A `Source`.

    Raises:
        ValueError: If there is no such source, no training split, or as
            above.

    Example:

    >>> source = load_source("digits", holdout=0.1)
    >>> source.counts
    {'train': 1295, 'test': 359, 'holdout': 143}
    """
    if not 0 <= holdout < 1:
        raise ValueError(
            f"`holdout` must be in [0, 1). Received: holdout={holdout}"
        )
    if on_error not in ("raise", "skip"):
        raise ValueError(
            f'`on_error` must be "raise" or "skip". Received: {on_error!r}'
        )
    skipped = [] if on_error == "skip" else None
    name, (class_names, splits, fingerprint) = _open(
        source, data_dir, class_names, skipped
    )
    splits = {
        key: _without_bad(key, split, class_names, skipped)
        for key, split in splits.items()
    }
    splits = _arrange(name, splits, holdout, seed)
    _check_classes(name, splits["train"], class_names, skipped)
    fingerprint = digest(fingerprint, holdout, seed, *(skipped or ()))
    return Source(name, class_names, splits, fingerprint, tuple(skipped or ()))


def _open(source, data_dir, class_names, skipped):
    if isinstance(source, dict):
        return "arrays", open_arrays(source, class_names)
    if isinstance(source, (tuple, list)):
        return "arrays", open_arrays({"train": tuple(source)}, class_names)
    if str(source) == "digits":
        return "digits", open_digits()
    path = pathlib.Path(source)
    is_tfds = (path / "dataset_info.json").is_file()
    if data_dir is None and path.is_dir() and not is_tfds:
        return str(path), open_folder(path, SPLIT_NAMES, skipped)
    return str(source), open_tfds(str(source), data_dir, SPLIT_NAMES)


def _arrange(name, splits, holdout, seed):
    if "train" not in splits:
        raise ValueError(
            f'{name} must have a split "train". It has: {list(splits)}'
        )
    tests = [key for key in SPLIT_NAMES[1:] if key in splits]
    splits = dict(splits)
    if tests:
        splits["test"] = splits.pop(tests[0])
    else:
        # Always the same, so that results under other seeds compare.
        splits["train"], splits["test"] = splits["train"].divide(0.2, seed=0)
    if holdout:
        train, taken = splits["train"].divide(holdout, seed)
        splits["train"], splits["holdout"] = train, taken
    return splits


def _without_bad(name, split, class_names, skipped):
    """The split without labels out of range and, if asked, bad images."""
    problems = []
    if skipped is not None and (split.encoded or split.labels is None):
        problems, labels = zip(*_scan(split), strict=True)
        split = dataclasses.replace(split, labels=np.array(labels, "int64"))
    if split.labels is None:
        return split.checked(len(class_names))
    bad = (split.labels < 0) | (split.labels >= len(class_names))
    for number in np.flatnonzero(bad):
        leave_out(
            f"Label out of range: {split.name_of(number)} has label "
            f"{split.labels[number]}, but labels of {len(class_names)} classes "
            f"are 0 to {len(class_names) - 1}",
            skipped,
        )
    for number, what in enumerate(problems):
        if what:
            bad[number] = True
            leave_out(what, skipped)
    return split.subset(np.flatnonzero(~bad)) if bad.any() else split


def _scan(split):
    """What is wrong with each image, `""` if nothing is, and its label."""

    def check(index):
        image, label, name = split.fetch(index)
        return problem(image), name, label

    checks = tf.data.Dataset.range(split.count).map(
        check, num_parallel_calls=tf.data.AUTOTUNE
    )
    for reason, name, label in checks.as_numpy_iterator():
        what = f"Cannot decode {name.decode()}: {reason.decode()}"
        yield what if reason else "", label


def _check_classes(name, train, class_names, skipped):
    if train.labels is None:
        return
    present = set(train.labels.tolist())
    for label, class_name in enumerate(class_names):
        if label not in present:
            leave_out(
                f"Empty class: {name} has no training image of "
                f"{class_name!r} (label {label})",
                skipped,
            )
