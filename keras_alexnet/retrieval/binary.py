"""Codes of bits: packed, compared, searched."""

import importlib.util

import numpy as np

# Queries at a time, so that the table of their distances stays small.
AT_ONCE = 64


def pack_bits(bits):
    """Packs bits into bytes, as FAISS takes them.

    Args:
        bits: Boolean array of shape `(n, bits)`.

    Returns:
        uint8 array of shape `(n, ceil(bits / 8))`; missing bits are 0.

    Example:

    >>> pack_bits([[True, False, True]]).tolist()
    [[160]]
    """
    return np.packbits(np.asarray(bits, bool), axis=1)


class SignCodes:
    """The base of codes whose bits are the signs of what `project` returns."""

    def encode(self, vectors):
        """The codes of vectors.

        Args:
            vectors: Array of shape `(n, width)`.

        Returns:
            uint8 array of shape `(n, ceil(bits / 8))`.
        """
        return pack_bits(self.project(vectors) > 0)


def hamming_distances(codes, queries):
    """How many bits of each code differ from those of each query.

    Args:
        codes: uint8 array of shape `(n, bytes)`.
        queries: uint8 array of shape `(m, bytes)`.

    Returns:
        uint16 array of shape `(m, n)`.

    Raises:
        ValueError: If they are no bytes, or of different lengths.

    Example:

    >>> codes = pack_bits([[0, 0, 0], [0, 1, 1]])
    >>> hamming_distances(codes, codes).tolist()
    [[0, 2], [2, 0]]
    """
    codes, queries = _checked(codes, queries)
    distances = np.zeros((len(queries), len(codes)), "uint16")
    # Byte by byte: a table of all bytes would be as many times larger.
    for column in range(codes.shape[1]):
        different = queries[:, column, None] ^ codes[None, :, column]
        distances += np.bitwise_count(different)
    return distances


def nearest_codes(codes, queries, k, engine="auto"):
    """The `k` codes nearest to each query, by Hamming distance.

    Many codes are equally near. Of those that an engine returns the lower
    number comes first; which of the ones at the largest distance it returns
    is the engine's choice.

    Args:
        codes: uint8 array of shape `(n, bytes)`, as of `pack_bits`.
        queries: uint8 array of shape `(m, bytes)`.
        k: Integer in 1 to `n`.
        engine: `"numpy"`, `"faiss"` or `"auto"`: FAISS where it is installed.
            Defaults to `"auto"`.

    Returns:
        Tuple of two int64 arrays of shape `(m, k)`: distances in bits, and
        numbers of rows.

    Raises:
        ValueError: If shapes do not fit, `k` is out of its range, or there is
            no such engine.
        ImportError: If FAISS is asked for and not installed.

    Example:

    >>> codes = pack_bits([[0, 0, 0], [0, 1, 1], [1, 1, 1]])
    >>> nearest_codes(codes, codes[:1], k=2)
    (array([[0, 2]]), array([[0, 1]]))
    """
    codes, queries = _checked(codes, queries)
    if not isinstance(k, int | np.integer) or not 1 <= k <= len(codes):
        raise ValueError(
            f"`k` must be an integer in 1 to {len(codes)}, the number of "
            f"codes. Received: k={k!r}"
        )
    search = _by_faiss if _is_faiss(engine) else _by_numpy
    distances, numbers = search(codes, queries, k)
    order = np.lexsort((numbers, distances), axis=1)
    return (
        np.take_along_axis(distances, order, axis=1).astype("int64"),
        np.take_along_axis(numbers, order, axis=1).astype("int64"),
    )


def _checked(codes, queries):
    codes, queries = np.asarray(codes), np.asarray(queries)
    kinds = {(x.dtype.name, x.ndim, x.shape[-1:]) for x in (codes, queries)}
    if len(kinds) > 1 or codes.dtype != "uint8" or codes.ndim != 2:
        raise ValueError(
            "`codes` and `queries` must be bytes (n, bytes) of one length. "
            f"Received: {codes.dtype} {codes.shape} and {queries.dtype} "
            f"{queries.shape}"
        )
    return codes, queries


def _is_faiss(engine):
    if engine not in ("auto", "numpy", "faiss"):
        raise ValueError(
            '`engine` must be "auto", "numpy" or "faiss". '
            f"Received: engine={engine!r}"
        )
    there = importlib.util.find_spec("faiss") is not None
    if engine == "faiss" and not there:
        raise ImportError(
            "FAISS is not installed. Install it with `pip install faiss-cpu`, "
            'or pass `engine="numpy"`.'
        )
    return there and engine != "numpy"


def _by_numpy(codes, queries, k):
    distances = np.empty((len(queries), k), "uint16")
    numbers = np.empty((len(queries), k), "int64")
    for start in range(0, len(queries), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        all_of_them = hamming_distances(codes, queries[rows])
        numbers[rows] = np.argsort(all_of_them, axis=1, kind="stable")[:, :k]
        distances[rows] = np.take_along_axis(all_of_them, numbers[rows], axis=1)
    return distances, numbers


def _by_faiss(codes, queries, k):
    import faiss

    index = faiss.IndexBinaryFlat(8 * codes.shape[1])
    index.add(np.ascontiguousarray(codes))
    return index.search(np.ascontiguousarray(queries), k)
