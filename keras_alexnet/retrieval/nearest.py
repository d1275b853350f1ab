"""The nearest of many vectors, exactly."""

import numpy as np

from keras_alexnet.retrieval.engines import engine_module

# Candidates beyond k that an engine is asked for. Its distances are rounded
# to 32 bits, so neighbors at almost equal distances may change places.
SPARE = 8


def nearest(vectors, queries, k, engine="auto"):
    """The `k` nearest vectors of each query, by Euclidean distance.

    ```
    d(q, v) = sqrt(Σ (q_i - v_i)²)
    ```

    The search is exact. An engine finds candidates; their distances are
    computed once more in 64 bits, so that both engines return the same. Of
    equal distances the lower number comes first.

    Args:
        vectors: Array of shape `(n, width)`, also a memory map.
        queries: Array of shape `(m, width)`.
        k: Integer in 1 to `n`.
        engine: `"sklearn"`, `"faiss"` or `"auto"`: FAISS where it is
            installed, else scikit-learn. Defaults to `"auto"`.

    Returns:
        Tuple of two arrays of shape `(m, k)`: float64 distances, and int64
        numbers of rows.

    Raises:
        ValueError: If shapes do not fit, `k` is out of its range, numbers are
            not finite, or there is no such engine.
        ImportError: If the engine is not installed.

    Example:

    >>> vectors = np.array([[0, 0], [3, 4], [6, 8]], "float32")
    >>> nearest(vectors, vectors[:1], k=2)
    (array([[0., 5.]]), array([[0, 1]]))

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 6.1, figure 4 (right).
    """
    if np.ndim(vectors) != 2:
        raise ValueError(
            "`vectors` must have shape (n, width). "
            f"Received: shape={np.shape(vectors)}"
        )
    return nearest_of_blocks([vectors], queries, k, engine)


def nearest_of_blocks(blocks, queries, k, engine="auto"):
    """As `nearest`, of vectors that come in several arrays.

    Only one of them is in memory at a time where they are memory maps.

    Args:
        blocks: List of arrays of shape `(n_i, width)`.
        queries, k, engine: As of `nearest`.

    Returns:
        As `nearest`; rows are numbered through all blocks.

    Raises:
        ValueError, ImportError: As of `nearest`.

    Example:

    >>> blocks = [np.array([[5.0]]), np.array([[1.0], [2.0]])]
    >>> nearest_of_blocks(blocks, np.array([[1.9]]), k=1)[1]
    array([[2]])
    """
    queries = _checked_queries(queries, blocks)
    count = sum(len(block) for block in blocks)
    if not isinstance(k, int | np.integer) or not 1 <= k <= count:
        raise ValueError(
            f"`k` must be an integer in 1 to {count}, the number of vectors. "
            f"Received: k={k!r}"
        )
    candidates = _CANDIDATES[engine_module(engine)]
    distances = np.empty((len(queries), 0))
    numbers = np.empty((len(queries), 0), "int64")
    start = 0
    for block in blocks:
        if len(block):
            block = np.ascontiguousarray(block, "float32")
            found = candidates(block, queries, min(len(block), k + SPARE))
            distances, numbers = _merged(
                (distances, numbers),
                (_distances(block, queries, found), found + start),
                k,
            )
        start += len(block)
    return distances, numbers


def _checked_queries(queries, blocks):
    queries = np.ascontiguousarray(queries, "float32")
    widths = {np.shape(block)[1] for block in blocks}
    if queries.ndim != 2 or widths - {queries.shape[1]}:
        raise ValueError(
            "`queries` must have shape (m, width), as wide as the vectors. "
            f"Received: shape={queries.shape} for vectors of {sorted(widths)}"
        )
    if not np.isfinite(queries).all():
        raise ValueError("`queries` must be finite. Received: NaN or infinity")
    return queries


def _distances(block, queries, numbers):
    """Distances of each query from its candidates, in 64 bits."""
    return np.stack(
        [
            np.linalg.norm(block[row].astype("float64") - query, axis=1)
            for query, row in zip(queries, numbers, strict=True)
        ]
    ).reshape(numbers.shape)


def _merged(kept, new, k):
    """The `k` nearest of two lots, by distance and then by number."""
    distances = np.concatenate([kept[0], new[0]], axis=1)
    numbers = np.concatenate([kept[1], new[1]], axis=1)
    order = np.lexsort((numbers, distances), axis=1)[:, :k]
    return (
        np.take_along_axis(distances, order, axis=1),
        np.take_along_axis(numbers, order, axis=1),
    )


def _by_sklearn(block, queries, k):
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(block)
    return search.kneighbors(queries, return_distance=False)


def _by_faiss(block, queries, k):
    import faiss

    return faiss.knn(queries, block, k)[1]


_CANDIDATES = {"sklearn": _by_sklearn, "faiss": _by_faiss}
