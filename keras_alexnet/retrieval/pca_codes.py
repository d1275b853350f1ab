"""Short codes from principal components: what learned codes must beat."""

import zipfile

import numpy as np

from keras_alexnet.disk import replacing
from keras_alexnet.retrieval.binary import SignCodes

ROTATIONS = (None, "itq")
# Gong and Lazebnik find that 50 are enough.
ITQ_STEPS = 50


class PCACodes(SignCodes):
    """Projects vectors to principal components, and takes their signs.

    ```
    z = (x - mean) W,  bit_i = z_i > 0
    ```

    With `rotation="itq"` the components are rotated so that their signs lose
    as little as possible: `min |sign(V R) - V R|²` over rotations `R`, by
    turns for the signs and for `R` (iterative quantization).

    `fit` makes one; the arguments here are what it finds.

    Args:
        mean: Array of shape `(width,)`.
        components: Array of shape `(width, bits)`.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> codes = PCACodes.fit(rng.normal(size=(100, 20)), bits=12)
    >>> codes.encode(np.zeros((3, 20))).shape, codes.bits
    ((3, 2), 12)

    Reference: [Gong and Lazebnik, 2011](
    https://slazebni.cs.illinois.edu/publications/cvpr11_small_code.pdf),
    section 2.
    """

    def __init__(self, mean, components):
        self.mean = np.asarray(mean, "float32")
        self.components = np.asarray(components, "float32")

    @property
    def bits(self):
        return self.components.shape[1]

    @classmethod
    def fit(cls, vectors, bits, rotation=None, seed=0):
        """Finds the components of some vectors.

        Args:
            vectors: Array of shape `(n, width)`.
            bits: Integer, components; at most `n` and `width`.
            rotation: `None` or `"itq"`. Defaults to `None`.
            seed: Integer, of the search for components and for the rotation.
                Defaults to `0`.

        Returns:
            A `PCACodes`.

        Raises:
            ValueError: If there are fewer vectors or numbers than bits, they
                are not finite, or there is no such rotation.
            ImportError: If scikit-learn is not installed.
        """
        vectors = checked_vectors(vectors)
        if rotation not in ROTATIONS:
            raise ValueError(
                f"`rotation` must be one of {ROTATIONS}. "
                f"Received: rotation={rotation!r}"
            )
        check_bits(bits, most=min(vectors.shape))
        try:
            from sklearn.decomposition import PCA
        except ImportError as error:
            raise ImportError(
                "Principal components are found by scikit-learn. Install it "
                'with `pip install "keras-alexnet[retrieval]"`.'
            ) from error
        found = PCA(bits, svd_solver="randomized", random_state=seed)
        projected = found.fit_transform(vectors)
        components = found.components_.T
        if rotation == "itq":
            components = components @ _itq(projected, seed)
        return cls(found.mean_, components)

    def project(self, vectors):
        """The components of vectors.

        Args:
            vectors: Array of shape `(n, width)`.

        Returns:
            float32 array of shape `(n, bits)`.
        """
        vectors = checked_vectors(vectors, len(self.mean))
        return (vectors - self.mean) @ self.components

    def save(self, path):
        """Writes them to an `.npz` file, in full or not at all.

        Args:
            path: Path that ends in `.npz`.
        """
        check_ending(path, ".npz")
        with replacing(path) as temporary:
            np.savez(temporary, mean=self.mean, components=self.components)

    @classmethod
    def load(cls, path):
        """Reads what `save` wrote.

        Args:
            path: Path.

        Returns:
            A `PCACodes`.

        Raises:
            ValueError: If the file is damaged or holds something else.
        """
        check_ending(path, ".npz")
        try:
            with np.load(path, allow_pickle=False) as file:
                codes = cls(file["mean"], file["components"])
            if codes.mean.shape != codes.components.shape[:1]:
                raise ValueError("its arrays do not fit together")
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{path} is damaged, or holds no `PCACodes`: {error}"
            ) from error
        return codes


def checked_vectors(vectors, width=None):
    """Vectors as float32, refused if they are of another shape or NaN."""
    vectors = np.asarray(vectors, "float32")
    if vectors.ndim != 2 or width not in (None, vectors.shape[1]):
        raise ValueError(
            f"`vectors` must have shape (n, {width or 'width'}). "
            f"Received: shape={vectors.shape}"
        )
    if not np.isfinite(vectors).all():
        raise ValueError("`vectors` must be finite. Received: NaN or infinity")
    return vectors


def check_bits(bits, most=None):
    """Refuses a number of bits that is none, or more than there can be."""
    is_count = isinstance(bits, int | np.integer) and bits >= 1
    if not is_count or (most is not None and bits > most):
        limit = "" if most is None else f" of at most {most}, as many as there "
        limit += "are vectors and numbers in each" if limit else ""
        raise ValueError(
            f"`bits` must be a positive integer{limit}. Received: bits={bits!r}"
        )


def check_ending(path, ending):
    """Refuses a path that ends otherwise."""
    if not str(path).endswith(ending):
        raise ValueError(
            f"`path` must end in {ending}. Received: path={str(path)!r}"
        )


def _itq(projected, seed):
    """The rotation after which signs are nearest to the components."""
    bits = projected.shape[1]
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(bits, bits)))
    rotation = rotation.astype("float32")
    for _ in range(ITQ_STEPS):
        signs = np.where(projected @ rotation > 0, 1, -1).astype("float32")
        left, _, right = np.linalg.svd(projected.T @ signs)
        rotation = left @ right
    return rotation
