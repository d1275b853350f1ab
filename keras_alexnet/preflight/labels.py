"""Whether labels are those of the network's classes."""

import numpy as np

from keras_alexnet.evaluation.checks import as_integers
from keras_alexnet.preflight.findings import Finding

# How often a batch of shuffled images of equally frequent classes may look
# as it does before something else is suspected.
CHANCE = 1e-3

# So much more frequent than the rarest class is the most frequent one where
# an imbalance is worth a line.
IMBALANCE = 10


def integer_labels(labels, count, classes):
    """Labels as integers, and what is wrong with them.

    Args:
        labels: Array, as training would get it.
        count: Integer, number of images.
        classes: Integer, of the model.

    Returns:
        Pair of an integer array, or `None`, and a list of `Finding`.

    Example:

    >>> labels, findings = integer_labels([1, 2, 3], 3, classes=3)
    >>> labels, findings[0].name
    (None, 'labels_out_of_range')
    """
    try:
        labels = as_integers(labels, count, classes)
    except ValueError as error:
        return None, [
            Finding(
                "labels_of_another_kind",
                str(error),
                "Give one integer per image.",
                fatal=True,
            )
        ]
    low, high = int(labels.min()), int(labels.max())
    if low >= 0 and high < classes:
        return labels, []
    off_by_one = low >= 1 and high == classes
    return None, [
        Finding(
            "labels_out_of_range",
            f"Labels are from {low} to {high}; the network has {classes} "
            f"classes, 0 to {classes - 1}.",
            "Subtract 1 from the labels: they begin with 0."
            if off_by_one
            else f"Build the network with `classes={max(high + 1, 2)}`, or "
            "mend the labels.",
            fatal=True,
        )
    ]


def label_findings(labels, classes, splits=None, class_names=None):
    """Findings about labels that are in their range.

    Args:
        labels: Integer array, those of a batch.
        classes: Integer, of the model.
        splits: Dict from a split's name to all its labels, where they are
            known. Defaults to `None`.
        class_names: Sequence of strings. Defaults to the numbers.

    Returns:
        List of `Finding`.

    Example:

    >>> [f.name for f in label_findings(np.full(32, 7), classes=10)]
    ['labels_constant']
    """
    names = class_names or [str(number) for number in range(classes)]
    train = (splits or {}).get("train")
    found = list(_constant(labels, train, classes, names))
    if train is None:
        if not found:
            found = list(_first_is_absent(labels, classes))
        return found
    counts = np.bincount(train, minlength=classes)
    found += _absent(counts, names)
    found += _imbalance(counts, names)
    return [*found, *_unseen(counts, splits, names)]


def _constant(labels, train, classes, names):
    # Chance would have it in one of `classes ** (n - 1)` batches.
    if np.ptp(labels) or classes ** -(len(labels) - 1.0) > CHANCE:
        return
    if train is not None and np.ptp(train):
        yield Finding(
            "labels_sorted",
            f"All {len(labels)} images of the first batch are of the class "
            f"{names[labels[0]]!r}, of {classes} classes: the data are in the "
            "order of the classes.",
            "Shuffle them before they are divided into batches.",
        )
    else:
        yield Finding(
            "labels_constant",
            f"All {len(labels)} labels are {labels[0]} ({names[labels[0]]!r}).",
            "Look for where labels get lost. If the data are sorted by class, "
            "shuffle them before they are divided into batches.",
        )


def _first_is_absent(labels, classes):
    by_chance = (1 - 1 / classes) ** len(labels)
    if labels.min() > 0 and by_chance < CHANCE:
        yield _off_by_one(f"none of {len(labels)} images of the first batch")


def _absent(counts, names):
    absent = np.flatnonzero(counts == 0)
    if absent.tolist() == [0]:
        yield _off_by_one("none of the training images")
    elif len(absent):
        shown = ", ".join(repr(str(names[index])) for index in absent[:5])
        yield Finding(
            "classes_without_images",
            f"{len(absent)} of {len(names)} classes have no training image: "
            f"{shown}{', …' if len(absent) > 5 else ''}.",
            "Build the network with the classes that there are, or look for "
            "where their images were left out.",
        )


def _off_by_one(who):
    return Finding(
        "labels_off_by_one",
        f"Class 0 is the label of {who}, and every other label occurs or may "
        "occur: labels probably begin with 1.",
        "Subtract 1 from the labels, and build the network with one class "
        "less.",
    )


def _imbalance(counts, names):
    present = np.flatnonzero(counts)
    most = present[np.argmax(counts[present])]
    least = present[np.argmin(counts[present])]
    if counts[most] < IMBALANCE * counts[least]:
        return
    share = counts[most] / counts.sum()
    yield Finding(
        "classes_imbalanced",
        f"{counts[most]:,} training images are of {names[most]!r} and "
        f"{counts[least]:,} of {names[least]!r}. Who always answers "
        f"{names[most]!r} errs in {1 - share:.1%} of them.",
        "Read the errors per class (`Errors.table()`), not only the mean. "
        "Gather more images of the rare classes, or put copies of them into "
        "the training set.",
    )


def _unseen(counts, splits, names):
    for split, labels in splits.items():
        new = np.setdiff1d(labels, np.flatnonzero(counts))
        if split != "train" and len(new):
            shown = ", ".join(repr(str(names[index])) for index in new[:5])
            yield Finding(
                "classes_only_in_test",
                f"{len(new)} classes are in {split!r} and not in 'train': "
                f"{shown}{', …' if len(new) > 5 else ''}.",
                "Give the training set images of them, or leave them out.",
            )
