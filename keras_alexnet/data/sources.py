"""Where images come from: TFDS, folders, arrays, scikit-learn's digits."""

import dataclasses
import hashlib
import pathlib
import typing

import numpy as np
import tensorflow as tf

TRAIN, HOLDOUT, TEST = "train", "holdout", "test"
_TEST_NAMES = ("test", "validation", "val")
_EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")


@dataclasses.dataclass(frozen=True)
class Split:
    """Numbered examples of one split.

    `fetch` turns an int64 scalar tensor into an encoded image (a string) or,
    where `encoded` is false, into a uint8 tensor `(height, width, 3)`.
    """

    labels: np.ndarray
    ids: typing.Sequence
    fetch: typing.Callable
    encoded: bool

    @property
    def count(self):
        return len(self.labels)

    def subset(self, indices):
        """The split of the examples at `indices`, in that order."""
        chosen = np.asarray(indices, "int64")
        rows = tf.constant(chosen)
        return Split(
            self.labels[chosen],
            [self.ids[i] for i in chosen],
            lambda index: self.fetch(rows[index]),
            self.encoded,
        )


@dataclasses.dataclass(frozen=True)
class Source:
    """A labelled set of images, in named splits.

    `splits` maps a name ("train", "test", if asked for "holdout") to a
    `Split`; `fingerprint` changes when the examples do.
    """

    name: str
    class_names: tuple
    splits: dict
    fingerprint: str

    @property
    def counts(self):
        return {name: split.count for name, split in self.splits.items()}

    def split(self, name):
        if name not in self.splits:
            raise ValueError(
                f"`split` must be one of {sorted(self.splits)} of {self.name}."
                f" Received: split={name!r}"
            )
        return self.splits[name]


def load_source(source, data_dir=None, *, holdout=0.0, seed=0):
    """Opens a labelled set of images.

    The split called `"test"` is the source's own `test`, else its
    `validation` (or `val`); a source with neither gives a fifth of every
    class, drawn with `seed`.

    Args:
        source: `"digits"` (1,797 handwritten digits of 8x8 pixels that ship
            with scikit-learn), a folder of class folders (or of `train` and
            `test`, `validation` or `val` folders of class folders), the name
            of a TFDS dataset such as `"imagenette/160px-v2"`, a pair of
            arrays `(images, labels)` or a dict of such pairs by split.
        data_dir: TFDS's data folder. Nothing is downloaded when the dataset
            is already there.
        holdout: Float in [0, 1). Fraction of every training class that is
            moved to the split `"holdout"`. Defaults to `0.0`.
        seed: Integer that draws the test split and the holdout.

    Returns:
        A `Source`.

    Example:

    >>> source = load_source("digits", holdout=0.1)
    >>> source.counts
    {'train': 1295, 'test': 359, 'holdout': 143}
    """
    if not 0 <= holdout < 1:
        raise ValueError(
            f"`holdout` must be in [0, 1). Received: holdout={holdout}"
        )
    opened = _open(source, data_dir)
    splits = dict(opened.splits)
    for name in _TEST_NAMES:
        if TEST not in splits and name in splits:
            splits[TEST] = splits.pop(name)
    if TRAIN not in splits:
        raise ValueError(
            f'{opened.name} has no split "train". It has: {sorted(splits)}'
        )
    if TEST not in splits:
        splits[TRAIN], splits[TEST] = _divide(splits[TRAIN], 0.2, seed)
    if holdout:
        splits[TRAIN], splits[HOLDOUT] = _divide(splits[TRAIN], holdout, seed)
    fingerprint = f"{opened.fingerprint}-{holdout}-{seed}"
    return dataclasses.replace(opened, splits=splits, fingerprint=fingerprint)


def _open(source, data_dir):
    if isinstance(source, dict):
        return _from_arrays(source)
    if isinstance(source, (tuple, list)):
        return _from_arrays({TRAIN: source})
    if str(source) == "digits":
        return _from_digits()
    if pathlib.Path(source).is_dir():
        return _from_folder(pathlib.Path(source))
    return _from_tfds(source, data_dir)


def _divide(split, fraction, seed):
    """Moves `fraction` of each class to a second split; order is kept."""
    rng = np.random.default_rng(seed)
    moved = np.zeros(split.count, bool)
    for label in np.unique(split.labels):
        members = rng.permutation(np.flatnonzero(split.labels == label))
        moved[members[: round(len(members) * fraction)]] = True
    kept, taken = np.flatnonzero(~moved), np.flatnonzero(moved)
    return split.subset(kept), split.subset(taken)


def _check_labels(labels, ids, class_names):
    wrong = np.flatnonzero((labels < 0) | (labels >= len(class_names)))
    if len(wrong):
        raise ValueError(
            f"Label out of range: example {ids[wrong[0]]} has label "
            f"{labels[wrong[0]]} but there are {len(class_names)} classes "
            f"(0 to {len(class_names) - 1}); {len(wrong)} such examples"
        )


def _from_arrays(arrays, name="arrays", class_names=None):
    digest = hashlib.blake2b(digest_size=8)
    if class_names is None:
        largest = max(int(np.max(labels)) for _, labels in arrays.values())
        class_names = tuple(str(i) for i in range(largest + 1))
    splits = {}
    for split, (images, labels) in arrays.items():
        images, labels = _as_rgb(np.asarray(images)), np.asarray(labels)
        labels = labels.reshape(len(labels)).astype("int64")
        if len(images) != len(labels):
            raise ValueError(
                f"{split} has {len(images)} images but {len(labels)} labels"
            )
        digest.update(images.tobytes() + labels.tobytes())
        ids = [f"{split}[{i}]" for i in range(len(labels))]
        _check_labels(labels, ids, class_names)
        fetch = _gatherer(images)
        splits[split] = Split(labels, ids, fetch, encoded=False)
    return Source(name, tuple(class_names), splits, digest.hexdigest())


def _gatherer(values):
    # A variable, because tf.data hashes and copies captured tensors each
    # time an iterator is made: seconds per epoch for a gigabyte.
    with tf.device("CPU:0"):
        stored = tf.Variable(values, trainable=False)
    return stored.sparse_read


def _as_rgb(images):
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            "Images must have shape (count, height, width[, 1 or 3]). "
            f"Received: shape={images.shape}"
        )
    if images.dtype != np.uint8:
        if images.min() < 0 or images.max() > 255 or images.max() <= 1:
            raise ValueError(
                "Images must be in 0-255. Received values from "
                f"{images.min()} to {images.max()}; rescale them first"
            )
        images = np.rint(images).astype("uint8")
    return np.repeat(images, 3, axis=-1) if images.shape[-1] == 1 else images


def _from_digits():
    from sklearn.datasets import load_digits

    digits = load_digits()
    # 16 grey levels, drawn as white on black.
    images = np.minimum(digits.images * 16, 255)
    names = tuple(str(name) for name in digits.target_names)
    arrays = {TRAIN: (images, digits.target)}
    return _from_arrays(arrays, "digits", names)


def _from_folder(folder):
    subfolders = {p.name: p for p in sorted(folder.iterdir()) if p.is_dir()}
    roots = {TRAIN: folder}
    if TRAIN in subfolders:
        names = (TRAIN, *_TEST_NAMES)
        roots = {n: subfolders[n] for n in names if n in subfolders}
    class_names = tuple(
        sorted(p.name for p in roots[TRAIN].iterdir() if p.is_dir())
    )
    if not class_names:
        raise ValueError(f"No class folders in {roots[TRAIN]}")
    digest = hashlib.blake2b(digest_size=8)
    splits = {}
    for name, root in roots.items():
        paths, labels = _class_files(root, class_names)
        for path in paths:
            status = path.stat()
            entry = f"{path.relative_to(folder)}:{status.st_size}"
            digest.update(f"{entry}:{status.st_mtime_ns}\n".encode())
        ids = [str(path) for path in paths]
        table = tf.constant(ids)
        splits[name] = Split(
            np.array(labels, "int64"), ids, _file_reader(table), encoded=True
        )
    return Source(folder.name, class_names, splits, digest.hexdigest())


def _file_reader(paths):
    return lambda index: tf.io.read_file(paths[index])


def _class_files(root, class_names):
    paths, labels = [], []
    for label, class_name in enumerate(class_names):
        folder = root / class_name
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        files = [p for p in files if not p.name.startswith(".")]
        if not files:
            raise ValueError(f"Empty class: no images in {folder}")
        for path in files:
            if path.suffix.lower() not in _EXTENSIONS:
                raise ValueError(
                    f"Not an image file: {path}. Expected one of {_EXTENSIONS}"
                )
        paths += files
        labels += [label] * len(files)
    return paths, labels


def _from_tfds(name, data_dir):
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=data_dir)
    if not builder.is_prepared():
        builder.download_and_prepare()
    info = builder.info
    image_key, label_key = info.supervised_keys or ("image", "label")
    class_names = tuple(info.features[label_key].names)
    splits = {
        split: _read_tfds(builder, split, image_key, label_key, class_names)
        for split in info.splits
        if split in (TRAIN, *_TEST_NAMES)
    }
    # A local copy may hold fewer examples than the published version.
    sizes = {n: (s.num_examples, s.num_bytes) for n, s in info.splits.items()}
    return Source(name, class_names, splits, f"{info.version}-{sizes}")


def _read_tfds(builder, split, image_key, label_key, class_names):
    import tensorflow_datasets as tfds

    examples = builder.as_dataset(
        split=split,
        shuffle_files=False,
        decoders={image_key: tfds.decode.SkipDecoding()},
        read_config=tfds.ReadConfig(
            interleave_cycle_length=1, add_tfds_id=True, try_autocache=False
        ),
    )
    images, labels, ids = [], [], []
    for batch in examples.batch(1024).as_numpy_iterator():
        images += batch[image_key].tolist()
        labels += batch[label_key].tolist()
        ids += [i.decode() for i in batch["tfds_id"]]
    labels = np.array(labels, "int64")
    _check_labels(labels, ids, class_names)
    return Split(labels, ids, _gatherer(images), encoded=True)
