"""Means and colors of a training set, computed once and kept on disk."""

from keras_alexnet.data.disk_cache import cache_path
from keras_alexnet.data.disk_cache import cached_array
from keras_alexnet.data.loader import check_data_arguments
from keras_alexnet.data.loader import default_resize
from keras_alexnet.data.loader import is_path
from keras_alexnet.data.pipelines import evaluation_data
from keras_alexnet.data.training_statistics import ColorSums
from keras_alexnet.data.training_statistics import color_products
from keras_alexnet.data.training_statistics import stored_statistics

# Where the names of the files begin in which they are kept.
NAMES = {"mean_image": "mean", "color_covariance": "covariance"}


def mean_image(
    source, input_size=224, resize=None, split="train", cache_dir=None
):
    """The mean of all images of a split, pixel by pixel.

    One pass, summed in integers, so the result is exact. It is kept under a
    name made of the source's fingerprint, the split, its count and the size;
    the next call reads it. Where `prepare_imagenet` has stored the mean beside
    the records, no pass is needed.

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
    return _statistic(
        "mean_image", source, input_size, resize, split, cache_dir
    )


def mean_path(
    source, input_size=224, resize=None, split="train", cache_dir=None
):
    """Where `mean_image` keeps its result.

    Args:
        source, input_size, resize, split, cache_dir: As of `mean_image`.

    Returns:
        `pathlib.Path`.
    """
    resize = resize or default_resize(input_size)
    return _kept("mean_image", source, resize, split, cache_dir)


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


def color_covariance(
    source, input_size=224, resize=None, split="train", cache_dir=None
):
    """The covariance of the RGB colors of all pixels of a split.

    Exact, as `mean_image` is, and kept like it. `PCAColorAugmentation` takes
    its eigenvectors, and the square roots of its eigenvalues; the constants
    of 2012, its default, are those of ImageNet.

    Args:
        source, input_size, resize, split, cache_dir: As of `mean_image`.

    Returns:
        float64 array of shape `(3, 3)`.

    Example:

    >>> import tempfile
    >>> import numpy as np
    >>> from keras_alexnet.data.load_source import load_source
    >>> covariance = color_covariance(
    ...     load_source("digits"), resize=8, cache_dir=tempfile.mkdtemp()
    ... )
    >>> variances, eigenvectors = np.linalg.eigh(covariance)

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 4.1.
    """
    return _statistic(
        "color_covariance", source, input_size, resize, split, cache_dir
    )


def _statistic(name, source, input_size, resize, split, cache_dir):
    """What was stored of a split, was kept, or is computed and kept now."""
    check_data_arguments(source, input_size, resize, batch_size=1, cache=None)
    if not (cache_dir is None or is_path(cache_dir)):
        raise ValueError(
            "`cache_dir` must be a folder to keep the mean in. "
            f"Received: cache_dir={cache_dir!r}"
        )
    resize = resize or default_resize(input_size)
    stored = stored_statistics(source, split, resize)
    if stored is not None:
        return stored[name]

    def compute():
        sums = ColorSums.zeros(resize)
        for images, _ in evaluation_data(source, split, resize=resize):
            images = images.numpy()
            pixels = images.sum(axis=0, dtype="int64")
            products = color_products(images)
            sums.add(ColorSums(len(images), pixels, products))
        return getattr(sums, name)

    path = _kept(name, source, resize, split, cache_dir)
    return cached_array(path, compute)


def _kept(name, source, resize, split, folder):
    """The file in which a statistic is kept."""
    return cache_path(
        NAMES[name],
        source.name,
        source.fingerprint,
        split,
        source.split(split).count,
        resize,
        folder=folder,
    )
