"""Archives of ImageNet's structure become records, whole and reproducible."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from data.imagenet_like import OPTIONS
from data.imagenet_like import SIDE
from data.imagenet_like import SYNSETS
from data.imagenet_like import contents
from data.imagenet_like import extract
from data.imagenet_like import numbered_images
from data.imagenet_like import training_images
from data.imagenet_like import write_small
from data.pictures import encode
from data.pictures import picture

from keras_alexnet.data import color_covariance
from keras_alexnet.data import decode
from keras_alexnet.data import load_source
from keras_alexnet.data import mean_color
from keras_alexnet.data import mean_image
from keras_alexnet.data import means
from keras_alexnet.data import prepare_imagenet
from keras_alexnet.data import resize_and_crop
from keras_alexnet.layers import PCAColorAugmentation

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    return write_small(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def prepared(archives, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared") / "set"
    prepare_imagenet(archives, folder, workers=1, **OPTIONS)
    return folder


def by_name(folder, split):
    """The encoded images and labels of a split, as TFDS reads them."""
    examples = tfds.builder_from_directory(folder).as_dataset(
        split=split, decoders={"image": tfds.decode.SkipDecoding()}
    )
    return {
        e["file_name"].decode(): (e["image"], int(e["label"]))
        for e in examples.as_numpy_iterator()
    }


def all_training_images():
    return {
        f"{synset}_{i}.JPEG": (content, label)
        for label, (synset, images) in enumerate(training_images().items())
        for i, content in enumerate(images)
    }


@tf.function(input_signature=[tf.TensorSpec((), tf.string)])
def central_square(encoded):
    return resize_and_crop(decode(encoded, "it"), SIDE)


def square(encoded):
    return central_square(tf.constant(encoded)).numpy()


def test_each_image_is_there_once_with_its_label(prepared):
    expected = {
        name: label for name, (_, label) in all_training_images().items()
    }
    found = {n: label for n, (_, label) in by_name(prepared, "train").items()}
    assert found == expected and len(found) == 24
    assert {
        f"ILSVRC2012_val_{i:08d}.JPEG": SYNSETS.index(synset)
        for i, (synset, _) in enumerate(numbered_images(100), 1)
    } == {n: label for n, (_, label) in by_name(prepared, "validation").items()}
    words = (prepared / "synset_words.txt").read_text().splitlines()
    assert words == [f"{synset} words of {synset}" for synset in SYNSETS]


def test_the_package_reads_what_tfds_reads(prepared):
    source = load_source(prepared)
    assert source.counts == {"train": 24, "test": 7}
    assert source.class_names == SYNSETS
    ours = sorted(label for _, label, _ in source.dataset("test"))
    theirs = sorted(x for _, x in by_name(prepared, "validation").values())
    assert [int(label) for label in ours] == theirs


def test_images_are_those_of_the_archives(prepared):
    """CMYK, grey and the PNG in disguise among them."""
    originals = all_training_images()
    for name, (stored, _) in by_name(prepared, "train").items():
        assert stored.startswith(b"\xff\xd8\xff"), name
        shape = tf.io.decode_jpeg(stored).shape
        assert min(shape[:2]) == SIDE and shape[2] == 3, name
        difference = square(stored).astype(int) - square(originals[name][0])
        assert np.abs(difference).mean() < 4, name


def test_png_loses_nothing_and_original_changes_nothing(archives, tmp_path):
    originals = all_training_images()
    prepare_imagenet(archives, tmp_path / "png", encoding="png", **OPTIONS)
    prepare_imagenet(
        archives, tmp_path / "original", encoding="original", **OPTIONS
    )
    stored = by_name(tmp_path / "original", "train")
    assert stored == originals
    means_of = []
    for name, (png, _) in by_name(tmp_path / "png", "train").items():
        assert png.startswith(b"\x89PNG")
        expected = square(originals[name][0])
        np.testing.assert_array_equal(square(png), expected)
        means_of.append(expected)
    for kind in ("png", "original"):
        np.testing.assert_array_equal(
            mean_image(load_source(tmp_path / kind), resize=SIDE),
            np.mean(means_of, axis=0, dtype="float64").astype("float32"),
        )
    # TFDS decodes the PNG and the CMYK file, too.
    builder = tfds.builder_from_directory(tmp_path / "original")
    assert len(list(builder.as_dataset(split="train"))) == 24


def test_squares(archives, tmp_path):
    prepare_imagenet(archives, tmp_path / "out", square=True, **OPTIONS)
    for stored, _ in by_name(tmp_path / "out", "train").values():
        assert tf.io.decode_jpeg(stored).shape == (SIDE, SIDE, 3)


def test_bytes_depend_on_neither_threads_nor_archives(
    archives, prepared, tmp_path
):
    again = prepare_imagenet(archives, tmp_path / "out", workers=4, **OPTIONS)
    assert contents(tmp_path / "out") == contents(prepared)
    assert again == json.loads((prepared / "preparation.json").read_text())
    # What people have extracted, with the kit beside it.
    folders = extract(archives, tmp_path / "folders")
    kit = "ILSVRC2012_devkit_t12.tar.gz"
    shutil.copy(archives / kit, folders / kit)
    prepare_imagenet(folders, tmp_path / "second", **OPTIONS)
    found, expected = contents(tmp_path / "second"), contents(prepared)
    del found["preparation.json"], expected["preparation.json"]
    assert found == expected


def test_order_is_shuffled_and_seeded(archives, prepared, tmp_path):
    def order(folder):
        examples = tfds.builder_from_directory(folder).as_dataset(
            split="train",
            read_config=tfds.ReadConfig(interleave_cycle_length=1),
        )
        return [int(e["label"]) for e in examples.as_numpy_iterator()]

    prepare_imagenet(archives, tmp_path / "out", seed=1, **OPTIONS)
    first, second = order(prepared), order(tmp_path / "out")
    assert sorted(first) == sorted(second) and first != second
    assert first != sorted(first)
    # By chance, a file of five images has one class once in 81 cases.
    assert len(set(first[:5])) > 1
    # What is kept of the one must not be taken for the other.
    opened = [load_source(path) for path in (prepared, tmp_path / "out")]
    assert opened[0].fingerprint != opened[1].fingerprint


def test_statistics_are_what_the_package_computes(
    prepared, tmp_path, monkeypatch
):
    source = load_source(prepared)
    stored = (
        mean_image(source, resize=SIDE),
        color_covariance(source, resize=SIDE),
    )
    color = mean_color(source, resize=SIDE)
    layer = PCAColorAugmentation()
    layer.adapt(
        np.stack([square(e) for e, _ in by_name(prepared, "train").values()])
    )
    np.testing.assert_allclose(layer.center, color, rtol=1e-6)
    variances, eigenvectors = np.linalg.eigh(stored[1])
    np.testing.assert_allclose(layer.stds**2, variances, rtol=1e-9)
    PCAColorAugmentation(eigenvectors=eigenvectors, stds=variances**0.5)
    monkeypatch.setattr(means, "stored_statistics", lambda *_: None)
    arguments = {"resize": SIDE, "cache_dir": tmp_path}
    np.testing.assert_array_equal(stored[0], mean_image(source, **arguments))
    np.testing.assert_array_equal(
        stored[1], color_covariance(source, **arguments)
    )


def test_the_set_in_a_bucket(prepared, tmp_path, monkeypatch):
    """Its mean is read, and no image for it."""
    for path in prepared.iterdir():
        if path.is_file():
            with tf.io.gfile.GFile(f"ram://prepared/{path.name}", "wb") as file:
                file.write(path.read_bytes())
    monkeypatch.setattr("keras_alexnet.data.block_copies.BLOCK", 100)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    source = load_source("ram://prepared", upright=False)
    local = load_source(prepared, upright=False)
    mean = mean_image(source, resize=SIDE)
    np.testing.assert_array_equal(mean, mean_image(local, resize=SIDE))
    copied = pathlib.Path(source.folder, ".blocks").read_bytes()
    # The first record of each split was looked at.
    assert 0 < sum(copied) < len(copied) / 4
    for split in ("train", "test"):
        for ours, theirs in zip(
            source.dataset(split), local.dataset(split), strict=True
        ):
            np.testing.assert_array_equal(ours[0], theirs[0])
            assert ours[1] == theirs[1]
    # Positions were not looked for.
    assert not list(tmp_path.rglob("records-*"))


def test_statistics_are_used_for_these_images_only(
    prepared, tmp_path, monkeypatch
):
    folder = shutil.copytree(prepared, tmp_path / "copy")

    def computed(*args, **kwargs):
        raise AssertionError("computed")

    monkeypatch.setattr(means, "evaluation_data", computed)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert mean_image(load_source(folder), resize=SIDE).shape == (SIDE, SIDE, 3)
    for source, split, side in (
        (load_source(folder), "train", SIDE + 1),
        (load_source(folder), "test", SIDE),
        (load_source(folder, holdout=0.3), "train", SIDE),
    ):
        with pytest.raises(AssertionError, match="computed"):
            mean_image(source, resize=side, split=split)
    for path in folder.glob("*train.tfrecord-00000*"):
        shutil.copy(folder / "ilsvrc2012-train.tfrecord-00001-of-00005", path)
    source = load_source(prepared)
    object.__setattr__(source, "folder", str(folder))
    with pytest.raises(AssertionError, match="computed"):
        mean_image(source, resize=SIDE)


KILLED = """
import sys
from keras_alexnet.data import prepare_imagenet
from keras_alexnet.data import record_shards

write = record_shards._write_shard
def slowly(shard, prepared, side, on_error, note):
    def note_slowly():
        import time
        note()
        time.sleep(0.2)
    write(shard, prepared, side, on_error, note_slowly)
record_shards._write_shard = slowly
prepare_imagenet(
    *sys.argv[1:], side=24, expected=None, images_per_shard=5, verbose=0
)
"""


def test_killed_and_resumed(archives, prepared, tmp_path):
    output = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, archives, output],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        deadline = time.monotonic() + 120
        # The second file is there, and the third is being written.
        while len(list(output.glob(".*-ilsvrc2012-train.tfrecord-00002*"))) < 1:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(RuntimeError, match="Another process prepares"):
            prepare_imagenet(archives, output, **OPTIONS)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    whole = contents(prepared)
    finished = sorted(output.glob("ilsvrc2012-*"))
    left = [
        p for p in output.iterdir() if p.name.startswith(".") and p.is_file()
    ]
    assert [p.name[-14:] for p in finished] == [
        "00000-of-00005",
        "00001-of-00005",
    ]
    assert len(left) == 1, "what was being written has another name"
    for path in finished:
        assert path.read_bytes() == whole[path.name]
    with pytest.raises(
        ValueError, match="another prep.*\n  side: 24 there, 25"
    ):
        prepare_imagenet(archives, output, **{**OPTIONS, "side": 25})
    before = [path.stat().st_mtime_ns for path in finished]
    prepare_imagenet(archives, output, **OPTIONS)
    assert [path.stat().st_mtime_ns for path in finished] == before
    assert contents(output) == whole


def test_what_is_finished_is_not_prepared_again(archives, prepared, tmp_path):
    folder = shutil.copytree(prepared, tmp_path / "copy")
    before = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    report = prepare_imagenet(archives, folder, **OPTIONS)
    assert report["counts"] == {"train": 24, "validation": 7}
    assert {p: p.stat().st_mtime_ns for p in folder.iterdir()} == before
    next(folder.glob("*00003*")).unlink()
    with pytest.raises(ValueError, match="was finished, and files.*missing"):
        prepare_imagenet(archives, folder, **OPTIONS)


def test_a_damaged_result_is_prepared_again(archives, prepared, tmp_path):
    """The file and what is known of it do not fit: the file is redone."""
    from keras_alexnet.data import record_shards

    written = []
    write = record_shards._write_shard

    def interrupted(shard, *rest):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(shard.path)
        write(shard, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_shards, "_write_shard", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare_imagenet(archives, tmp_path / "out", **OPTIONS)
    written[0].write_bytes(b"short")
    written[1].unlink()
    prepare_imagenet(archives, tmp_path / "out", **OPTIONS)
    assert contents(tmp_path / "out") == contents(prepared)


def test_interrupted_when_all_files_are_there(archives, prepared, tmp_path):
    from keras_alexnet.data import record_shards

    module = sys.modules["keras_alexnet.data.prepare_imagenet"]

    def killed(*args):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "finish_set", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare_imagenet(archives, tmp_path / "out", **OPTIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_shards, "_write_shard", killed)
        prepare_imagenet(archives, tmp_path / "out", **OPTIONS)
    assert contents(tmp_path / "out") == contents(prepared)


def test_a_file_that_cannot_be_written_to_its_end(archives, prepared, tmp_path):
    """As on a disk that others fill meanwhile."""
    resource = pytest.importorskip("resource", reason="limits files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises((OSError, tf.errors.OpError)):
            prepare_imagenet(archives, tmp_path / "out", **OPTIONS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list((tmp_path / "out").glob("ilsvrc2012*"))
    prepare_imagenet(archives, tmp_path / "out", **OPTIONS)
    assert contents(tmp_path / "out") == contents(prepared)


def test_an_image_that_cannot_be_decoded(tmp_path):
    train = training_images()
    train[SYNSETS[1]][5] = b"\xff\xd8\xff no image"
    # Data in its middle are missing, and it decodes nevertheless.
    whole = encode(picture(80, 120, 1), "JPEG", quality=90)
    train[SYNSETS[2]][4] = whole[: len(whole) // 2] + whole[-40:]
    folder = write_small(tmp_path / "archives", train=train)
    with pytest.raises(ValueError) as error:
        prepare_imagenet(folder, tmp_path / "out", **OPTIONS)
    assert "ILSVRC2012_img_train.tar: n02105855_5.JPEG: " in str(error.value)
    assert 'pass `on_error="skip"`' in str(error.value)
    assert not (tmp_path / "out" / "dataset_info.json").exists()
    report = prepare_imagenet(
        folder, tmp_path / "second", on_error="skip", **OPTIONS
    )
    (skipped,) = report["skipped"]
    assert skipped.startswith("n02105855_5.JPEG: ")
    (damaged,) = report["damaged"].items()
    assert damaged[0] == "n03394916_4.JPEG" and "Corrupt JPEG" in damaged[1]
    assert report["counts"] == {"train": 23, "validation": 7}
    assert load_source(tmp_path / "second").counts["train"] == 23


@pytest.mark.parametrize("remedy", ["repair", "skip"])
def test_after_an_image_that_cannot_be_decoded(remedy, archives, tmp_path):
    """What the error advises is possible, and keeps what is finished."""
    train = training_images()
    train[SYNSETS[1]][3] = b"\xff\xd8\xff no image"
    folder = write_small(tmp_path / "archives", train=train)
    output = tmp_path / "out"
    with pytest.raises(ValueError, match="Repair it, or pass `on_error="):
        prepare_imagenet(folder, output, workers=1, **OPTIONS)
    finished = list(output.glob("ilsvrc2012-*"))
    assert finished, "the image is not in the first file"
    before = [path.stat().st_mtime_ns for path in finished]
    if remedy == "repair":
        report = prepare_imagenet(archives, output, **OPTIONS)
        again = prepare_imagenet(archives, tmp_path / "again", **OPTIONS)
    else:
        skip = {**OPTIONS, "on_error": "skip"}
        report = prepare_imagenet(folder, output, **skip)
        again = prepare_imagenet(folder, tmp_path / "again", **skip)
        assert len(report["skipped"]) == 1
    assert report == again
    assert contents(output) == contents(tmp_path / "again")
    assert [path.stat().st_mtime_ns for path in finished] == before


def test_a_file_of_an_image_that_was_replaced(archives, prepared, tmp_path):
    """It is prepared again while others wait; when all are done, refused."""
    train = training_images()
    output = tmp_path / "out"
    train[SYNSETS[1]][5] = b"\xff\xd8\xff no image"
    skipped = write_small(tmp_path / "bad", train=train)
    skip = {**OPTIONS, "on_error": "skip"}
    module = sys.modules["keras_alexnet.data.prepare_imagenet"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "finish_set", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            prepare_imagenet(skipped, output, **skip)
    with pytest.raises(ValueError, match="on_error: skip there, raise asked"):
        prepare_imagenet(archives, output, **OPTIONS)
    assert prepare_imagenet(archives, output, **skip)["skipped"] == []
    found, expected = contents(output), contents(prepared)
    del found["preparation.json"], expected["preparation.json"]
    assert found == expected
    with pytest.raises(ValueError, match="\n  examples: .* there"):
        prepare_imagenet(skipped, output, **skip)


def test_too_little_space(archives, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=20_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"about 0.0 GB \(31 images of 1 kB"):
        prepare_imagenet(archives, tmp_path / "out", **OPTIONS)
    assert not list((tmp_path / "out").glob("*.tfrecord*"))
    monkeypatch.undo()
    # No file is there, so what was asked for can be changed.
    prepare_imagenet(archives, tmp_path / "out", quality=50, **OPTIONS)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"output": ""}, "`output` must be a folder.*Received: ''"),
        ({"year": 2014}, r"`year` must be one of \(2010, 2012\).*year=2014"),
        ({"encoding": "webp"}, "`encoding` must be one of.*'webp'"),
        ({"on_error": "warn"}, "`on_error` must be one of.*'warn'"),
        ({"quality": 101}, "`quality` must be an integer from 1 to 100.*=101"),
        ({"side": 0}, "`side` must be an integer from 1 to"),
        ({"side": 25.0}, "`side` must be an integer from 1 to.*=25.0"),
        ({"workers": 0}, "`workers` must be a positive integer.*=0"),
        ({"seed": "a"}, "`seed` must be an integer. Received: seed='a'"),
        ({"images_per_shard": True}, "`images_per_shard` must be a positive"),
        ({"expected": 24}, "`expected` must be.*Received: expected=24"),
        ({"expected": {"validation": 7}}, "with 'train' among them"),
        ({"expected": {"train": 0}}, r"`expected\['train'\]` must be a pos"),
        ({"source": "none"}, "`source` must be the folder.*source='none'"),
    ],
)
def test_arguments(arguments, message, archives, tmp_path):
    arguments = {
        "source": archives,
        "output": tmp_path / "out",
        **OPTIONS,
        **arguments,
    }
    with pytest.raises(ValueError, match=message):
        prepare_imagenet(**arguments)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else(archives, tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match="must be an empty.*'thesis.tex'"):
        prepare_imagenet(archives, tmp_path, **OPTIONS)
