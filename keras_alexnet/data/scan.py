"""Looks for images that cannot be used, and remembers what was found."""

import dataclasses
import json
import os

import numpy as np
import tensorflow as tf

from keras_alexnet.data.disk_cache import cache_path
from keras_alexnet.data.disk_cache import cached_array
from keras_alexnet.data.image_files import leave_out
from keras_alexnet.data.images import MISSING
from keras_alexnet.data.images import problem

# To be raised whenever `problem` or `_scan` find something else.
VERSION = 1


def without_bad(name, split, class_names, skipped):
    """The split without labels out of range and, if asked, bad images.

    Args:
        name: String, the source's.
        split: A `Split`.
        class_names: Tuple of strings.
        skipped: List to which a line is added for each example that is left
            out. If `None`, the first one is an error; images are not looked
            at then.

    Returns:
        A `Split`.

    Raises:
        ImportError: If a library is missing that an image needs. It is not
            left out: it may be sound.
    """
    problems = {}
    if skipped is not None and (split.encoded or split.labels is None):
        labels, problems = _remembered_scan(name, split)
        split = dataclasses.replace(split, labels=labels, checked=True)
    if split.labels is None:
        return split.refusing_labels(len(class_names))
    bad = (split.labels < 0) | (split.labels >= len(class_names))
    for number in np.flatnonzero(bad):
        leave_out(
            f"Label out of range: {split.name_of(number)} has label "
            f"{split.labels[number]}, but labels of {len(class_names)} classes "
            f"are 0 to {len(class_names) - 1}",
            skipped,
        )
    for number, what in problems.items():
        bad[number] = True
        leave_out(what, skipped)
    return split.subset(np.flatnonzero(~bad)) if bad.any() else split


def without_empty_classes(name, splits, class_names, skipped):
    """Drops the classes that have no training image.

    Args:
        name: String, the source's.
        splits: Dict from names to `Split`s.
        class_names: Tuple of strings.
        skipped: As of `without_bad`.

    Returns:
        Tuple: the names of the classes that are left, and the splits with
        labels that count those alone.
    """
    labels = splits["train"].labels
    if labels is None:
        return class_names, splits
    present = np.bincount(labels, minlength=len(class_names)) > 0
    for label in np.flatnonzero(~present):
        leave_out(
            f"Empty class: {name} has no training image of "
            f"{class_names[label]!r} (label {label})",
            skipped,
        )
    if present.all():
        return class_names, splits
    numbers = np.where(present, np.cumsum(present) - 1, -1)
    kept = [n for n, there in zip(class_names, present, strict=True) if there]
    renamed = {key: split.relabelled(numbers) for key, split in splits.items()}
    return tuple(kept), renamed


def _remembered_scan(name, split):
    """The labels of a split, and a dict from numbers to what is wrong."""
    if split.version is None:
        return _scan(split)
    path = cache_path("scan", VERSION, name, split.version, split.count)

    def compute():
        labels, problems = _scan(split)
        found = json.dumps([labels.tolist(), list(problems.items())])
        return np.frombuffer(found.encode(), "uint8")

    labels, problems = json.loads(cached_array(path, compute).tobytes())
    return np.array(labels, "int64"), dict(problems)


def _scan(split):
    def check(index):
        image, label, name = split.fetch(index)
        what = problem(image) if split.encoded else ""
        return what, name, label

    checks = tf.data.Dataset.range(split.count).map(
        check, num_parallel_calls=tf.data.AUTOTUNE
    )
    labels, problems = [], {}
    for what, name, label in checks.as_numpy_iterator():
        what, name = what.decode(), os.fsdecode(name)
        if what.startswith(MISSING):
            raise ImportError(f"{name}: {what}")
        if what:
            problems[len(labels)] = f"Cannot use {name}: {what}"
        labels.append(label)
    return np.array(labels, "int64"), problems
