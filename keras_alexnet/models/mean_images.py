"""Mean images of files, for networks of other image sizes."""

import warnings

import numpy as np


def fitting_mean(layer, mean, source):
    """The mean of a file as `MeanSubtraction.set_mean` takes it.

    Args:
        layer: A built `MeanSubtraction`.
        mean: Array of shape `(3,)` or `(height, width, 3)`, RGB in 0-255.
        source: String, the file, for messages.

    Returns:
        The mean; or its color, with a warning, if it is smaller than the
        images of the layer.

    Raises:
        ValueError: If it is not finite.
    """
    if not np.isfinite(mean).all():
        raise ValueError(
            f"{source} holds NaN or infinity in the mean of its images: it is "
            "damaged."
        )
    sides = layer.mean_size
    if mean.ndim == 1 or not layer.per_pixel:
        return mean
    if all(have >= want for have, want in zip(mean.shape, sides, strict=False)):
        return mean
    warnings.warn(
        f"The mean image of {source}, {mean.shape[0]} x {mean.shape[1]} "
        f"pixels, is smaller than the network's images, {sides[0]} x "
        f"{sides[1]}. Its mean color is subtracted instead.",
        stacklevel=2,
    )
    return mean.mean(axis=(0, 1), dtype="float64")
