"""How many of the nearest neighbors are of the right class."""

import numpy as np


def precision_at_k(distances, relevant, k):
    """The expected share of relevant items among the `k` nearest.

    ```
    P@k = (R_< + (k - n_<) R_= / n_=) / k
    ```

    `n_<` items are nearer than the `k`-th, `n_=` as near as it, and `R_<` and
    `R_=` of them are relevant. Short codes have few different distances, so
    the `k`-th is one of many equals; this is the mean over all orders of
    them. Taking the first ones instead would measure the order of the items.

    Args:
        distances: Array of shape `(queries, n)`, smaller is nearer. An item
            with an infinite distance, such as the query itself, is left out.
        relevant: Boolean array of shape `(queries, n)`.
        k: Integer in 1 to the number of items with finite distances.

    Returns:
        float64 array of shape `(queries,)`.

    Raises:
        ValueError: If shapes differ, there are not `k` items, or distances
            are NaN.

    Example:

    >>> precision_at_k([[0, 1, 1, 2]], [[True, True, False, True]], k=2)
    array([0.75])
    """
    distances, relevant = np.asarray(distances), np.asarray(relevant, bool)
    if distances.ndim != 2 or distances.shape != relevant.shape:
        raise ValueError(
            "`distances` and `relevant` must have one shape (queries, n). "
            f"Received: {distances.shape} and {relevant.shape}"
        )
    if np.isnan(distances).any():
        raise ValueError("`distances` must be numbers. Received: NaN")
    items = np.isfinite(distances).sum(axis=1).min(initial=distances.shape[1])
    if not 1 <= k <= items:
        raise ValueError(
            f"`k` must be in 1 to {items}, the number of items. Received: k={k}"
        )
    last = np.partition(distances, k - 1, axis=1)[:, k - 1 : k]
    nearer, equal = distances < last, distances == last
    share = (equal & relevant).sum(axis=1) / equal.sum(axis=1)
    places = k - nearer.sum(axis=1)
    return ((nearer & relevant).sum(axis=1) + places * share) / k
