import pathlib
import types

import numpy as np
import pytest
import tensorflow as tf
from pictures import picture

from keras_alexnet.data import load_source
from keras_alexnet.data.tfds import _from_array_records
from keras_alexnet.data.tfds import _reader
from keras_alexnet.data.tfds import open_tfds

tfds = pytest.importorskip("tensorflow_datasets")

NAMES = ("train", "test", "validation")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Prepares a small TFDS data set; returns its `data_dir`."""

    def store(name, labels, file_format=None, **changes):
        folder = tmp_path_factory.mktemp(name)
        features = {
            "image": tfds.features.Image(encoding_format="png"),
            "label": tfds.features.ClassLabel(names=["cat", "dog"]),
        }
        features.update(changes)
        tfds.dataset_builders.store_as_tfds_dataset(
            name,
            version="1.2.3",
            features=tfds.features.FeaturesDict(features),
            split_datasets={
                split: [
                    (i, {"image": picture(12, 16, i), "label": label})
                    for i, label in enumerate(numbers)
                ]
                for split, numbers in labels.items()
            },
            data_dir=folder,
            file_format=file_format,
            disable_shuffling=True,
        )
        return folder

    return store


@pytest.fixture(scope="module")
def pets(store):
    return store("pets", {"train": [0, 1, 1, 0, 1], "test": [1, 0]})


def test_prepared_data_set(pets):
    source = load_source("pets", pets)
    assert source.class_names == ("cat", "dog")
    assert source.counts == {"train": 5, "test": 2}
    found = list(source.dataset("train").as_numpy_iterator())
    assert [label for _, label, _ in found] == [0, 1, 1, 0, 1]
    for i, (image, _, _) in enumerate(found):
        np.testing.assert_array_equal(image, picture(12, 16, i))
    assert len({name for _, _, name in found}) == 5


def test_folder_of_a_prepared_data_set(pets):
    source = load_source(pets / "pets" / "1.2.3")
    assert source.counts == {"train": 5, "test": 2}


def test_by_position_reads_the_same(pets, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    _, kept, first = open_tfds("pets", pets, NAMES)
    for _ in range(2):
        _, read, second = open_tfds("pets", pets, NAMES, 0)
        assert first == second and kept.keys() == read.keys()
        for split in kept:
            assert read[split].labels is None
            assert read[split].count == kept[split].count
            for i in reversed(range(read[split].count)):
                index = tf.constant(i, tf.int64)
                ours, theirs = (
                    read[split].fetch(index),
                    kept[split].fetch(index),
                )
                assert ours[:2] == theirs[:2]
                assert read[split].name_of(i) == f"{split}[{i}]"
    assert len(list((tmp_path / "keras_alexnet").iterdir())) == 2


def test_array_records_read_the_same(pets, store):
    pytest.importorskip("array_record")
    labels = {"train": [0, 1, 1, 0, 1], "test": [1, 0]}
    source = load_source("arrays", store("arrays", labels, "array_record"))
    same = load_source("pets", pets)
    assert source.counts == same.counts
    for split in ("train", "test"):
        ours = list(source.dataset(split).as_numpy_iterator())
        theirs = list(same.dataset(split).as_numpy_iterator())
        for (image, label, _), (x, y, _) in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(image, x)
            assert label == y
    assert source.split("train").name_of(3) == "train[3]"


def test_array_records_need_their_library():
    def as_data_source(**_):
        raise ImportError("No module named 'array_record'")

    builder = types.SimpleNamespace(
        as_data_source=as_data_source,
        info=types.SimpleNamespace(full_name="arrays/1.2.3"),
    )
    with pytest.raises(
        ImportError, match="arrays/1.2.3 is stored.*`pip install array_record`"
    ):
        _from_array_records(builder, "train", ("image", "label"))


def test_formats_that_cannot_be_read_by_position():
    info = tfds.core.FileFormat.RIEGELI
    builder = types.SimpleNamespace(
        info=types.SimpleNamespace(file_format=info, full_name="riegeli/1")
    )
    size = types.SimpleNamespace(num_bytes=2)
    with pytest.raises(ValueError, match="stored as riegeli. Store it as tfr"):
        _reader(builder, size, 1)


def test_by_position_in_a_source(pets, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras_alexnet.data.tfds.MEMORY_LIMIT", 0)
    source = load_source("pets", pets, holdout=0.4)
    assert source.split("train").labels is None
    assert source.counts == {"train": 3, "test": 2, "holdout": 2}
    numbers = [
        name.numpy()
        for split in ("train", "holdout")
        for _, _, name in source.dataset(split)
    ]
    assert sorted(numbers) == [b"train[%d]" % i for i in range(5)]


def test_a_remote_set_is_the_local_one(pets, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    remote, folder = "ram://bucket/pets", pets / "pets" / "1.2.3"
    for path in folder.iterdir():
        with tf.io.gfile.GFile(f"{remote}/{path.name}", "wb") as file:
            file.write(path.read_bytes())
    local = load_source(folder, holdout=0.2)
    # The second time all of it is there.
    for _ in range(2):
        source = load_source(remote, holdout=0.2)
        assert source.name == remote
        assert pathlib.Path(source.folder).is_relative_to(tmp_path)
        assert source.counts == {"train": 4, "test": 2, "holdout": 1}
        assert source.fingerprint == local.fingerprint
        images = [
            image.tobytes()
            for split in ("train", "holdout")
            for image, _, _ in source.dataset(split).as_numpy_iterator()
        ]
        expected = [picture(12, 16, i).tobytes() for i in range(5)]
        assert sorted(images) == sorted(expected)


def test_truncated_file_of_records(store, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    folder = store("short", {"train": [0, 1, 1]})
    (file,) = folder.rglob("*train.tfrecord*")
    length = int.from_bytes(file.read_bytes()[:8], "little")
    file.write_bytes(file.read_bytes()[: 16 + length])
    with pytest.raises(ValueError, match="hold 1 records.*says 3.*truncated"):
        open_tfds("short", folder, NAMES, 0)


def test_a_record_that_is_cut_off(store, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    folder = store("cut", {"train": [0, 1, 1]})
    (file,) = folder.rglob("*train.tfrecord*")
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(ValueError, match="is truncated or no file of records"):
        open_tfds("cut", folder, NAMES, 0)


def test_unlabelled_test_split_is_left_out(store, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    labels = {"train": [0, 1], "validation": [1], "test": [-1, -1]}
    folder = store("blind", labels)
    source = load_source("blind", folder)
    assert source.counts == {"train": 2, "test": 1}
    monkeypatch.setattr("keras_alexnet.data.tfds.MEMORY_LIMIT", 0)
    assert load_source("blind", folder).counts == source.counts


def test_needs_an_image_and_a_class(store):
    folder = store(
        "numbers", {"train": [0]}, label=tfds.features.Scalar(np.int64)
    )
    with pytest.raises(ValueError, match="'label' is no ClassLabel. It has"):
        load_source("numbers", folder)


def test_unknown_name(tmp_path):
    with pytest.raises(ValueError, match="Received: source='no_such_thing'"):
        load_source("no_such_thing", tmp_path)


@pytest.mark.parametrize("name", ["./none", "My Photos", "a/b/c", "~/none"])
def test_a_folder_that_does_not_exist(name):
    with pytest.raises(ValueError, match="There is no folder /.*source='"):
        load_source(name)


def test_an_absent_data_dir_starts_no_download(tmp_path):
    with pytest.raises(ValueError, match="`data_dir` must be a folder that ex"):
        load_source("imagenette/160px-v2", tmp_path / "tfsd")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["imagenette/9px", "imagenette:9.9.9"])
def test_a_version_that_tfds_does_not_know(name, tmp_path):
    with pytest.raises(ValueError, match=f"TFDS cannot open '{name}'"):
        load_source(name, tmp_path)


def test_imagenette(shared_tfds):
    source = load_source("imagenette/160px-v2", shared_tfds, holdout=0.1)
    assert len(source.class_names) == 10
    assert sum(source.counts.values()) == 9469 + 1975
    assert source.counts["test"] == 1975
    image, label, _ = next(iter(source.dataset("holdout")))
    assert image.shape == (224, 224, 3) and 0 <= int(label) < 10


@pytest.fixture
def doubtful(store, monkeypatch, tmp_path):
    """Read by position, one label is of no class."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr("keras_alexnet.data.tfds.MEMORY_LIMIT", 0)
    return store(
        "doubtful",
        {"train": [1, -1, 1, 1, 2], "test": [1]},
        label=tfds.features.ClassLabel(names=["bird", "cat", "dog"]),
    )


def test_label_out_of_range_by_position(doubtful):
    source = load_source("doubtful", doubtful)
    with pytest.raises(tf.errors.InvalidArgumentError, match="has label.*-1"):
        list(source.dataset("train"))


def test_labels_are_scanned_when_bad_ones_are_skipped(doubtful):
    source = load_source("doubtful", doubtful, on_error="skip")
    assert source.counts == {"train": 4, "test": 1}
    assert source.class_names == ("cat", "dog")
    label, empty = source.skipped
    assert "train[1] has label -1" in label
    assert "no training image of 'bird'" in empty
