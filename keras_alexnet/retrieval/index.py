"""Finds the images of a folder that a network takes for similar."""

import dataclasses
import os
import pathlib
import warnings

import keras
import numpy as np

from keras_alexnet.retrieval import index_files
from keras_alexnet.retrieval.features import FeatureExtractor
from keras_alexnet.retrieval.image_reader import features_of_files
from keras_alexnet.retrieval.image_reader import file_entries
from keras_alexnet.retrieval.image_reader import find_images
from keras_alexnet.retrieval.index_files import Part
from keras_alexnet.retrieval.nearest import nearest_of_blocks
from keras_alexnet.retrieval.rows import Rows

# Images in a part, which is what an interrupted build loses at most: a few
# seconds of work, or 16 MB of fc7.
PART = 1024

# How far features of the same images may differ, relative to their length,
# for two networks to be the same: more than 16 bits make of it, and less than
# an epoch of training.
SAME = 0.01


@dataclasses.dataclass(frozen=True)
class Neighbor:
    """An image that was found.

    Args:
        path: String, absolute.
        distance: Float, the Euclidean distance of its features from those of
            the query.

    Example:

    >>> Neighbor("/photos/cat.jpg", 12.5).distance
    12.5
    """

    path: str
    distance: float


class ImageIndex:
    """Finds similar images, by Euclidean distance of a layer's features.

    ```
    d(a, b) = |fc7(a) - fc7(b)|
    ```

    Two images are similar where the network's last hidden layer says nearly
    the same of them, however different their pixels are (section 6.1).

    An index with a directory writes what it has computed there, part by part
    of 1,024 images, and reads features from the disk when it searches. A
    build that is interrupted goes on when `add` is called again. A directory
    belongs to one network and layer: three images are shown to the network,
    and what it says must be what it said before. Files are `.npy` and JSON;
    nothing in them is executed.

    Args:
        model, layer, batch_size: As of `FeatureExtractor`: a `keras.Model` of
            raw images, the name of a layer, `"fc7"` by default, and how many
            images it gets at a time.
        directory: Path of the folder of the index, which is opened if it is
            there and made if not. Defaults to `None`: in memory.

    Attributes:
        skipped: Dict from the path of each file that `add` left out to the
            reason.

    Raises:
        ValueError: If the model has no such layer; if the directory is
            damaged, holds something else, or is of another network or layer.

    Example:

    >>> import tempfile
    >>> from PIL import Image
    >>> from keras_alexnet import AlexNet
    >>> photos = pathlib.Path(tempfile.mkdtemp())
    >>> for level in (0, 100, 120):
    ...     Image.new("RGB", (80, 60), (level,) * 3).save(
    ...         photos / f"{level}.png")
    >>> model = AlexNet(input_shape=(67, 67, 3), include_preprocessing=True)
    >>> index = ImageIndex(model)
    >>> index.add(photos)
    3
    >>> neighbors, = index.search(photos / "100.png", k=2)
    >>> [pathlib.Path(neighbor.path).name for neighbor in neighbors]
    ['120.png', '0.png']

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 6.1, figure 4 (right).
    """

    def __init__(self, model, layer="fc7", directory=None, batch_size=32):
        self._extract = FeatureExtractor(model, layer, batch_size)
        self._probe = self._extract(_probe_images(self._extract.size))
        self._directory = None
        self.skipped = {}
        if directory is not None:
            self._directory = pathlib.Path(directory)
            self._open_or_create()
        self._rows = Rows(self._directory, self._extract.width)

    @classmethod
    def load(cls, directory, model, batch_size=32):
        """Opens an index that was built or saved before.

        Args:
            directory: Path.
            model: The `keras.Model` that it was built with.
            batch_size: Integer. Defaults to `32`.

        Returns:
            An `ImageIndex` of the layer that the directory is of.

        Raises:
            ValueError: If there is no index, it is damaged, or of another
                network.
        """
        header = index_files.read_header(directory)
        if header is None:
            raise ValueError(
                "`directory` must hold an index, built by `ImageIndex(model, "
                f"directory=...).add(...)`. Received: {directory}"
            )
        return cls(model, header["layer"], directory, batch_size)

    def __len__(self):
        return len(self._rows)

    @property
    def paths(self):
        """List of the paths of all images, in the order of `features()`."""
        return self._rows.paths

    def features(self):
        """The features of all images, in memory.

        Returns:
            float32 array of shape `(len(index), width)`.
        """
        empty = np.zeros((0, self._extract.width), "float32")
        return np.concatenate([empty, *self._rows.blocks()])

    def add(self, images, verbose=0):
        """Adds the images of a folder and its subfolders, or files by name.

        Images that the index has already are not read again. What is no
        image, or cannot be decoded, is left out; a warning counts and
        `skipped` names all of it.

        Args:
            images: Path of a folder, or a list of paths of files.
            verbose: Integer, 1 for a progress bar. Defaults to `0`.

        Returns:
            Integer, how many images were added.

        Raises:
            ValueError: If there is no such folder, it holds no image, or
                files that are in the index have changed since.
            RuntimeError: If another process writes to the directory.
        """
        left_out = {}
        entries = file_entries(find_images(images, left_out), left_out)
        changed = [
            entry[0]
            for entry in entries
            if entry[0] in self._rows and self._rows.entry(entry[0]) != entry
        ]
        if changed:
            raise ValueError(
                f"{len(changed)} files have changed since they were added; "
                f"`update()` reads them again. The first: {changed[0]}"
            )
        new = [entry for entry in entries if entry[0] not in self._rows]
        with index_files.writing(self._directory):
            count = self._embed(new, left_out, verbose)
        self._report(left_out)
        return count

    def changes(self):
        """Which files are no longer what the index knows.

        Returns:
            Tuple of two lists of paths: files that have changed, and files
            that are gone.
        """
        changed, gone = [], []
        for path in self._rows.paths:
            found = file_entries([path], {})
            if not found:
                gone.append(path)
            elif found != [self._rows.entry(path)]:
                changed.append(path)
        return changed, gone

    def update(self, verbose=0):
        """Reads files again that have changed, and forgets those gone.

        Args:
            verbose: As of `add`.

        Returns:
            Tuple of two integers: how many were read again, and how many were
            forgotten, files among them that have become unreadable.

        Raises:
            ValueError: If not one file is there, as where a disk is missing;
                nothing is forgotten then.
            RuntimeError: If another process writes to the directory.
        """
        changed, gone = self.changes()
        if gone and len(gone) == len(self):
            raise ValueError(
                f"None of the {len(gone)} files of the index is there. If a "
                "disk is missing, bring it back; if they were moved, build "
                f"another index. The first: {gone[0]}"
            )
        left_out = {}
        with index_files.writing(self._directory):
            entries = file_entries(changed, left_out)
            count = self._embed(entries, left_out, verbose)
            gone += [path for path in changed if path in left_out]
            self._rows.remove(gone)
        self._report(left_out)
        return count, len(gone)

    def search(self, queries, k=5, engine="auto", check_files=True):
        """The images that are most similar to each query.

        Args:
            queries: Path of an image or list of paths; or an RGB array
                `(height, width, 3)` in 0-255, or a sequence of them. A query
                that is in the index itself is not its own neighbor.
            k: Integer, how many to find. Defaults to `5`.
            engine: As of `nearest`. Defaults to `"auto"`.
            check_files: Boolean. Whether a file that was found must be there
                and unchanged. Defaults to `True`.

        Returns:
            List per query of lists of `k` `Neighbor`s, the nearest first.

        Raises:
            ValueError: If the index has fewer images, a query cannot be read,
                or a file that was found is gone or has changed.
            ImportError: If no search engine is installed.
        """
        paths, features = self._query_features(queries)
        itself = [path in self._rows for path in paths]
        most = len(self) - any(itself)
        if not isinstance(k, int) or not 1 <= k <= most:
            raise ValueError(
                f"`k` must be an integer in 1 to {most}, the number of images "
                f"in the index besides the query. Received: k={k!r}"
            )
        distances, numbers = nearest_of_blocks(
            self._rows.blocks(), features, k + any(itself), engine
        )
        known = self.paths
        found = [
            [
                Neighbor(known[number], float(distance))
                for distance, number in zip(*row, strict=True)
                if known[number] != path
            ][:k]
            for path, *row in zip(paths, distances, numbers, strict=True)
        ]
        if check_files:
            self._check_found({n.path for row in found for n in row})
        return found

    def save(self, directory):
        """Writes the index to a folder, which `load` opens when it is whole.

        Args:
            directory: Path of a folder that is absent or empty.

        Raises:
            ValueError: If the folder holds something.
        """
        entries = [self._rows.entry(path) for path in self.paths]
        features = self.features()
        parts = (
            Part(features[start : start + PART], entries[start : start + PART])
            for start in range(0, len(entries), PART)
        )
        index_files.create(directory, self._extract.layer, self._probe, parts)

    def _open_or_create(self):
        layer, directory = self._extract.layer, self._directory
        header = index_files.read_header(directory)
        if header is None:
            index_files.create(directory, layer, self._probe)
        elif header["layer"] != layer:
            raise ValueError(
                f"The index {directory} is of the layer {header['layer']!r}. "
                f"Received: layer={layer!r}"
            )
        elif not _is_same(self._probe, header["probe"]):
            raise ValueError(
                f"The index {directory} is of another network, or of other "
                "weights: `model` says something else of the images by which "
                "it is recognized. Load the model that the index was built "
                "with, or give another directory."
            )

    def _embed(self, entries, left_out, verbose):
        """Computes features of files, and keeps them part by part."""
        bar = keras.utils.Progbar(
            len(entries), verbose=verbose, unit_name="image"
        )
        count = 0
        for start in range(0, len(entries), PART):
            chosen = entries[start : start + PART]
            part = self._part(chosen, left_out)
            self._rows.append(part)
            count += len(part.entries)
            bar.add(len(chosen))
        return count

    def _part(self, entries, left_out):
        features, reasons = features_of_files(
            self._extract, [path for path, _, _ in entries]
        )
        for entry, reason in zip(entries, reasons, strict=True):
            if reason:
                left_out[entry[0]] = reason
        sound = [number for number, reason in enumerate(reasons) if not reason]
        return Part(features[sound], [entries[number] for number in sound])

    def _query_features(self, queries):
        """The paths of the queries, `None` for arrays, and their features."""
        is_image = len(getattr(queries, "shape", ())) == 3
        if is_image or isinstance(queries, str | os.PathLike):
            queries = [queries]
        if not len(queries) or not isinstance(queries[0], str | os.PathLike):
            return [None] * len(queries), self._extract.of_arrays(queries)
        paths = [os.path.abspath(path) for path in queries]
        features, reasons = features_of_files(self._extract, paths)
        for path, reason in zip(paths, reasons, strict=True):
            if reason:
                raise ValueError(f"The query {path} cannot be read: {reason}")
        return paths, features

    def _check_found(self, paths):
        for path in sorted(paths):
            entries = file_entries([path], {})
            if entries != [self._rows.entry(path)]:
                what = (
                    "has changed since it was added" if entries else "is gone"
                )
                raise ValueError(
                    f"{path} was found and {what}. Call `update()` of the "
                    "index, or search with `check_files=False`."
                )

    def _report(self, left_out):
        self.skipped.update(left_out)
        if left_out:
            path, reason = next(iter(left_out.items()))
            warnings.warn(
                f"{len(left_out)} files cannot be read and are left out; "
                f"`index.skipped` names them. The first: {path}: {reason}",
                stacklevel=3,
            )


def _probe_images(size):
    """Three images by which a network is recognized: noise of three scales."""
    rng = np.random.default_rng(2012)
    images = []
    for cell in (1, 8, 32):
        side = -(-size // cell)
        noise = rng.integers(0, 256, (side, side, 3), "uint8")
        whole = noise.repeat(cell, axis=0).repeat(cell, axis=1)
        images.append(whole[:size, :size])
    return np.stack(images)


def _is_same(probe, other):
    lengths = max(np.linalg.norm(probe), np.linalg.norm(other))
    return probe.shape == other.shape and bool(
        np.linalg.norm(probe - other) <= SAME * lengths
    )
