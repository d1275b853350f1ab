"""Finds image files and reads them for a network."""

import os
import pathlib

import numpy as np
import tensorflow as tf

from keras_alexnet.data.crops import center_view
from keras_alexnet.data.image_files import image_files
from keras_alexnet.data.images import MISSING
from keras_alexnet.data.images import decode
from keras_alexnet.data.images import problem
from keras_alexnet.data.images import resize_and_crop
from keras_alexnet.disk import is_remote


def find_images(images, left_out):
    """The image files in a folder and its subfolders, or those named.

    Args:
        images: Path of a folder, or a list of paths of files.
        left_out: Dict in which it is noted what is no image.

    Returns:
        List of absolute paths, strings.

    Raises:
        ValueError: If there is no such folder, or it holds no image.
    """
    if not isinstance(images, str | os.PathLike):
        return [os.path.abspath(path) for path in images]
    folder = pathlib.Path(os.path.abspath(images))
    if not folder.is_dir():
        raise ValueError(
            "`images` must be a folder, or a list of paths of files. "
            f"Received: {os.fspath(images)!r}, which is no folder"
        )
    skipped, ignored = [], {}
    paths = image_files(folder, skipped, ignored)
    if not paths:
        raise ValueError(
            f"{folder} must hold images. Received: {len(skipped)} files that "
            f"are none, {sum(ignored.values())} hidden files and texts"
        )
    for what in skipped:
        reason, _, path = what.rpartition(": ")
        left_out[path] = reason
    return [str(path) for path in paths]


def file_entries(paths, left_out):
    """By what a change of a file shows.

    Args:
        paths: List of strings.
        left_out: Dict in which it is noted what is no file.

    Returns:
        List of tuples: the path, the size in bytes, and when the file was
        changed, in nanoseconds.

    Example:

    >>> absent = {}
    >>> file_entries(["absent.png"], absent), absent
    ([], {'absent.png': 'No such file or directory'})
    """
    entries = []
    for path in dict.fromkeys(paths):
        try:
            stat = os.stat(path)
        except OSError as error:
            left_out[path] = error.strerror or type(error).__name__
        else:
            entries.append((path, stat.st_size, stat.st_mtime_ns))
    return entries


def features_of_files(extract, paths):
    """Features of image files, and why some have none.

    A damaged JPEG file that can be decoded is taken as it is.

    Args:
        extract: A `FeatureExtractor`.
        paths: List of strings.

    Returns:
        Tuple of a float32 array of shape `(len(paths), width)`, and a list of
        strings: why a file cannot be read, empty where it can. Its features
        are those of a black image then.
    """
    features = [np.zeros((0, extract.width), "float32")]
    reasons = []
    for views, whys in _batches(extract, paths, strict=False):
        features.append(extract(views))
        reasons += [why.decode() for why in whys]
    return np.concatenate(features), reasons


def feature_rows(extract, paths):
    """Features of image files, a batch of the extractor's size at a time.

    A batch always holds the same neighbors, so its numbers depend on nothing
    but the order of `paths`. A damaged JPEG file counts as one that cannot be
    decoded, as nobody looks at the features of each image.

    Args:
        extract: A `FeatureExtractor`.
        paths: List of strings; TensorFlow's remote paths, such as `gs://...`,
            are read, too.

    Yields:
        Tuples of a float32 array of shape `(batch, width)`, and a list of
        strings: why an image cannot be read, empty where it can. The row of
        such an image is NaN.

    Raises:
        ImportError: If an image cannot be decoded because a library is
            missing; the message names both.

    Example:

    >>> from keras_alexnet.models import CIFARNet
    >>> from keras_alexnet.retrieval.features import FeatureExtractor
    >>> extract = FeatureExtractor(
    ...     CIFARNet(include_preprocessing=True), "conv4"
    ... )
    >>> rows, reasons = next(feature_rows(extract, ["absent.png"]))
    >>> rows.shape, np.isnan(rows).all(), reasons
    ((1, 1152), np.True_, ['No such file or directory'])
    """
    start = 0
    for views, whys in _batches(extract, paths, strict=True):
        reasons = [why.decode(errors="replace") for why in whys]
        for path, reason in zip(paths[start:], reasons, strict=False):
            if reason.startswith(MISSING):
                raise ImportError(f"{path}: {reason}")
        rows = extract(views)
        rows[[reason != "" for reason in reasons]] = np.nan
        yield rows, reasons
        start += len(rows)


def _batches(extract, paths, strict):
    """Batches of center views, and of reasons why there is none."""

    def load(path):
        encoded, reason = tf.numpy_function(
            _read, [path], (tf.string, tf.string)
        )
        encoded = tf.ensure_shape(encoded, ())
        reason = tf.ensure_shape(reason, ())
        reason = tf.cond(
            reason == b"",
            lambda: problem(encoded, strict),
            lambda: reason,
        )
        side = extract.image_size
        image = tf.cond(
            reason == b"",
            lambda: resize_and_crop(decode(encoded, path), side),
            lambda: tf.zeros((side, side, 3), "uint8"),
        )
        return center_view(image[None], extract.size)[0], reason

    # Names of files need not be text.
    names = tf.constant([os.fsencode(path) for path in paths], tf.string)
    files = tf.data.Dataset.from_tensor_slices(names)
    files = files.map(load, num_parallel_calls=tf.data.AUTOTUNE)
    return files.batch(extract.batch_size).prefetch(2).as_numpy_iterator()


def _read(path):
    """The bytes of a file, and why there are none."""
    try:
        if is_remote(os.fsdecode(path)):
            with tf.io.gfile.GFile(path, "rb") as file:
                return file.read(), b""
        with open(path, "rb") as file:
            return file.read(), b""
    except OSError as error:
        return b"", (error.strerror or type(error).__name__).encode()
    except (
        # What is wrong with the connection alone is an error for all.
        tf.errors.FailedPreconditionError,
        tf.errors.NotFoundError,
        tf.errors.PermissionDeniedError,
    ) as error:
        return b"", (error.message or type(error).__name__).encode()
