"""Images that are in the training set and in another split, too."""

import hashlib
import os

import numpy as np

from keras_alexnet.preflight.findings import Finding


def find_duplicates(source, examples=1000):
    """Pairs of equal images in the training set and in another split.

    Equal are files of equal bytes, or arrays of equal pixels; the same photo
    in another size or compression is not found. Of splits with more than
    `examples` images as many are looked at, evenly spread: where a tenth of
    10,000 test images is among 10,000 training images, 1,000 of each have ten
    in common on average.

    Args:
        source: A `Source`.
        examples: Integer, or `None` for all images. Defaults to `1000`.

    Returns:
        Dict from a split's name to a list of pairs of ids: of the example
        there and of one of the training set.

    Example:

    >>> from keras_alexnet.data.load_source import load_source
    >>> image = np.zeros((1, 8, 8, 3), "uint8")
    >>> images = np.concatenate([image, image + 1])
    >>> splits = {"train": (images, [0, 1]), "test": (image + 1, [1])}
    >>> find_duplicates(load_source(splits))
    {'test': [('test[0]', 'train[1]')]}
    """
    seen = _digests(source.split("train"), examples)
    return {
        name: [
            (example, seen[digest])
            for digest, example in _digests(split, examples).items()
            if digest in seen
        ]
        for name, split in source.splits.items()
        if name != "train"
    }


def duplicate_findings(found):
    """Findings about what `find_duplicates` returns.

    Args:
        found: Dict, see `find_duplicates`.

    Returns:
        List of `Finding`.

    Example:

    >>> [f.name for f in duplicate_findings({"test": [("a.png", "b.png")]})]
    ['images_in_two_splits']
    """
    return [
        Finding(
            "images_in_two_splits",
            f"{len(pairs):,} images of {split!r} that were looked at are in "
            f"'train', too, such as {pairs[0][0]} and {pairs[0][1]}: the error "
            "on them says nothing about new images.",
            "Remove them from one of the two. `keras_alexnet.preflight."
            "find_duplicates(source, None)` lists all.",
        )
        for split, pairs in found.items()
        if pairs
    ]


def _digests(split, examples):
    """Dict from the digest of an image to the id of the first with it."""
    import tensorflow as tf

    count = split.count if examples is None else min(examples, split.count)
    numbers = np.linspace(0, split.count - 1, count).round().astype("int64")
    data = tf.data.Dataset.from_tensor_slices(numbers).map(
        split.fetch, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    found = {}
    for image, _, name in data.as_numpy_iterator():
        if not isinstance(image, bytes):
            image = repr(image.shape).encode() + image.tobytes()
        digest = hashlib.blake2b(image, digest_size=16).digest()
        found.setdefault(digest, os.fsdecode(name))
    return found
