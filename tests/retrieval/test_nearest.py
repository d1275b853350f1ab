import numpy as np
import pytest

from keras_alexnet.retrieval import engines
from keras_alexnet.retrieval import nearest
from keras_alexnet.retrieval.nearest import nearest_of_blocks


def vectors(n=300, width=24, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width)).astype("float32")


def by_definition(x, queries, k):
    distances = np.sqrt(
        ((queries[:, None].astype("float64") - x[None]) ** 2).sum(axis=-1)
    )
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, order, axis=1), order


@pytest.mark.parametrize("engine", ["sklearn", "faiss", "auto"])
def test_as_the_definition_says(engine):
    pytest.importorskip("sklearn" if engine == "auto" else engine)
    x, queries = vectors(), vectors(30, seed=1)
    # Far from the origin, where 32 bits round distances most.
    for shift in (0.0, 100.0):
        got = nearest(
            x + np.float32(shift), queries + np.float32(shift), 7, engine
        )
        want = by_definition(
            x + np.float32(shift), queries + np.float32(shift), 7
        )
        np.testing.assert_allclose(got[0], want[0], rtol=1e-6)
        np.testing.assert_array_equal(got[1], want[1])


@pytest.mark.parametrize("engine", ["sklearn", "faiss"])
def test_blocks_are_one_array(engine, tmp_path):
    pytest.importorskip(engine)
    x, queries = vectors(), vectors(5, seed=1)
    np.save(tmp_path / "x.npy", x[:200])
    blocks = [
        np.load(tmp_path / "x.npy", mmap_mode="r"),
        x[:0],
        x[200:202],
        x[202:],
    ]
    got = nearest_of_blocks(blocks, queries, 290, engine)
    want = by_definition(x, queries, 290)
    np.testing.assert_allclose(got[0], want[0], rtol=1e-6)
    np.testing.assert_array_equal(got[1], want[1])


def test_the_lower_number_of_equals_comes_first():
    pytest.importorskip("sklearn")
    x = np.repeat(vectors(3), 4, axis=0)
    distances, numbers = nearest(x, x[5:6], 6, "sklearn")
    assert numbers[0, :4].tolist() == [4, 5, 6, 7]
    np.testing.assert_array_equal(distances[0, :4], 0)


@pytest.mark.parametrize(
    "x, queries, k, message",
    [
        (np.zeros(3), np.zeros((1, 3)), 1, r"`vectors` must have.*\(3,\)"),
        (np.zeros((2, 3)), np.zeros((1, 4)), 1, r"\(1, 4\) for .* of \[3\]"),
        (np.zeros((2, 3)), np.zeros(3), 1, r"`queries` must have.*\(3,\)"),
        (np.zeros((2, 3)), np.full((1, 3), np.nan), 1, "must be finite"),
        (np.zeros((2, 3)), np.zeros((1, 3)), 3, "in 1 to 2, .*k=3"),
        (np.zeros((2, 3)), np.zeros((1, 3)), 0, "in 1 to 2, .*k=0"),
        (np.zeros((2, 3)), np.zeros((1, 3)), 1.5, "integer.*k=1.5"),
    ],
)
def test_wrong_arguments(x, queries, k, message):
    with pytest.raises(ValueError, match=message):
        nearest(x, queries, k)


def test_engines_that_are_not_there(monkeypatch):
    with pytest.raises(ValueError, match="`engine` must be one of.*'annoy'"):
        nearest(vectors(), vectors(1), 1, "annoy")
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="`pip install faiss-cpu`"):
        nearest(vectors(), vectors(1), 1, "faiss")
    with pytest.raises(ImportError, match=r'"keras-alexnet\[retrieval\]"'):
        nearest(vectors(), vectors(1), 1)
