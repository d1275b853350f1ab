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


def corner_offsets(count, height, width, size, seed):
    """Crop corners drawn from the image's four corners and its center.

    Args:
        count, height, width, size, seed: As of `random_offsets`.

    Returns:
        Two int32 tensors of shape `(count,)`: `top` and `left`.

    Example:

    >>> top, left = corner_offsets(1000, 256, 256, 224, seed=(0, 0))
    >>> sorted({(int(y), int(x)) for y, x in zip(top, left)})
    [(0, 0), (0, 32), (16, 16), (32, 0), (32, 32)]

    Reference: [Zeiler and Fergus, 2014](https://arxiv.org/abs/1311.2901),
    section 3.1.
    """
    offsets = tf.constant(ten_view_offsets(height, width, size), tf.int32)
    chosen = tf.random.stateless_uniform(
        [count], seed, maxval=5, dtype=tf.int32
    )
    return tuple(tf.unstack(tf.gather(offsets, chosen), axis=1))


def random_windows(count, side, size, smallest, seed):
    """Random crops of square images whose scale is random as well.

    An image of `side` pixels stands for the same image scaled to `S` pixels,
    of which a crop of `size` pixels is cut: that crop is a window of
    `size * side / S` pixels, to be scaled to `size`. `S` is uniform over
    `smallest` to `side`.

    Args:
        count: Integer, number of windows.
        side: Integer, pixels per side of the images.
        size: Integer, pixels per side of the crops.
        smallest: Integer, the least `S`.
        seed: Integer tensor of shape `(2,)`; the draw depends on it alone.

    Returns:
        Three int32 tensors of shape `(count,)`: `top`, `left` and the
        window's pixels per side.

    Raises:
        ValueError: If not `size <= smallest <= side`.

    Example:

    >>> top, left, window = random_windows(1000, 512, 224, 256, seed=(0, 0))
    >>> int(tf.reduce_min(window)), int(tf.reduce_max(window))
    (224, 448)

    Reference: [Simonyan and Zisserman, 2015](
    https://arxiv.org/abs/1409.1556), section 3.1, "scale jittering".
    """
    if not size <= smallest <= side:
        raise ValueError(
            "The crop must not exceed the smallest scale, nor that the "
            f"largest. Received: size={size}, smallest={smallest}, "
            f"largest={side}"
        )
    seeds = tf.random.split(seed, 3)
    scale = tf.random.stateless_uniform(
        [count], seeds[0], maxval=side - smallest + 1, dtype=tf.int32
    )
    window = tf.cast(
        tf.round(size * side / tf.cast(smallest + scale, tf.float64)), tf.int32
    )
    top, left = (
        tf.cast(
            tf.random.stateless_uniform([count], seeds[i], dtype=tf.float64)
            * tf.cast(side - window + 1, tf.float64),
            tf.int32,
        )
        for i in (1, 2)
    )
    return top, left, window


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
    return grid_offsets(height, width, size, 3)


def grid_offsets(height, width, size, count):
    """Corners of the crops of a regular grid, the corners included.

    Args:
        height: Integer, rows of the image.
        width: Integer, columns of the image.
        size: Integer, side of the crop.
        count: Integer, crops along a side, 2 or more.

    Returns:
        List of `count * count` tuples `(top, left)`, row by row.

    Example:

    >>> grid_offsets(256, 256, 224, 5)[:5]
    [(0, 0), (0, 8), (0, 16), (0, 24), (0, 32)]
    """
    _check_fits(height, width, size)
    rows, columns = (
        [(side - size) * i // (count - 1) for i in range(count)]
        for side in (height, width)
    )
    return [(y, x) for y in rows for x in columns]


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
    return _mirrored(tf.stack(_crops(images, offsets, size), axis=1))


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


def fifty_views(images, size):
    """A 5 x 5 grid of crops and their mirror images, as VGG tests.

    Args:
        images: Tensor of shape `(batch, height, width, channels)`.
        size: Integer, side of the crops.

    Returns:
        Tensor of shape `(batch, 50, size, size, channels)`.

    Example:

    >>> fifty_views(tf.zeros((1, 256, 256, 3)), 224).shape
    TensorShape([1, 50, 224, 224, 3])

    Reference: [Simonyan and Zisserman, 2015](
    https://arxiv.org/abs/1409.1556), section 3.2.
    """
    height, width = images.shape[1:3]
    offsets = grid_offsets(height, width, size, 5)
    return _mirrored(tf.stack(_crops(images, offsets, size), axis=1))


def resized(images, side):
    """Images whose shorter side is scaled to some pixels.

    Args:
        images: Tensor of shape `(batch, height, width, channels)`.
        side: Integer.

    Returns:
        float32 tensor of shape `(batch, …, …, channels)`; the same images if
        they have that side already.

    Example:

    >>> resized(tf.zeros((1, 64, 96, 3)), 32).shape
    TensorShape([1, 32, 48, 3])
    """
    height, width = images.shape[1:3]
    scale = side / min(height, width)
    if scale == 1:
        return tf.cast(images, tf.float32)
    # Without antialiasing a smaller image would be made of single pixels.
    return tf.image.resize(
        images, (round(height * scale), round(width * scale)), antialias=True
    )


def googlenet_views(images, size):
    """The 144 crops of an image by which GoogLeNet is tested.

    The image is scaled to four sizes, whose shorter sides are 256, 288, 320
    and 352 pixels for crops of 224. Of each come three squares (left, center
    and right; of an upright image top, center and bottom); of each square six
    crops (its corners, its center, and the whole square scaled to the crop);
    and of each crop its mirror image. The three squares of a square image are
    the same, so that 48 of its 144 crops are different.

    Args:
        images: Tensor of shape `(batch, height, width, channels)`.
        size: Integer, side of the crops.

    Returns:
        float32 tensor of shape `(batch, 144, size, size, channels)`.

    Example:

    >>> googlenet_views(tf.zeros((1, 64, 96, 3)), 32).shape
    TensorShape([1, 144, 32, 32, 3])

    Reference: [Szegedy et al., 2015](https://arxiv.org/abs/1409.4842),
    section 7.
    """
    crops = []
    for side in (256, 288, 320, 352):
        side = round(side * size / 224)
        scaled = resized(images, side)
        height, width = scaled.shape[1:3]
        rest = max(height, width) - side
        for offset in (0, rest // 2, rest):
            top, left = (offset, 0) if height > width else (0, offset)
            square = scaled[:, top : top + side, left : left + side]
            offsets = ten_view_offsets(side, side, size)
            crops += [*_crops(square, offsets, size), resized(square, size)]
    return _mirrored(tf.stack(crops, axis=1))


def _mirrored(crops):
    """Crops and, after them, their mirror images."""
    return tf.concat([crops, tf.reverse(crops, axis=[3])], axis=1)
