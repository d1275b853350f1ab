"""Means of a training set, computed once and kept on disk."""

import numpy as np

from keras_alexnet.data.disk_cache import cache_path
from keras_alexnet.data.disk_cache import cached_array
from keras_alexnet.data.loader import check_data_arguments
from keras_alexnet.data.loader import default_resize
from keras_alexnet.data.loader import is_path
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

    Raises:
        ValueError: If an argument is of another kind, or there is no such
            split.

    Example:

    >>> import tempfile
    >>> from keras_alexnet.data.load_source import load_source
    >>> folder = tempfile.mkdtemp()
    >>> mean_image(load_source("digits"), resize=8, cache_dir=folder).shape
    (8, 8, 3)

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 2.
    """
    check_data_arguments(source, input_size, resize, batch_size=1, cache=None)
    if not (cache_dir is None or is_path(cache_dir)):
        raise ValueError(
            "`cache_dir` must be a folder to keep the mean in. "
            f"Received: cache_dir={cache_dir!r}"
        )
    resize = resize or default_resize(input_size)
    count = source.split(split).count
    path = mean_path(source, input_size, resize, split, cache_dir)

    def compute():
        total = np.zeros((resize, resize, 3), "int64")
        for images, _ in evaluation_data(source, split, resize=resize):
            total += images.numpy().sum(axis=0, dtype="int64")
        return (total / count).astype("float32")

    return cached_array(path, compute)


def mean_path(
    source, input_size=224, resize=None, split="train", cache_dir=None
):
    """Where `mean_image` keeps its result.

    Args:
        source, input_size, resize, split, cache_dir: As of `mean_image`.

    Returns:
        `pathlib.Path`.
    """
    return cache_path(
        "mean",
        source.name,
        source.fingerprint,
        split,
        source.split(split).count,
        resize or default_resize(input_size),
        folder=cache_dir,
    )


def mean_color(
    source, input_size=224, resize=None, split="train", cache_dir=None
):
    """The mean RGB color of a split: `mean_image` averaged over its pixels.

    Args:
        source, input_size, resize, split, cache_dir: As of `mean_image`.

    Returns:
        float32 array of shape `(3,)`.

    Example:

    >>> import tempfile
    >>> from keras_alexnet.data.load_source import load_source
    >>> folder = tempfile.mkdtemp()
    >>> color = mean_color(load_source("digits"), resize=8, cache_dir=folder)
    >>> color.round().tolist()
    [78.0, 78.0, 78.0]
    """
    image = mean_image(source, input_size, resize, split, cache_dir)
    return image.mean(axis=(0, 1), dtype="float64").astype("float32")
