"""Codes of bits: of principal components, and of an auto-encoder."""

import builtins

import numpy as np
import pytest

from keras_alexnet.retrieval import AutoencoderCodes
from keras_alexnet.retrieval import PCACodes
from keras_alexnet.retrieval import hamming_distances
from keras_alexnet.retrieval import nearest_codes
from keras_alexnet.retrieval import pack_bits
from keras_alexnet.retrieval import precision_at_k


def clusters(n=240, width=30, count=6):
    """Vectors around a few centers, of which each number is one."""
    rng = np.random.default_rng(0)
    centers = np.maximum(rng.normal(size=(count, width)), 0)
    labels = np.arange(n) % count
    noise = rng.normal(size=(n, width)) * 0.25
    return (centers[labels] + noise).astype("float32") * 40, labels


def random_codes(n, bits, seed=0):
    return np.random.default_rng(seed).random((n, bits)) < 0.5


@pytest.mark.parametrize("bits", [5, 28, 64])
def test_hamming_distances_by_the_definition(bits):
    x, queries = random_codes(50, bits), random_codes(7, bits, seed=1)
    want = (x[None] != queries[:, None]).sum(axis=-1)
    got = hamming_distances(pack_bits(x), pack_bits(queries))
    np.testing.assert_array_equal(got, want)
    assert pack_bits(x).shape == (50, -(-bits // 8))


@pytest.mark.parametrize("engine", ["numpy", "faiss", "auto"])
@pytest.mark.parametrize("bits", [12, 64])
def test_nearest_codes(engine, bits):
    if engine == "faiss":
        pytest.importorskip("faiss")
    x, queries = random_codes(200, bits), random_codes(70, bits, seed=1)
    want = (x[None] != queries[:, None]).sum(axis=-1)
    distances, numbers = nearest_codes(
        pack_bits(x), pack_bits(queries), 9, engine
    )
    np.testing.assert_array_equal(distances, np.sort(want, axis=1)[:, :9])
    np.testing.assert_array_equal(
        np.take_along_axis(want, numbers, axis=1), distances
    )
    if engine == "numpy":
        order = np.argsort(want, axis=1, kind="stable")
        np.testing.assert_array_equal(numbers, order[:, :9])


@pytest.mark.parametrize(
    "codes, queries, options, message",
    [
        (np.zeros((2, 3)), np.zeros((1, 3)), {}, r"float64 \(2, 3\) and flo"),
        (np.zeros((2, 3), "uint8"), np.zeros((1, 4), "uint8"), {}, r"\(1, 4\)"),
        (*[np.zeros((2, 3), "uint8")] * 2, {"k": 3}, "in 1 to 2, .*k=3"),
        (
            *[np.zeros((2, 3), "uint8")] * 2,
            {"engine": "x"},
            "`engine` must.*'x'",
        ),
    ],
)
def test_codes_that_cannot_be_searched(codes, queries, options, message):
    with pytest.raises(ValueError, match=message):
        nearest_codes(codes, queries, **{"k": 1, **options})


def test_faiss_that_is_not_there(monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    codes = pack_bits(random_codes(3, 8))
    with pytest.raises(ImportError, match="`pip install faiss-cpu`, or pass"):
        nearest_codes(codes, codes, 1, "faiss")
    assert nearest_codes(codes, codes, 1)[1].ravel().tolist() == [0, 1, 2]


def test_components_are_those_of_the_singular_values():
    pytest.importorskip("sklearn")
    x, _ = clusters()
    _, _, right = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    want = (x - x.mean(axis=0)) @ right[:5].T
    got = PCACodes.fit(x, 5).project(x)
    # The sign of a component is arbitrary.
    np.testing.assert_allclose(np.abs(got), np.abs(want), atol=0.05)
    codes = PCACodes.fit(x, 5)
    np.testing.assert_array_equal(codes.encode(x), pack_bits(got > 0))


def test_rotated_components_are_nearer_to_their_signs():
    pytest.importorskip("sklearn")
    x, _ = clusters()
    plain, itq = (PCACodes.fit(x, 12, rotation=r) for r in (None, "itq"))
    np.testing.assert_allclose(
        itq.components.T @ itq.components, np.eye(12), atol=1e-5
    )

    def loss(codes):
        z = codes.project(x)
        return ((z - np.where(z > 0, 1, -1)) ** 2).sum()

    assert loss(itq) < loss(plain)
    # They span the same space.
    np.testing.assert_allclose(
        plain.components @ (plain.components.T @ itq.components),
        itq.components,
        atol=1e-4,
    )


def autoencoder(x, **options):
    options = {"bits": 16, "hidden": (32,), "epochs": 30, **options}
    return AutoencoderCodes.fit(x, batch_size=32, **options)


def test_an_autoencoder_tells_clusters_apart():
    x, labels = clusters()
    codes = autoencoder(x[:120], epochs=60, learning_rate=0.01)
    losses = codes.history["loss"]
    assert losses[-1] < 0.5 * losses[0] and losses[-1] < 0.6
    # Of vectors that it was not trained on.
    packed = codes.encode(x[120:])
    np.testing.assert_array_equal(packed, pack_bits(codes.project(x[120:]) > 0))
    relevant = labels[120:, None] == labels[None, 120:]
    precision = precision_at_k(
        hamming_distances(packed, packed), relevant, 10
    ).mean()
    assert precision > 0.9


def test_the_same_seed_gives_the_same_codes():
    x, _ = clusters()
    first, again, other = (
        autoencoder(x, epochs=2, seed=seed).encode(x) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_saved_and_loaded(tmp_path):
    pytest.importorskip("sklearn")
    x, _ = clusters()
    for codes, name in (
        (PCACodes.fit(x, 12, "itq"), "codes.npz"),
        (autoencoder(x, epochs=1), "codes.keras"),
    ):
        codes.save(tmp_path / name)
        loaded = type(codes).load(tmp_path / name)
        np.testing.assert_array_equal(loaded.encode(x), codes.encode(x))
        assert loaded.bits == codes.bits
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        with pytest.raises(ValueError, match=f"{name} is .*damaged"):
            type(codes).load(tmp_path / name)
        with pytest.raises(ValueError, match="`path` must end in .*'codes.x'"):
            codes.save("codes.x")
    np.savez(tmp_path / "codes.npz", mean=np.zeros(3))
    with pytest.raises(ValueError, match="holds no `PCACodes`"):
        PCACodes.load(tmp_path / "codes.npz")


@pytest.mark.parametrize("kind", [PCACodes, AutoencoderCodes])
@pytest.mark.parametrize(
    "change, options, message",
    [
        (lambda x: x[0], {}, r"`vectors` must have.*shape=\(30,\)"),
        (lambda x: x * np.nan, {}, "must be finite. Received: NaN"),
        (lambda x: x, {"bits": 0}, "`bits` must be a positive.*bits=0"),
        (lambda x: x, {"bits": 2.5}, "`bits` must be a positive.*bits=2.5"),
    ],
)
def test_what_cannot_be_encoded(kind, change, options, message):
    pytest.importorskip("sklearn")
    x, _ = clusters()
    with pytest.raises(ValueError, match=message):
        kind.fit(change(x), **{"bits": 4, **options})


def test_limits_of_each_kind(monkeypatch):
    x, _ = clusters()
    for bits, options, message in (
        (31, {}, "of at most 30, as many as there are.*bits=31"),
        (4, {"rotation": "pq"}, "`rotation` must be one of.*'pq'"),
    ):
        with pytest.raises(ValueError, match=message):
            PCACodes.fit(x, bits, **options)
    for options, message in (
        ({"noise": -1}, "`noise` must be 0 or more. Received: noise=-1"),
        ({"learning_rate": 0}, "`learning_rate` must be positive"),
    ):
        with pytest.raises(ValueError, match=message):
            autoencoder(x, **options)
    with pytest.raises(ValueError, match="not all equal. Received: 240"):
        autoencoder(np.ones_like(x))
    with pytest.raises(FloatingPointError, match="Lower `learning_rate`"):
        autoencoder(x, learning_rate=1e20, epochs=2)
    codes = autoencoder(x, epochs=1)
    with pytest.raises(ValueError, match=r"shape \(n, 30\). Received"):
        codes.encode(x[:, :20])

    def without_sklearn(name, *rest):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *rest)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without_sklearn)
    with pytest.raises(ImportError, match=r'"keras-alexnet\[retrieval\]"'):
        PCACodes.fit(x, 4)
