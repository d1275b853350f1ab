"""The mean and the colors of a training set, stored beside its records."""

import dataclasses
import pathlib

import numpy as np

from keras_alexnet.disk import replacing

NAME = "training_statistics.npz"


@dataclasses.dataclass
class ColorSums:
    """Exact sums over images, which can be added in any order.

    Attributes:
        count: Integer, images.
        pixels: int64 array `(side, side, 3)`, the sum of the images.
        products: int64 array `(3, 3)`, the sums over all pixels of the
            products of two colors.
    """

    count: int
    pixels: np.ndarray
    products: np.ndarray

    @classmethod
    def zeros(cls, side):
        """The sums over no image, of `side` pixels."""
        pixels = np.zeros((side, side, 3), "int64")
        return cls(0, pixels, np.zeros((3, 3), "int64"))

    def add(self, other):
        """Adds the sums over other images."""
        self.count += other.count
        self.pixels += other.pixels
        self.products += other.products

    @property
    def mean_image(self):
        """float32 array `(side, side, 3)`."""
        return (self.pixels / self.count).astype("float32")

    @property
    def color_covariance(self):
        """float64 array `(3, 3)`: of the colors of all pixels.

        Computed in Python's integers, which have no largest: the difference
        of two large numbers costs no digit.
        """
        total = [int(color) for color in self.pixels.sum(axis=(0, 1))]
        n = self.count * self.pixels.shape[0] * self.pixels.shape[1]
        return np.array(
            [
                [
                    (n * int(self.products[i, j]) - total[i] * total[j]) / n**2
                    for j in range(3)
                ]
                for i in range(3)
            ]
        )


def color_products(images):
    """The sums over all pixels of the products of two of their colors.

    Args:
        images: uint8 array whose last axis is the color.

    Returns:
        int64 array of shape `(3, 3)`. It is exact: the sums stay below 2**53,
        up to which float64 holds integers, for two million images of 256
        pixels.

    Example:

    >>> color_products(np.array([[1, 2, 3], [10, 0, 0]], "uint8")).tolist()
    [[101, 2, 3], [2, 4, 6], [3, 6, 9]]
    """
    colors = images.reshape(-1, 3).astype("float64")
    return (colors.T @ colors).astype("int64")


def write_statistics(folder, sums, shards, upright):
    """Stores what `stored_statistics` finds.

    Args:
        folder: Path of a prepared set.
        sums: `ColorSums` of its training images.
        shards: List of paths of the files of these images.
        upright: Boolean, whether photos were turned for these sums though
            they are not stored so; `None` if stored images need no turning.
    """
    with replacing(pathlib.Path(folder) / NAME) as temporary:
        np.savez(
            temporary,
            mean_image=sums.mean_image,
            color_covariance=sums.color_covariance,
            count=sums.count,
            side=sums.pixels.shape[0],
            bytes=[pathlib.Path(path).stat().st_size for path in shards],
            names=[pathlib.Path(path).name for path in shards],
            upright=-1 if upright is None else int(upright),
        )


def stored_statistics(source, split, side):
    """What `prepare_imagenet` stored of a split, if it is of these images.

    Args:
        source: A `Source`.
        split: String.
        side: Integer, pixels of the square images.

    Returns:
        Dict of `mean_image` and `color_covariance`, or `None`.
    """
    folder = pathlib.Path(source.folder)
    if split != "train" or not (folder / NAME).is_file():
        return None
    images = source.split(split)
    with np.load(folder / NAME) as stored:
        turned = int(stored["upright"])
        if (
            (stored["count"], stored["side"]) != (images.count, side)
            or turned not in (-1, int(images.upright))
            or not _same_files(folder, stored)
        ):
            return None
        names = "mean_image", "color_covariance"
        return {name: stored[name] for name in names}


def _same_files(folder, stored):
    for name, size in zip(stored["names"], stored["bytes"], strict=True):
        path = folder / str(name)
        if not path.is_file() or path.stat().st_size != size:
            return False
    return True
