"""One image of a source: read, decoded, resized, kept if asked."""

import numbers
import os

from keras_alexnet.data.damaged_jpeg import damage_notice
from keras_alexnet.data.disk_cache import cache_path
from keras_alexnet.data.image_cache import keep_in_file
from keras_alexnet.data.image_cache import keep_in_memory
from keras_alexnet.data.images import decode
from keras_alexnet.data.images import resize_and_crop
from keras_alexnet.data.lookup import lookup
from keras_alexnet.data.source import Source


def default_resize(input_size):
    """The side of stored images for an input size: 256 for 224, and so on.

    Example:

    >>> default_resize(224), default_resize(64)
    (256, 73)
    """
    _check_side("input_size", input_size)
    return round(input_size * 256 / 224)


def image_size(model):
    """Pixels per side of the images that a network's views are cut from.

    Args:
        model: A `keras.Model` of square images; one that carries its
            `Architecture` is asked for its own. Of an `Ensemble`, the largest
            size of its members.

    Returns:
        Integer.

    Example:

    >>> from keras_alexnet.models import AlexNet, CIFARNet
    >>> image_size(AlexNet()), image_size(CIFARNet())
    (256, 32)
    """
    members = getattr(model, "members", None)
    if members:
        return max(image_size(member) for member in members)
    # Whatever the data format, axis 2 is one of the two sides.
    size = model.input_shape[2]
    architecture = getattr(model, "architecture", None)
    own = architecture and architecture.resize(size)
    return own or default_resize(size)


def check_data_arguments(source, input_size, resize, batch_size, cache):
    """Checks the arguments that all pipelines share.

    Args:
        source: A `Source`, see `load_source`.
        input_size: Integer.
        resize: Integer or `None`.
        batch_size: Integer.
        cache: `None`, `"memory"` or a folder.

    Raises:
        ValueError: If an argument is of another kind.

    Example:

    >>> check_data_arguments("photos", 64, None, 128, None)
    Traceback (most recent call last):
    ValueError: `source` must be what `load_source` returned: ...
    """
    if not isinstance(source, Source):
        raise ValueError(
            "`source` must be what `load_source` returned: "
            f"`load_source({str(source)[:60]!r})`. Received: "
            f"{type(source).__name__}"
            if isinstance(source, (str, os.PathLike))
            else "`source` must be what `load_source` returned, which takes "
            "arrays too: `load_source((images, labels))`. Received: "
            f"{type(source).__name__}"
        )
    _check_side("input_size", input_size)
    if resize is not None:
        _check_side("resize", resize)
    _check_side("batch_size", batch_size)
    if not (cache is None or is_path(cache)):
        raise ValueError(
            '`cache` must be `None`, "memory", or a folder to keep the images '
            f"in. Received: cache={cache!r}"
        )


def is_path(value):
    """Whether a value can be the path of a folder.

    Example:

    >>> is_path("images"), is_path(True), is_path("")
    (True, False, False)
    """
    return isinstance(value, str | os.PathLike) and value != ""


def _check_side(name, value):
    is_integer = isinstance(value, numbers.Integral)
    if not is_integer or isinstance(value, bool) or value < 1:
        side = "" if name == "batch_size" else ", the side of a square"
        raise ValueError(
            f"`{name}` must be a positive integer{side}. "
            f"Received: {name}={value!r}"
        )


def loader(source, name, resize, cache=None):
    """Makes a function that loads one image.

    Args:
        source: A `Source`, see `load_source`.
        name: String, the split's.
        resize: Integer, side of the images.
        cache: `None`, or `"memory"` or a folder: all images of the split are
            loaded now and kept there.

    Returns:
        Function from an int64 scalar tensor to a uint8 tensor `(resize,
        resize, 3)` and an int64 label, for `tf.data.Dataset.map`.

    Example:

    >>> from keras_alexnet.data.load_source import load_source
    >>> import tensorflow as tf
    >>> load = loader(load_source("digits"), "test", 16, cache="memory")
    >>> load(tf.constant(0, tf.int64))[0].shape
    TensorShape([16, 16, 3])
    """
    split = source.split(name)
    note_damage = damage_notice(source.damaged)

    def decode_and_note(encoded, example):
        if not split.checked:
            note_damage(encoded, example)
        return decode(encoded, example, split.upright)

    def load(index):
        image, label, example = split.fetch(index)
        if split.encoded:
            image = decode_and_note(image, example)
        return resize_and_crop(image, resize), label

    load.decode = decode_and_note
    if cache is None:
        return load
    shape = (resize, resize, 3)
    if cache == "memory":
        images = keep_in_memory(lambda i: load(i)[0], split.count, shape)
    else:
        path = cache_path(
            "images",
            source.name,
            source.fingerprint,
            name,
            *shape,
            folder=cache,
        )
        images = keep_in_file(lambda i: load(i)[0], split.count, shape, path)
    if split.labels is None:
        return lambda index: (images(index), split.fetch(index)[1])
    labels = lookup(split.labels)
    return lambda index: (images(index), labels(index))
