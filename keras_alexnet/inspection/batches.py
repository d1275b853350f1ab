"""Batches of images, from arrays and from what yields batches."""

from keras_alexnet.inspection.targets import prepared_images


def image_batches(images, batch_size=32):
    """Arrays of images from an array or from an iterable of batches.

    Args:
        images: Array of shape `(count, height, width, channels)`; or an
            iterable of batches of that shape, or of tuples that begin with
            one, such as `(images, labels)`. It must be possible to go through
            it more than once.
        batch_size: Integer, images at a time of an array. Defaults to `32`.

    Yields:
        float32 arrays.

    Raises:
        ValueError: If there is no image, if a batch is no batch of finite
            images, or `images` is an iterator, which ends for good.

    Example:

    >>> import numpy as np
    >>> data = [(np.zeros((2, 8, 8, 3)), [0, 1]), (np.zeros((1, 8, 8, 3)), [1])]
    >>> [len(batch) for batch in image_batches(data)]
    [2, 1]
    """
    if isinstance(batch_size, bool) or int(batch_size) != batch_size:
        batch_size = 0
    if batch_size < 1:
        raise ValueError(
            "`batch_size` must be a positive integer. "
            f"Received: batch_size={batch_size}"
        )
    if hasattr(images, "shape"):
        images = [
            images[start : start + batch_size]
            for start in range(0, len(images), batch_size)
        ]
    if not hasattr(images, "__iter__") or hasattr(images, "__next__"):
        raise ValueError(
            "`images` must be an array, or a list or a dataset of batches "
            "that can be gone through again. "
            f"Received: {type(images).__name__}"
        )
    empty = True
    for batch in images:
        if isinstance(batch, tuple | list):
            batch = batch[0]
        yield prepared_images(batch)
        empty = False
    if empty:
        raise ValueError("`images` must hold at least one. Received: none")
