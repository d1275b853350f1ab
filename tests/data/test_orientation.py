import io

import numpy as np
import pytest
import tensorflow as tf
from pictures import encode
from pictures import picture
from PIL import Image
from PIL import ImageOps

from keras_alexnet.data.images import decode

PHOTO = picture(30, 50)


def photo(orientation, kind, **options):
    """A file whose metadata ask for an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(PHOTO, kind, exif=exif, **options)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "kind, options",
    [
        ("JPEG", {"quality": 95}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("AVIF", {"quality": 95}),
    ],
)
def test_photos_are_turned_as_pillow_turns_them(kind, options, orientation):
    encoded = photo(orientation, kind, **options)
    with Image.open(io.BytesIO(encoded)) as image:
        want = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    got = decode(encoded, "it").numpy()
    assert got.shape == ((50, 30, 3) if orientation >= 5 else (30, 50, 3))
    # Pillow upsamples the chroma of a JPEG in another way.
    difference = np.abs(got.astype(int) - want).max()
    assert difference <= (6 if kind == "JPEG" else 0)


def test_heic_is_turned():
    plugin = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x0112] = 6
    heif = plugin.from_pillow(Image.fromarray(PHOTO))
    file = io.BytesIO()
    heif.save(file, quality=95, exif=exif.tobytes())
    got = decode(file.getvalue(), "it").numpy().astype(int)
    assert got.shape == (50, 30, 3)
    assert np.abs(got - np.rot90(PHOTO, -1)).mean() < 6


def test_exif_behind_the_usual_header_and_a_comment():
    plain = encode(PHOTO, "JPEG", quality=95)
    turned = photo(6, "JPEG", quality=95)
    start = turned.index(b"\xff\xe1")
    length = int.from_bytes(turned[start + 2 : start + 4], "big")
    segment = turned[start : start + 2 + length]
    comment = b"\xff\xfe\0\5abc"
    # Both begin with JFIF's header of 20 bytes.
    for more in (segment, comment + segment):
        encoded = plain[:20] + more + plain[20:]
        assert decode(encoded, "it").shape == (50, 30, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "kind, options",
    [
        ("JPEG", {"quality": 95}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("AVIF", {"quality": 95}),
        # TensorFlow takes no animation.
        (
            "WEBP",
            {
                "lossless": True,
                "save_all": True,
                "append_images": [Image.fromarray(PHOTO[::-1])],
            },
        ),
    ],
)
def test_it_can_be_switched_off(kind, options, orientation):
    got = decode(photo(orientation, kind, **options), "it", upright=False)
    want = decode(encode(PHOTO, kind, **options), "it")
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_a_value_of_no_meaning_leaves_the_image(value):
    assert decode(photo(value, "JPEG"), "it").shape == (30, 50, 3)


def test_damaged_metadata_leave_the_image():
    encoded = photo(6, "JPEG")
    start = encoded.index(b"Exif\0\0") + 6
    rng = np.random.default_rng(0)
    shapes = set()
    for _ in range(50):
        damaged = bytearray(encoded)
        damaged[start + rng.integers(20)] = rng.integers(256)
        shapes.add(tuple(decode(bytes(damaged), "it").shape))
    assert shapes == {(30, 50, 3), (50, 30, 3)}


def test_python_is_not_called_for_a_file_without_metadata(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "keras_alexnet.data.orientation._turn",
        lambda image, encoded: calls.append(1) or image,
    )
    files = [encode(PHOTO, "JPEG"), photo(3, "JPEG")]
    data = tf.data.Dataset.from_tensor_slices(files)
    assert len(list(data.map(lambda file: decode(file, "it")))) == 2
    assert len(calls) == 1
