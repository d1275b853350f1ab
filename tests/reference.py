"""What the layers should compute, written in NumPy from the definitions."""

import numpy as np


def local_response_normalization(
    x, k, n, alpha, beta, convention="sum", groups=1
):
    """Equation of section 3.3, channels last, in float64."""
    x = np.asarray(x, "float64")
    channels = x.shape[-1]
    width = channels // groups
    factor = alpha if convention == "sum" else alpha / n
    y = np.empty_like(x)
    for i in range(channels):
        first = i // width * width
        low = max(first, i - n // 2)
        high = min(first + width, i + (n - 1) // 2 + 1)
        squares = (x[..., low:high] ** 2).sum(axis=-1)
        y[..., i] = x[..., i] / (k + factor * squares) ** beta
    return y


def spatial_response_normalization(x, k, n, alpha, beta, convention="sum"):
    """The same over n x n pixels of one channel, channels last."""
    x = np.asarray(x, "float64")
    factor = alpha if convention == "sum" else alpha / n**2
    below, above = n // 2, (n - 1) // 2
    y = np.empty_like(x)
    for row in range(x.shape[1]):
        for column in range(x.shape[2]):
            window = x[
                :,
                max(0, row - below) : row + above + 1,
                max(0, column - below) : column + above + 1,
            ]
            squares = (window**2).sum(axis=(1, 2))
            y[:, row, column] = (
                x[:, row, column] / (k + factor * squares) ** beta
            )
    return y
