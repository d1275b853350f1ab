"""Where crops lie: the one place that knows crop offsets."""

import tensorflow as tf

TEN_VIEW_ORDERS = ("cuda-convnet", "caffe")


def _check_fits(height, width, size):
    if size > height or size > width:
        raise ValueError(
            f"`size` must not exceed the image. Received: size={size} for "
            f"images of {height}x{width} pixels"
        )


def center_offset(height, width, size):
    """Top-left corner of the central crop.

    An odd margin is split with the smaller half above and to the left, as in
    the 2012 code (`(256 - 227) // 2 = 14`).

    Args:
        height: Integer, rows of the image.
        width: Integer, columns of the image.
        size: Integer, side of the crop.

    Returns:
        Tuple `(top, left)`.

    Example:

    >>> center_offset(256, 256, 224)
    (16, 16)
    """
    _check_fits(height, width, size)
    return (height - size) // 2, (width - size) // 2


def random_offsets(count, height, width, size, seed):
    """Uniform crop corners over all positions, the last one included.

    256 - 224 = 32 leaves 33 positions a side (the 2012 code); the paper's
    2,048 variants count only 32.

    Args:
        count: Integer, number of corners.
        height: Integer, rows of the image.
        width: Integer, columns of the image.
        size: Integer, side of the crop.
        seed: Integer tensor of shape `(2,)`; the draw depends on it alone.

    Returns:
        Two int32 tensors of shape `(count,)`: `top` and `left`.

    Example:

    >>> top, left = random_offsets(1000, 256, 256, 224, seed=(0, 0))
    >>> int(tf.reduce_min(top)), int(tf.reduce_max(left))
    (0, 32)

    Reference: cuda-convnet `convdata.py`, line 253.
    """
    _check_fits(height, width, size)
    seeds = tf.random.split(seed, 2)
    return tuple(
        tf.random.stateless_uniform(
            [count], seeds[i], maxval=side - size + 1, dtype=tf.int32
        )
        for i, side in enumerate((height, width))
    )


def ten_view_offsets(height, width, size, order="cuda-convnet"):
    """Corners of the five crops that, with their mirrors, are the ten views.

    Args:
        height: Integer, rows of the image.
        width: Integer, columns of the image.
        size: Integer, side of the crop.
        order: `"cuda-convnet"`: top left, top right, center, bottom left,
            bottom right. `"caffe"`: the four corners, then the center.

    Returns:
        List of five tuples `(top, left)`.

    Example:

    >>> ten_view_offsets(256, 256, 224)
    [(0, 0), (0, 32), (16, 16), (32, 0), (32, 32)]

    Reference: cuda-convnet `convdata.py`, lines 239-247; Caffe
    `python/caffe/io.py`, `oversample`.
    """
    center = center_offset(height, width, size)
    bottom, right = height - size, width - size
    above, below = [(0, 0), (0, right)], [(bottom, 0), (bottom, right)]
    if order == "cuda-convnet":
        return [*above, center, *below]
    if order == "caffe":
        return [*above, *below, center]
    raise ValueError(
        f"`order` must be one of {TEN_VIEW_ORDERS}. Received: order={order!r}"
    )


def nine_view_offsets(height, width, size):
    """Corners of the CIFAR nets' nine test crops, a 3x3 grid without mirrors.

    Args:
        height: Integer, rows of the image.
        width: Integer, columns of the image.
        size: Integer, side of the crop.

    Returns:
        List of nine tuples `(top, left)`, row by row.

    Example:

    >>> nine_view_offsets(32, 32, 24)[:4]
    [(0, 0), (0, 4), (0, 8), (4, 0)]

    Reference: cuda-convnet `convdata_cifar.py`, lines 83-88.
    """
    top, left = center_offset(height, width, size)
    return [
        (y, x) for y in (0, top, height - size) for x in (0, left, width - size)
    ]


def _crops(images, offsets, size):
    return [images[:, y : y + size, x : x + size] for y, x in offsets]


def center_view(images, size):
    """The central crop of each image.

    Args:
        images: Tensor of shape `(batch, height, width, channels)`.
        size: Integer, side of the crop.

    Returns:
        Tensor of shape `(batch, size, size, channels)`.

    Example:

    >>> center_view(tf.zeros((2, 256, 256, 3)), 224).shape
    TensorShape([2, 224, 224, 3])
    """
    height, width = images.shape[1:3]
    return _crops(images, [center_offset(height, width, size)], size)[0]


def ten_views(images, size, order="cuda-convnet"):
    """Four corner crops, the center one, and the mirror images of the five.

    Args:
        images: Tensor of shape `(batch, height, width, channels)`.
        size: Integer, side of the crops.
        order: `"cuda-convnet"` or `"caffe"`, see `ten_view_offsets`.

    Returns:
        Tensor of shape `(batch, 10, size, size, channels)`.

    Example:

    >>> ten_views(tf.zeros((2, 256, 256, 3)), 224).shape
    TensorShape([2, 10, 224, 224, 3])

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 4.1.
    """
    height, width = images.shape[1:3]
    offsets = ten_view_offsets(height, width, size, order)
    crops = tf.stack(_crops(images, offsets, size), axis=1)
    return tf.concat([crops, tf.reverse(crops, axis=[3])], axis=1)


def nine_views(images, size):
    """The nine crops by which the CIFAR nets are tested.

    Args:
        images: Tensor of shape `(batch, height, width, channels)`.
        size: Integer, side of the crops.

    Returns:
        Tensor of shape `(batch, 9, size, size, channels)`.

    Example:

    >>> nine_views(tf.zeros((2, 32, 32, 3)), 24).shape
    TensorShape([2, 9, 24, 24, 3])
    """
    height, width = images.shape[1:3]
    offsets = nine_view_offsets(height, width, size)
    return tf.stack(_crops(images, offsets, size), axis=1)
