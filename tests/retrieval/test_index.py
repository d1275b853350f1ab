import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from colored_pictures import network
from colored_pictures import read
from colored_pictures import write_pictures

from keras_alexnet.retrieval import ImageIndex
from keras_alexnet.retrieval import index as index_module
from keras_alexnet.retrieval import index_files
from keras_alexnet.retrieval import layer_features
from keras_alexnet.retrieval.index_files import Part
from keras_alexnet.retrieval.rows import Rows

pytest.importorskip("PIL.Image", reason="writes pictures")
pytest.importorskip("sklearn", reason="searches")


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture
def photos(tmp_path):
    return write_pictures(tmp_path / "photos")


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(index_module, "PART", 5)


def names(neighbors):
    return ["/".join(pathlib.Path(n.path).parts[-2:]) for n in neighbors]


def test_neighbors_by_the_definition(model, photos, small_parts):
    index = ImageIndex(model)
    assert index.add(photos) == len(index) == 12
    features = layer_features(model, [read(path) for path in index.paths])
    np.testing.assert_allclose(index.features(), features, rtol=1e-5)
    query = photos / "green" / "2.png"
    (found,) = index.search(query, k=11)
    own = features[index.paths.index(str(query))].astype("float64")
    distances = np.linalg.norm(features - own, axis=1)
    order = np.argsort(distances, kind="stable")
    assert [n.path for n in found] == [index.paths[i] for i in order[1:]]
    np.testing.assert_allclose(
        [n.distance for n in found], distances[order[1:]], rtol=1e-4
    )
    # Colors are what the pictures differ in.
    assert all(name.startswith("green") for name in names(found[:3]))


def test_queries_of_all_kinds(model, photos, tmp_path):
    index = ImageIndex(model)
    index.add([photos / "red" / "0.png", photos / "blue" / "0.png"])
    pixels = read(photos / "red" / "1.png")
    for query in (
        photos / "red" / "1.png",
        str(photos / "red" / "1.png"),
        pixels,
        pixels.astype("float32"),
        [pixels],
        pixels[None],
    ):
        (found,) = index.search(query, k=2)
        assert names(found) == ["red/0.png", "blue/0.png"]
    two = index.search([pixels, read(photos / "blue" / "3.png")], k=1)
    assert [names(found) for found in two] == [["red/0.png"], ["blue/0.png"]]


@pytest.mark.parametrize("engine", ["sklearn", "faiss"])
def test_kept_on_disk_and_extended(
    engine, model, photos, tmp_path, small_parts
):
    pytest.importorskip(engine)
    whole = ImageIndex(model)
    whole.add(photos)
    folder = tmp_path / "index"
    ImageIndex(model, directory=folder).add(photos / "red")
    index = ImageIndex(model, directory=folder)
    assert len(index) == 4
    assert index.add(photos) == 8 and index.add(photos) == 0
    loaded = ImageIndex.load(folder, model)
    assert sorted(loaded.paths) == sorted(whole.paths)
    query = photos / "blue" / "1.png"
    for a, b in zip(
        loaded.search(query, 6, engine)[0],
        whole.search(query, 6, "sklearn")[0],
        strict=True,
    ):
        assert a.path == b.path
        assert a.distance == pytest.approx(b.distance, rel=1e-5)
    # What is read is a map of a file, so that it need not fit into memory.
    assert isinstance(loaded._rows.blocks()[0], np.memmap)


def test_saved_from_memory(model, photos, tmp_path, small_parts):
    index = ImageIndex(model)
    index.add(photos)
    index.save(tmp_path / "index")
    loaded = ImageIndex.load(tmp_path / "index", model)
    assert loaded.paths == index.paths
    np.testing.assert_array_equal(loaded.features(), index.features())
    with pytest.raises(ValueError, match="must be empty, or hold.*'000000."):
        index.save(tmp_path / "index")


def test_an_interrupted_save_is_no_index(
    model, photos, tmp_path, small_parts, monkeypatch
):
    """A shorter one would be taken for the whole."""
    index = ImageIndex(model)
    index.add(photos)
    write = index_files.write_part

    def interrupted(directory, number, part):
        if number == 1:
            raise KeyboardInterrupt
        write(directory, number, part)

    monkeypatch.setattr(index_files, "write_part", interrupted)
    with pytest.raises(KeyboardInterrupt):
        index.save(tmp_path / "index")
    with pytest.raises(ValueError, match="`directory` must hold an index"):
        ImageIndex.load(tmp_path / "index", model)


def test_files_that_cannot_be_read(model, photos):
    (photos / "red" / "broken.png").write_bytes(b"no image")
    (photos / "red" / "empty.jpg").write_bytes(b"")
    (photos / "red" / "gone.png").symlink_to(photos / "nowhere.png")
    (photos / "red" / "notes.doc").write_text("not an image")
    (photos / "red" / "notes.txt").write_text("clutter")
    index = ImageIndex(model)
    with pytest.warns(UserWarning, match="4 files cannot be read and are le"):
        assert index.add(photos) == 12
    assert {os.path.basename(path) for path in index.skipped} == {
        "broken.png",
        "empty.jpg",
        "gone.png",
        "notes.doc",
    }
    assert (
        "Unknown image file format"
        in index.skipped[str(photos / "red" / "broken.png")]
    )
    with pytest.raises(ValueError, match="query .*broken.png cannot be read: "):
        index.search(photos / "red" / "broken.png")
    with pytest.raises(ValueError, match="absent.png cannot be read: No such"):
        index.search("absent.png")
    with pytest.warns(UserWarning, match="The first: .*absent.png: No such f"):
        assert index.add(["absent.png"]) == 0


def test_names_that_are_no_text(model, photos):
    strange = os.fsencode(photos) + b"/red/\xff\xfe ,\n.png"
    os.rename(photos / "red" / "0.png", strange)
    index = ImageIndex(model)
    assert index.add(photos) == 12
    assert os.fsdecode(strange) in index.paths


def test_folders_that_hold_nothing(model, tmp_path):
    index = ImageIndex(model)
    with pytest.raises(ValueError, match="must be a folder.*'.*x', which is n"):
        index.add(tmp_path / "x")
    (tmp_path / "notes.txt").write_text("clutter")
    with pytest.raises(ValueError, match="must hold images. Received: 0 files"):
        index.add(tmp_path)
    with pytest.raises(ValueError, match="integer in 1 to 0, .*k=5"):
        index.search(np.zeros((8, 8, 3), "uint8"))


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_folder_that_has_changed(model, photos, tmp_path, on_disk):
    folder = tmp_path / "index" if on_disk else None
    index = ImageIndex(model, directory=folder)
    index.add(photos)
    one, two = photos / "red" / "1.png", photos / "red" / "2.png"
    one.unlink()
    os.replace(photos / "blue" / "3.png", two)
    assert index.changes() == (
        [str(two)],
        [str(photos / "blue" / "3.png"), str(one)],
    )
    with pytest.raises(ValueError, match="1 files have changed.*red/2.png"):
        index.add(photos)
    query = photos / "red" / "0.png"
    with pytest.raises(
        ValueError, match=r"(red/1|blue/3).png was found and is gone"
    ):
        index.search(query, k=11)
    assert len(index.search(query, k=11, check_files=False)[0]) == 11
    assert index.update() == (1, 2)
    assert index.changes() == ([], []) and len(index) == 10
    if on_disk:
        index = ImageIndex.load(folder, model)
    assert len(index) == 10 and str(one) not in index.paths
    (found,) = index.search(photos / "blue" / "0.png", k=3)
    assert "red/2.png" in names(found)
    # What comes back is added.
    os.replace(two, one)
    assert index.add([one]) == 1 and index.update() == (0, 1)
    assert len(index) == 10


def test_a_disk_that_is_missing_is_not_forgotten(model, photos):
    index = ImageIndex(model)
    index.add(photos)
    photos.rename(photos.with_name("elsewhere"))
    with pytest.raises(ValueError, match="None of the 12 files.*blue/0.png"):
        index.update()
    assert len(index) == 12


def test_a_query_is_not_its_own_neighbor(model, photos):
    index = ImageIndex(model)
    index.add(photos)
    query = photos / "red" / "0.png"
    with pytest.raises(ValueError, match="in 1 to 11, .*k=12"):
        index.search(query, k=12)
    (found,) = index.search(read(query), k=12)
    assert found[0].path == str(query)
    assert found[0].distance == pytest.approx(0, abs=1e-2)


def test_an_index_of_something_else(model, photos, tmp_path):
    folder = tmp_path / "index"
    index = ImageIndex(model, directory=folder)
    index.add(photos)
    with pytest.raises(ValueError, match="of the layer 'fc7'. .*layer='fc6'"):
        ImageIndex(model, "fc6", folder)
    with pytest.raises(ValueError, match="of another network, or of other we"):
        ImageIndex.load(folder, network(seed=2))
    with pytest.raises(ValueError, match="must be empty, or hold an index"):
        ImageIndex(model, directory=photos)
    with pytest.raises(ValueError, match="`directory` must hold an index"):
        ImageIndex.load(photos, model)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


def rename_an_image(path):
    path.write_text(path.read_text().replace("a.png", "o.png"))


def pickle(path):
    np.save(path, np.array([{}], object), allow_pickle=True)


@pytest.mark.parametrize(
    "name, damage",
    [
        ("index.json", cut),
        ("probe.npy", flip),
        ("000000.npy", cut),
        ("000000.npy", flip),
        ("000000.npy", pickle),
        ("000000.npy", pathlib.Path.unlink),
        ("000000.json", cut),
        ("000000.json", rename_an_image),
        ("000000.json", pathlib.Path.unlink),
        ("removed.json", cut),
    ],
)
def test_damage_is_named(tmp_path, name, damage):
    index_files.create(tmp_path, "fc7", np.ones((3, 6), "float32"))
    rows = Rows(tmp_path, 6)
    for path in ("a.png", "b.png"):
        rows.append(Part(np.ones((1, 6), "float32"), [(path, 10, 20)]))
    rows.remove(["b.png"])
    assert Rows(tmp_path, 6).paths == ["a.png"]
    damage(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name} is absent or damaged, so"):
        index_files.read_header(tmp_path)
        Rows(tmp_path, 6)


def test_a_later_version(model, tmp_path):
    ImageIndex(model, directory=tmp_path / "index")
    path = tmp_path / "index" / "index.json"
    header = json.loads(path.read_text())
    path.write_text(json.dumps({**header, "version": 2}))
    with pytest.raises(ValueError, match="index.json .*its version is 2"):
        ImageIndex.load(tmp_path / "index", model)


def test_two_writers(model, photos, tmp_path):
    folder = tmp_path / "index"
    first = ImageIndex(model, directory=folder)
    second = ImageIndex(model, directory=folder)
    with index_files.writing(folder):
        with pytest.raises(RuntimeError, match="Another process writes to th"):
            first.add(photos)
    first.add(photos / "red")
    with pytest.raises(RuntimeError, match="has added images to .*Open it ag"):
        second.add(photos / "blue")


KILLED = """
import os, sys
from colored_pictures import network
from keras_alexnet.retrieval import ImageIndex
from keras_alexnet.retrieval import index, index_files
index.PART = 5
before = index_files._write_json
def killed(path, value):
    if path.name == "000001.json":
        os.kill(os.getpid(), 9)
    before(path, value)
index_files._write_json = killed
ImageIndex(network(), directory=sys.argv[2]).add(sys.argv[1])
"""


@pytest.mark.slow
def test_a_killed_build_goes_on(model, photos, tmp_path, small_parts):
    tests = pathlib.Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, photos, tmp_path / "index"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                map(str, (tests.parent, tests, tests / "retrieval"))
            ),
        },
        timeout=300,
    )
    assert done.returncode == -9
    # A process that is killed leaves its lock unlocked, and half a part.
    assert (tmp_path / "index" / "000001.npy").exists()
    index = ImageIndex.load(tmp_path / "index", model)
    assert len(index) == 5
    assert index.add(photos) == 7
    whole = ImageIndex(model)
    whole.add(photos)
    np.testing.assert_allclose(
        ImageIndex.load(tmp_path / "index", model).features(),
        whole.features(),
        rtol=1e-5,
    )


def test_a_path_of_two_rows_is_gone_for_good(tmp_path):
    """Its earlier row does not count again when the index is opened."""
    directory = tmp_path / "index"
    directory.mkdir()
    rows = Rows(directory, 1)
    rows.append(Part(np.zeros((2, 1), "float32"), [("a", 1, 1), ("b", 1, 1)]))
    rows.append(Part(np.ones((1, 1), "float32"), [("a", 2, 2)]))
    rows.remove(["a"])
    assert rows.paths == Rows(directory, 1).paths == ["b"]
