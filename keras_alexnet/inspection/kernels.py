"""The kernels of the first layer, and how much of them is color."""

import dataclasses

import keras
import numpy as np

from keras_alexnet.inspection.autodiff import as_array
from keras_alexnet.models.layer_graph import column_count
from keras_alexnet.models.layer_graph import whole


@dataclasses.dataclass(frozen=True)
class ColorSpecialization:
    """How much of the first kernels is color, column by column.

    Attributes:
        shares: Array `(columns, kernels per column)`, the chromatic share of
            each kernel, see `chromatic_share`.
        means, medians: Tuples of floats, per column.
        ordered: Float, probability that of a kernel of the less chromatic
            column and one of the more chromatic column the latter has more
            color; ties count half. 1/2 without any specialization. `None`
            with one column.
        p_value: Float, share of random divisions of these kernels into
            columns whose means are as far apart; `None` with one column.
        permutations: Integer, how many divisions were drawn.
        initial_mean: Float, mean share of kernels drawn from the layer's
            initializer. It is near 2/3 for independent weights.
    """

    shares: np.ndarray
    means: tuple
    medians: tuple
    ordered: float | None
    p_value: float | None
    permutations: int
    initial_mean: float

    def __str__(self):
        columns = "; ".join(
            f"column {i}: mean {mean:.3f}, median {median:.3f}, "
            f"{int((share > 0.5).sum())} of {len(share)} above 1/2"
            for i, (mean, median, share) in enumerate(
                zip(self.means, self.medians, self.shares, strict=True)
            )
        )
        test = ""
        if self.p_value is not None:
            test = (
                f"; ordered pairs {self.ordered:.3f}, permutation test "
                f"p = {self.p_value:.4f} ({self.permutations} permutations)"
            )
        return f"{columns}{test}; at initialization {self.initial_mean:.3f}"


def first_kernels(model):
    """The kernels of a network's first convolution.

    Args:
        model: A `keras.Model`, of columns or not.

    Returns:
        Array `(height, width, channels, filters)`, all columns together, the
        channels in the order that the layer sees.

    Raises:
        ValueError: If the model has no convolution.

    Example:

    >>> from keras_alexnet.models import CIFARNet
    >>> first_kernels(CIFARNet()).shape
    (5, 5, 3, 64)
    """
    return as_array(_first_convolution(whole(model)).kernel)


def chromatic_share(kernels):
    """The share of each kernel's energy that is color.

    ```
    share = sum((w - mean of w over channels)**2) / sum(w**2)
    ```

    0 is a kernel of grey levels, 1 one that a grey image does not excite. A
    kernel of independent random weights has about 2/3: two of the three
    directions of color space are chromatic.

    Args:
        kernels: Array `(height, width, 3, filters)`.

    Returns:
        Array `(filters,)`; NaN for kernels that are zero.

    Raises:
        ValueError: If the kernels do not see three channels.

    Example:

    >>> kernels = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
    >>> chromatic_share(kernels.T[None, None]).round(3).tolist()
    [0.0, 1.0, 0.667]
    """
    kernels = np.asarray(kernels, "float64")
    if kernels.ndim != 4 or kernels.shape[2] != 3:
        raise ValueError(
            "`kernels` must have shape (height, width, 3, filters). "
            f"Received: shape={kernels.shape}"
        )
    color = kernels - kernels.mean(axis=2, keepdims=True)
    total = np.square(kernels).sum(axis=(0, 1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.square(color).sum(axis=(0, 1, 2)) / total


def color_specialization(model, permutations=10_000, seed=0):
    """Whether one column has the colored kernels, as a number and a test.

    Section 6.1 of the paper: "The kernels on GPU 1 are largely
    color-agnostic, while the kernels on on GPU 2 are largely color-specific.
    This kind of specialization occurs during every run".

    The permutation test divides the kernels at random into columns and counts
    how often the means of the columns are at least as far apart:

    ```
    p = (1 + count) / (1 + permutations)
    ```

    Args:
        model: A `keras.Model`, of columns or not, whose first convolution
            sees RGB or BGR.
        permutations: Integer. Defaults to `10_000`.
        seed: Integer, of the permutations and of the kernels at
            initialization. Defaults to `0`.

    Returns:
        A `ColorSpecialization`; print it.

    Raises:
        ValueError: If the first layer does not see three channels, a kernel
            is zero or not finite, or `permutations` is not positive.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> from keras_alexnet.models import PAPER, with_width
    >>> model = AlexNet(architecture=with_width(PAPER, 0.25), classes=2)
    >>> found = color_specialization(model, permutations=99)
    >>> found.shares.shape, 0.6 < found.initial_mean < 0.7
    ((2, 12), True)

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 6.1 and figure 3.
    """
    if int(permutations) != permutations or permutations < 1:
        raise ValueError(
            "`permutations` must be a positive integer. "
            f"Received: permutations={permutations}"
        )
    model = whole(model)
    layer = _first_convolution(model)
    shares = chromatic_share(as_array(layer.kernel))
    if not np.isfinite(shares).all():
        raise ValueError(
            "The kernels of the first layer must be finite and not zero. "
            f"Received: {int((~np.isfinite(shares)).sum())} that are not"
        )
    columns = column_count(model)
    by_column = shares.reshape(columns, -1)
    random = np.random.default_rng(seed)
    p_value = ordered = None
    if columns > 1:
        p_value = _permutation_test(by_column, permutations, random)
        ordered = _ordered(by_column)
    return ColorSpecialization(
        by_column,
        tuple(by_column.mean(axis=1).tolist()),
        tuple(np.median(by_column, axis=1).tolist()),
        ordered,
        p_value,
        permutations,
        _initial_mean(layer, seed),
    )


def _first_convolution(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            return _first_convolution(layer)
        if isinstance(layer, keras.layers.Conv2D):
            return layer
    raise ValueError(
        "The model must have a convolution. Received: layers "
        f"{', '.join(layer.name for layer in model.layers)}"
    )


def _permutation_test(shares, permutations, random):
    observed = np.ptp(shares.mean(axis=1))
    count = 0
    for _ in range(permutations):
        drawn = random.permutation(shares.ravel()).reshape(shares.shape)
        # Sums in another order differ by rounding.
        count += np.ptp(drawn.mean(axis=1)) >= observed - 1e-12
    return float((1 + count) / (1 + permutations))


def _ordered(shares):
    order = shares.mean(axis=1).argsort()
    less, more = shares[order[0]][:, None], shares[order[-1]][None]
    return float((more > less).mean() + 0.5 * (more == less).mean())


def _initial_mean(layer, seed):
    initializer = layer.kernel_initializer
    config = initializer.get_config()
    if "seed" in config:
        initializer = type(initializer).from_config({**config, "seed": seed})
    kernel = as_array(initializer(layer.kernel.shape))
    return float(np.nanmean(chromatic_share(kernel)))
