"""Means of a training set, computed once and kept on disk."""

import hashlib
import os
import pathlib
import tempfile

import numpy as np

from keras_alexnet.data.pipelines import default_resize
from keras_alexnet.data.pipelines import evaluation_data


def mean_image(
    source, input_size=224, resize=None, split="train", cache_dir=None
):
    """The mean of all images of a split, pixel by pixel.

    One pass, summed in integers, so the result is exact. It is kept under a
    name made of the source's fingerprint, the split, its count and the size;
    the next call reads it.

    Args:
        source: A `Source`, see `load_source`.
        input_size: Integer, only to derive `resize`. Defaults to `224`.
        resize: Integer, side of the images. Defaults to `256 / 224` of
            `input_size`.
        split: String. Defaults to `"train"`.
        cache_dir: Folder. Defaults to `keras_alexnet` in Keras's own
            (`KERAS_HOME`, else `~/.keras`).

    Returns:
        float32 array of shape `(resize, resize, 3)`, RGB in 0-255.

    Example:

    >>> from keras_alexnet.data.sources import load_source
    >>> mean_image(load_source("digits"), resize=8).shape
    (8, 8, 3)

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 2.
    """
    resize = resize or default_resize(input_size)
    path = _cache_path(source, split, resize, cache_dir)
    if path.is_file():
        return np.load(path)
    total, count = np.zeros((resize, resize, 3), "int64"), 0
    for images, _ in evaluation_data(source, split, resize=resize):
        total += images.numpy().sum(axis=0, dtype="int64")
        count += len(images)
    mean = (total / count).astype("float32")
    _save(path, mean)
    return mean


def mean_color(
    source, input_size=224, resize=None, split="train", cache_dir=None
):
    """The mean RGB color of a split: `mean_image` averaged over its pixels.

    Args:
        source, input_size, resize, split, cache_dir: As of `mean_image`.

    Returns:
        float32 array of shape `(3,)`.

    Example:

    >>> from keras_alexnet.data.sources import load_source
    >>> mean_color(load_source("digits"), resize=8).round(1).tolist()
    [77.9, 77.9, 77.9]
    """
    image = mean_image(source, input_size, resize, split, cache_dir)
    return image.mean(axis=(0, 1), dtype="float64").astype("float32")


def _cache_path(source, split, resize, cache_dir):
    if cache_dir is None:
        home = os.environ.get("KERAS_HOME", "~/.keras")
        cache_dir = pathlib.Path(home).expanduser() / "keras_alexnet"
    count = source.split(split).count
    key = f"{source.name} {source.fingerprint} {split} {count} {resize}"
    digest = hashlib.blake2b(key.encode(), digest_size=12).hexdigest()
    return pathlib.Path(cache_dir) / f"mean-image-{digest}.npy"


def _save(path, array):
    # Renamed into place, so no reader ever sees half a file.
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, suffix=".npy", delete=False
    ) as file:
        np.save(file, array)
    os.replace(file.name, path)
