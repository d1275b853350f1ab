"""NumPy arrays, and the digits that ship with scikit-learn, as a source."""

import hashlib

import numpy as np

from keras_alexnet.data.folders import SPLIT_FOLDERS
from keras_alexnet.data.source import stored_split

# Images that somebody has held out have a split of their own.
SPLITS = {**SPLIT_FOLDERS, "holdout": "holdout"}


def as_pairs(source):
    """Arrays by split, from what a user has given.

    Args:
        source: A pair `(images, labels)`, or a dict of pairs by split.

    Returns:
        Dict from `"train"`, `"test"`, `"validation"`, `"val"` or `"holdout"`
        to pairs.

    Raises:
        ValueError: If it is something else; the message says what to write.

    Example:

    >>> list(as_pairs({"Train": (np.zeros(2), [0, 1]), "valid": ([], [])}))
    ['train', 'validation']
    """
    if not isinstance(source, dict):
        source = {"train": source}
    found = {}
    for name, pair in source.items():
        split = SPLITS.get(str(name).lower())
        if split is None or split in found:
            raise ValueError(
                'The splits of arrays must be "train" and at most one each '
                'of "test", "validation", "val" and "holdout". Received: '
                f"{list(source)}"
            )
        if isinstance(pair, (tuple, list)) and len(pair) == 2:
            # Of labels the second is a number, of a pair it is all of them.
            if all(
                isinstance(part, tuple) and len(part) == 2 and np.ndim(part[1])
                for part in pair
            ):
                raise ValueError(
                    "Two pairs of arrays must say what they are: "
                    '`{"train": (images, labels), "test": (images, labels)}`'
                )
            found[split] = tuple(pair)
            continue
        what = f"{type(pair).__name__}"
        if isinstance(pair, (tuple, list)):
            what += f" of {len(pair)}"
        raise ValueError(
            f"{name!r} must be a pair `(images, labels)`. Received: {what}"
        )
    return found


def open_arrays(arrays, class_names=None):
    """Makes splits of arrays.

    Args:
        arrays: Dict from a split's name to a pair `(images, labels)`: images
            of `(count, height, width)`, or with 1 or 3 channels behind, grey
            levels 0-255 of any dtype, and integer labels.
        class_names: Sequence of strings. Defaults to the numbers up to the
            largest label.

    Returns:
        Tuple `(class_names, splits, fingerprint)`.

    Example:

    >>> pair = (np.zeros((4, 8, 8), "uint8"), [0, 1, 2, 1])
    >>> names, splits, _ = open_arrays({"train": pair})
    >>> names, splits["train"].count
    (('0', '1', '2'), 4)
    """
    hashed = hashlib.blake2b(digest_size=8)
    splits, largest = {}, 0
    for name, (images, labels) in arrays.items():
        images, labels = _as_rgb(np.asarray(images)), _as_labels(labels)
        if len(images) != len(labels):
            raise ValueError(
                f"`images` and `labels` must be equally many. Received: "
                f"{len(images)} images, {len(labels)} labels in {name!r}"
            )
        hashed.update(np.ascontiguousarray(images).data)
        hashed.update(np.ascontiguousarray(labels).data)
        ids = [f"{name}[{i}]" for i in range(len(labels))]
        splits[name] = stored_split(images, labels, ids, encoded=False)
        largest = max(largest, int(labels.max(initial=0)))
    if class_names is None:
        class_names = [str(i) for i in range(largest + 1)]
    # NumPy's strings would show as `np.str_('cat')` in messages.
    return tuple(map(str, class_names)), splits, hashed.hexdigest()


def open_digits():
    """The 1,797 handwritten digits of 8x8 pixels that scikit-learn ships.

    White on black, 17 grey levels spread over 0-255.

    Returns:
        Tuple `(class_names, splits, fingerprint)`.

    Example:

    >>> open_digits()[1]["train"].count
    1797

    Reference: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten
    Digits, UCI Machine Learning Repository, 1998 (its test set).
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            'The source "digits" ships with scikit-learn. Install it with '
            "`pip install scikit-learn`"
        ) from error
    digits = load_digits()
    pair = (digits.images * (255 / 16), digits.target)
    return open_arrays({"train": pair}, digits.target_names.astype(str))


def _as_labels(labels):
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            "`labels` must be integers, one per image (`np.argmax` makes them "
            f"of one-hot rows). Received: shape={labels.shape}, "
            f"dtype={labels.dtype}"
        )
    return labels.astype("int64")


def _as_rgb(images):
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "`images` must have shape (count, height, width), or 1 or 3 "
            f"channels behind. Received: shape={images.shape}"
        )
    if images.dtype != "uint8":
        low, high = images.min(initial=0), images.max(initial=0)
        # `not` refuses NaN too; resampled images of 0-1 may exceed 1 a little.
        if not (low >= 0 and 2 <= high <= 255):
            raise ValueError(
                "`images` must be in 0-255; multiply those in 0-1 by 255. "
                f"Received: values from {low} to {high}"
            )
        images = np.rint(images).astype("uint8")
    return np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images
