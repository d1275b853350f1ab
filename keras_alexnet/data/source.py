"""What a source of labelled images is, whatever it is read from."""

import dataclasses
import os
import typing

import numpy as np
import tensorflow as tf

from keras_alexnet.data.images import decode
from keras_alexnet.data.lookup import lookup


@dataclasses.dataclass(frozen=True)
class Split:
    """Examples that are fetched by number, in any order.

    `fetch` turns an int64 scalar tensor below `count` into `(image, label,
    id)`: the bytes of an image file or, where `encoded` is false, a uint8
    tensor `(height, width, 3)`; an int64 scalar; a string that tells a
    person which example it is. `labels` are all labels, or `None` where
    reading them would mean reading everything.

    `upright` says whether photos are turned as their metadata ask, `checked`
    whether all images are known to be sound. `version` changes whenever the
    files do; it is `None` if that is not known.
    """

    count: int
    fetch: typing.Callable
    encoded: bool
    labels: np.ndarray | None = None
    upright: bool = True
    checked: bool = False
    version: str | None = None

    def load(self, index):
        """What `fetch` returns, the image as uint8 `(height, width, 3)`."""
        image, label, name = self.fetch(index)
        if self.encoded:
            image = decode(image, name, self.upright)
        return image, label, name

    def subset(self, numbers):
        """The split of the examples at `numbers`, in that order."""
        numbers = np.asarray(numbers, "int64")
        row = lookup(numbers)
        labels = None if self.labels is None else self.labels[numbers]
        return dataclasses.replace(
            self,
            count=len(numbers),
            fetch=lambda index: self.fetch(row(index)),
            labels=labels,
        )

    def relabelled(self, new_labels):
        """The split with label `i` replaced by `new_labels[i]`.

        Examples whose new label is negative are left out.
        """
        labels = np.asarray(new_labels, "int64")[self.labels]
        label = lookup(labels)

        def fetch(index):
            image, _, name = self.fetch(index)
            return image, label(index), name

        renamed = dataclasses.replace(self, fetch=fetch, labels=labels)
        return renamed.subset(np.flatnonzero(labels >= 0))

    def divide(self, fraction, seed):
        """Moves a random `fraction` of each class to a second split.

        Where labels are not at hand, `fraction` of all examples. The order
        of the examples is kept in both.
        """
        labels = self.labels
        if labels is None:
            labels = np.zeros(self.count, "int64")
        rng = np.random.default_rng(seed)
        moved = np.zeros(self.count, bool)
        for label in np.unique(labels):
            members = rng.permutation(np.flatnonzero(labels == label))
            moved[members[: round(len(members) * fraction)]] = True
        kept, taken = np.flatnonzero(~moved), np.flatnonzero(moved)
        return self.subset(kept), self.subset(taken)

    def refusing_labels(self, classes):
        """The split whose `fetch` refuses labels of no class, as they come."""

        def fetch(index):
            image, label, name = self.fetch(index)
            check = tf.debugging.Assert(
                (label >= 0) & (label < classes),
                ["Label out of range:", name, "has label", label],
            )
            with tf.control_dependencies([check] if check is not None else []):
                return image, tf.identity(label), name

        return dataclasses.replace(self, fetch=fetch)

    def names(self):
        """The ids of all examples in order, a list of strings."""
        names = tf.data.Dataset.range(self.count).map(
            lambda number: self.fetch(number)[2]
        )
        return [os.fsdecode(name) for name in names.as_numpy_iterator()]

    def name_of(self, number):
        """The id of one example, as a Python string."""
        name = self.fetch(tf.constant(number, tf.int64))[2]
        return os.fsdecode(name.numpy())


@dataclasses.dataclass(frozen=True)
class Source:
    """A labelled set of images, in named splits.

    Attributes:
        name: String.
        class_names: Tuple of strings; a label is an index into it.
        splits: Dict from a name (`"train"`, `"test"`, if asked for
            `"holdout"`) to a `Split`.
        fingerprint: String that changes when the examples do.
        skipped: Tuple of strings: what was left out, and why.
        ignored: Dict from the kind of files that are no images, such as
            `".DS_Store"` and `"*.txt"`, to their number.
        damaged: Dict from the id of each JPEG image that was decoded though
            it is damaged to what is wrong with it. It fills as images are
            read for the first time.
        folder: String, where a prepared set's files are on this machine.

    `str()` tells all that in a few lines.
    """

    name: str
    class_names: tuple
    splits: dict
    fingerprint: str
    skipped: tuple = ()
    ignored: dict = dataclasses.field(default_factory=dict)
    damaged: dict = dataclasses.field(default_factory=dict)
    folder: str = ""

    def __str__(self):
        counts = ", ".join(f"{n} {count}" for n, count in self.counts.items())
        lines = [f"{self.name}: {len(self.class_names)} classes; {counts}"]
        if self.ignored:
            kinds = [f"{kind} {n}" for kind, n in sorted(self.ignored.items())]
            total = sum(self.ignored.values())
            lines.append(f"ignored: {total} ({', '.join(kinds)})")
        for title, some in (
            ("skipped", self.skipped),
            ("damaged", [f"{k}: {v}" for k, v in self.damaged.items()]),
        ):
            if some:
                lines.append(f"{title}: {len(some)}, first {some[0]}")
        return "\n".join(lines)

    @property
    def counts(self):
        """Dict from a split's name to its number of examples."""
        return {name: split.count for name, split in self.splits.items()}

    def split(self, name):
        """The `Split` of that name."""
        if name not in self.splits:
            raise ValueError(
                f"`split` must be one of {list(self.splits)} of {self.name}. "
                f"Received: split={name!r}"
            )
        return self.splits[name]

    def dataset(self, split):
        """The examples of a split in order, decoded and not resized.

        Args:
            split: String.

        Returns:
            A `tf.data.Dataset` of `(image, label, id)`: uint8 RGB of
            `(height, width, 3)`, int64 and string.

        Example:

        >>> from keras_alexnet.data.load_source import load_source
        >>> examples = load_source("digits").dataset("test")
        >>> image, label, name = next(iter(examples))
        >>> image.shape, int(label), name.numpy()
        (TensorShape([8, 8, 3]), 5, b'train[5]')
        """
        split = self.split(split)
        return tf.data.Dataset.range(split.count).map(
            split.load, num_parallel_calls=tf.data.AUTOTUNE
        )


def stored_split(images, labels, ids, encoded):
    """A `Split` of images that are in memory.

    Args:
        images: Array of images, or strings: the bytes of image files.
        labels: Integer array.
        ids: Sequence of strings.
        encoded: Boolean, whether `images` are bytes.

    Returns:
        A `Split`.

    Example:

    >>> images = np.zeros((2, 8, 8, 3), "uint8")
    >>> split = stored_split(images, [3, 4], ["a", "b"], encoded=False)
    >>> image, label, name = split.fetch(tf.constant(1, tf.int64))
    >>> image.shape, int(label), split.name_of(1)
    (TensorShape([8, 8, 3]), 4, 'b')
    """
    labels = np.asarray(labels, "int64")
    image, label, name = lookup(images), lookup(labels), lookup(ids)
    return Split(
        len(labels),
        lambda index: (image(index), label(index), name(index)),
        encoded,
        labels,
    )
