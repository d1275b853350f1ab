import numpy as np
import pytest
import tensorflow as tf
from pictures import encode
from pictures import picture

from keras_alexnet.data import TrainingData
from keras_alexnet.data import crop_loader
from keras_alexnet.data import images
from keras_alexnet.data import load_source
from keras_alexnet.data.loader import loader

pytest.importorskip("PIL")

SIDE = 48


def noisy(height, width, seed=0):
    """A picture whose colors change from pixel to pixel."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 40, (height, width, 3))
    return (picture(height, width, seed) + noise).clip(0, 255).astype("uint8")


def write(folder, files):
    """A folder of two classes with these files in the first."""
    for name in ("a", "b"):
        (folder / "train" / name).mkdir(parents=True)
        (folder / "test" / name).mkdir(parents=True)
        (folder / "test" / name / "0.png").write_bytes(encode(picture(), "PNG"))
    (folder / "train" / "b" / "0.png").write_bytes(encode(picture(), "PNG"))
    for name, encoded in files.items():
        (folder / "train" / "a" / name).write_bytes(encoded)
    return load_source(folder)


FILES = {
    "4:4:4.jpg": (SIDE, 80, "RGB", {"subsampling": 0}),
    "4:2:2.jpg": (80, SIDE, "RGB", {"subsampling": 1}),
    "4:2:0.jpg": (SIDE, 77, "RGB", {"subsampling": 2}),
    "square.jpg": (SIDE, SIDE, "RGB", {"subsampling": 2}),
    "progressive.jpg": (SIDE, 63, "RGB", {"progressive": True}),
    "grey.jpg": (61, SIDE, "L", {}),
    "cmyk.jpg": (61, SIDE, "CMYK", {}),
    "larger.jpg": (70, 96, "RGB", {}),
    "smaller.jpg": (20, 30, "RGB", {}),
    "line.jpg": (SIDE, SIDE * 17, "RGB", {}),
    "image.png": (SIDE, 60, "RGB", {}),
    "image.webp": (SIDE, 60, "RGB", {"lossless": True}),
    "image.tiff": (SIDE, 60, "RGB", {}),
}
KINDS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tiff": "TIFF"}


def make_files():
    files = {}
    for name, (height, width, mode, options) in FILES.items():
        kind = KINDS[name.split(".")[1]]
        if kind == "JPEG":
            options = {"quality": 95, **options}
        files[name] = encode(noisy(height, width), kind, mode, **options)
    turned = noisy(SIDE, 60)
    for orientation in (1, 6):
        exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1"
        exif += bytes([0, orientation, 0, 0, 0, 0, 0, 0])
        files[f"turned{orientation}.jpg"] = encode(turned, "JPEG", exif=exif)
    return files


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write(tmp_path_factory.mktemp("all"), make_files())


def test_crops_are_those_of_the_whole_image(source, monkeypatch):
    """Bit for bit, wherever they lie, the first time and later."""
    cropped = []
    decode = tf.io.decode_and_crop_jpeg
    monkeypatch.setattr(
        tf.io,
        "decode_and_crop_jpeg",
        lambda *args, **kwargs: cropped.append(args) or decode(*args, **kwargs),
    )
    split = source.split("train")
    load = tf.function(loader(source, "train", SIDE))
    plan, load_planned = crop_loader.crop_loader(source, "train", SIDE)

    @tf.function
    def load_crop(number, *where):
        columns = plan(number[None], *(value[None] for value in where))
        return load_planned(number, *(column[0] for column in columns))

    rng = np.random.default_rng(0)
    for index in range(split.count):
        number = tf.constant(index, tf.int64)
        want, label = load(number)
        for size in (17, SIDE):
            rest = SIDE - size
            places = rng.integers(0, rest + 1, (8, 2))
            for top, left in [(0, 0), (rest, rest), *places]:
                where = tf.constant([top, left, size], tf.int32)
                got, same = load_crop(number, *tf.unstack(where))
                part = want[top : top + size, left : left + size]
                name = split.name_of(index)
                np.testing.assert_array_equal(got, part, err_msg=name)
                assert same == label
    # Once traced, it decodes within the graph.
    assert len(cropped) == 1


@pytest.mark.parametrize(
    "name, way",
    [
        *[(name, "crop") for name in list(FILES)[:7]],
        ("turned1.jpg", "crop"),
        ("larger.jpg", "all"),
        ("smaller.jpg", "all"),
        ("line.jpg", "care"),
        ("image.png", "care"),
        ("image.webp", "care"),
        ("image.tiff", "care"),
        ("turned6.jpg", "care"),
    ],
)
def test_what_is_remembered_of_a_file(name, way):
    encoded = make_files()[name]
    image = images.decode(encoded, "it", upright=True)
    kept = int(crop_loader._remember(encoded, image.shape, True))
    if way == "care":
        assert kept == 0
        return
    kept, width = divmod(kept, crop_loader.RANGE)
    length, height = divmod(kept, crop_loader.RANGE)
    assert length == len(encoded)
    assert (height, width, 3) == image.shape
    assert (min(height, width) == SIDE) == (way == "crop")


def test_turned_photos_are_cropped_where_they_are_left_as_they_are():
    encoded = make_files()["turned6.jpg"]
    assert crop_loader._remember(encoded, (SIDE, 60, 3), False) > 0


def test_broken_images_are_named_at_any_time(tmp_path):
    good = encode(noisy(SIDE, 60), "JPEG", quality=95)
    names = [f"{i}.jpg" for i in range(7)]
    source = write(tmp_path, dict.fromkeys(names, good))
    data = TrainingData(
        source, input_size=32, resize=SIDE, batch_size=8, color=False
    )
    first = len(list(data.dataset))
    assert first == len(list(data.dataset)) == 1
    path = tmp_path / "train" / "a" / "3.jpg"
    path.write_bytes(good[: len(good) // 2])
    for _ in range(2):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="Cannot decode.*a/3.jpg"
        ):
            list(data.dataset)
    # Mended, also by another image, it is read again.
    path.write_bytes(encode(noisy(SIDE, 70, seed=1), "JPEG"))
    assert len(list(data.dataset)) == 1


def test_under_a_strategy(source):
    """The second epoch, too, in which crops are decoded."""
    options = dict(input_size=32, resize=SIDE, batch_size=4, color=False)
    alone = TrainingData(source, **options)
    shared = TrainingData(source, **options)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    distributed = strategy.experimental_distribute_dataset(shared.dataset)
    for _ in range(2):
        pairs = zip(alone.dataset, distributed, strict=True)
        for (whole, _), (parts, _) in pairs:
            parts = strategy.experimental_local_results(parts)
            np.testing.assert_array_equal(np.concatenate(parts), whole)
