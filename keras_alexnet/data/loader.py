"""One image of a source: read, decoded, resized, kept if asked."""

from keras_alexnet.data.disk_cache import cache_path
from keras_alexnet.data.image_cache import keep_in_file
from keras_alexnet.data.image_cache import keep_in_memory
from keras_alexnet.data.images import decode
from keras_alexnet.data.images import resize_and_crop
from keras_alexnet.data.lookup import lookup


def default_resize(input_size):
    """The stored image's side for an input size: 256 for 224, in proportion.

    Example:

    >>> default_resize(224), default_resize(64)
    (256, 73)
    """
    return round(input_size * 256 / 224)


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

    def load(index):
        image, label, example = split.fetch(index)
        if split.encoded:
            image = decode(image, example)
        return resize_and_crop(image, resize), label

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
