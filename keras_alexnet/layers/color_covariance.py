"""Statistics of the colors of a training set."""

import numpy as np
from keras import ops


def streamed_covariance(batches, channel_axis):
    """Mean and covariance of the pixels of `batches`, in one pass.

    Each batch is reduced around its own mean, in float64, before it is merged.
    So no precision is lost, however many pixels there are.

    Args:
        batches: Iterable of images or batches of them, or of tuples whose
            first element is one.
        channel_axis: Integer, negative: the axis of the three channels.

    Returns:
        Tuple of arrays of shape `(3,)` and `(3, 3)`.

    Raises:
        ValueError: If there are no three channels, fewer than two pixels, or
            pixels that are not finite.

    Example:

    >>> mean, covariance = streamed_covariance([np.eye(3)[None]], -1)
    >>> covariance.round(2).tolist()
    [[0.22, -0.11, -0.11], [-0.11, 0.22, -0.11], [-0.11, -0.11, 0.22]]

    Reference: T. Chan, G. Golub and R. LeVeque, Updating formulae and a
    pairwise algorithm for computing sample variances, 1979.
    """
    count, mean, scatter = 0, np.zeros(3), np.zeros((3, 3))
    for batch in batches:
        if isinstance(batch, dict):
            raise ValueError(
                "`adapt` needs images or tuples that begin with images. Pass "
                '`dataset.map(lambda example: example["image"])`. '
                f"Received: a dict of {list(batch)}"
            )
        batch = batch[0] if isinstance(batch, (tuple, list)) else batch
        batch = np.asarray(ops.convert_to_numpy(batch), "float64")
        pixels = np.moveaxis(batch, channel_axis, -1)
        if pixels.shape[-1] != 3:
            raise ValueError(
                "`adapt` needs images of three channels. "
                f"Received: shape={batch.shape}"
            )
        pixels = pixels.reshape(-1, 3)
        if not len(pixels):
            continue
        total = count + len(pixels)
        delta = pixels.mean(axis=0) - mean
        centered = pixels - pixels.mean(axis=0)
        scatter += centered.T @ centered
        scatter += np.outer(delta, delta) * (count * len(pixels) / total)
        mean += delta * (len(pixels) / total)
        count = total
    if count < 2:
        raise ValueError(
            "`adapt` needs at least two pixels. Received: "
            f"{count} (an iterator that was used before is empty)"
        )
    if not np.all(np.isfinite(scatter)):
        raise ValueError("`adapt` needs finite pixels. Received NaN or inf")
    return mean, scatter / count
