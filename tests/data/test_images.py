import io
import sys

import numpy as np
import pytest
import tensorflow as tf
from pictures import encode
from pictures import picture
from PIL import Image
from PIL import features

from keras_alexnet.data import images

FORMATS = [
    ("JPEG", "RGB", {"quality": 95}),
    ("JPEG", "L", {"quality": 95}),
    ("JPEG", "CMYK", {"quality": 95}),
    ("JPEG", "RGB", {"quality": 95, "progressive": True}),
    ("PNG", "RGB", {}),
    ("PNG", "RGBA", {}),
    ("PNG", "L", {}),
    ("PNG", "LA", {}),
    ("PNG", "P", {}),
    ("PNG", "1", {}),
    ("BMP", "RGB", {}),
    ("BMP", "RGBA", {}),
    ("BMP", "L", {}),
    ("BMP", "P", {}),
    ("BMP", "1", {}),
    ("GIF", "P", {}),
    ("GIF", "L", {}),
    ("WEBP", "RGB", {"lossless": True}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("TIFF", "RGB", {}),
    ("TIFF", "RGBA", {"compression": "tiff_lzw"}),
    ("TIFF", "L", {}),
    ("TIFF", "P", {}),
    ("TIFF", "1", {}),
    ("TIFF", "CMYK", {}),
    ("AVIF", "RGB", {"quality": 95}),
    ("AVIF", "RGBA", {"quality": 95}),
]


@pytest.mark.parametrize("kind, mode, options", FORMATS)
def test_formats_become_rgb(kind, mode, options):
    encoded = encode(picture(), kind, mode, **options)
    got = images.decode(encoded, "it").numpy().astype(int)
    want = np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"))
    assert got.shape == (40, 60, 3)
    # Pillow upsamples the chroma of a JPEG in another way.
    tolerance = 6 if kind == "JPEG" else 0
    assert np.abs(got - want).max() <= tolerance
    assert images.problem(encoded).numpy() == b""


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_first_frame_of_an_animation(kind):
    frames = [Image.fromarray(picture(seed=i)) for i in range(3)]
    file = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(
        file, kind, save_all=True, append_images=frames[1:], **options
    )
    got = images.decode(file.getvalue(), "it").numpy().astype(int)
    assert np.abs(got - picture(seed=0)).mean() < 10
    assert np.abs(got - picture(seed=1)).mean() > 20


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_become_eight(kind):
    grey = np.array([[0, 257 * 99, 65535]], "uint16")
    file = io.BytesIO()
    Image.fromarray(grey).save(file, kind)
    got = images.decode(file.getvalue(), "it").numpy()
    assert got[0, :, 0].tolist() == [0, 99, 255]


def test_thirty_two_bits_have_no_white():
    file = io.BytesIO()
    Image.fromarray(np.ones((3, 4), "float32")).save(file, "TIFF")
    with pytest.raises(tf.errors.InvalidArgumentError, match="32 bits per pix"):
        images.decode(file.getvalue(), "it")


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_a_missing_library_is_no_fault_of_the_image(kind, monkeypatch):
    if kind == "HEIF":
        plugin = pytest.importorskip("pillow_heif")
        file = io.BytesIO()
        plugin.from_pillow(Image.fromarray(picture())).save(file, quality=95)
        encoded, needed = file.getvalue(), "pip install pillow-heif"
        got = images.decode(encoded, "it").numpy().astype(int)
        assert np.abs(got - picture()).mean() < 5
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
    else:
        encoded, needed = encode(picture(), kind), "from version 11.3 on"
        monkeypatch.delitem(features.modules, "avif")
    got = images.problem(encoded).numpy().decode()
    assert got.startswith(images.MISSING) and needed in got
    with pytest.raises(tf.errors.InvalidArgumentError, match=needed) as error:
        images.decode(encoded, "photos/1.heic")
    assert "photos/1.heic" in str(error.value)
    assert "Repair" not in str(error.value)


BROKEN = {
    "truncated JPEG": encode(picture(), "JPEG")[:-60],
    "truncated PNG": encode(picture(), "PNG")[:-20],
    "truncated BMP": encode(picture(), "BMP")[:-20],
    "truncated palette BMP": encode(picture(), "BMP", "P")[:-20],
    "truncated GIF": encode(picture(), "GIF", "P")[:-20],
    "truncated WEBP": encode(picture(), "WEBP")[:-20],
    "header only": encode(picture(), "JPEG")[:25],
    "start of a BMP": b"BM",
    "text": b"<html>404 not found</html>",
    "truncated TIFF": encode(picture(), "TIFF")[:-200],
    "truncated AVIF": encode(picture(), "AVIF")[:-60],
    "PSD": b"8BPS\0\1" + bytes(50),
    "empty": b"",
}


NAMED = "Cannot decode the image photos/cat/3.jpg: .*on_error"


@pytest.mark.parametrize("case", BROKEN)
def test_broken_images_are_named(case):
    with pytest.raises(tf.errors.InvalidArgumentError, match=NAMED):
        images.decode(BROKEN[case], "photos/cat/3.jpg")
    assert images.problem(BROKEN[case]).numpy() != b""


def test_broken_images_are_named_in_a_parallel_map():
    good = encode(picture(), "PNG")
    files = tf.data.Dataset.from_tensor_slices(
        ([good, b"text", good], ["1.png", "photos/cat/3.jpg", "2.png"])
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match=NAMED):
        list(files.map(images.decode, num_parallel_calls=2))


@pytest.mark.parametrize(
    "height, width, resize",
    [(40, 60, 20), (60, 40, 20), (30, 30, 64), (31, 47, 33), (24, 24, 24)],
)
def test_resize_keeps_the_center(height, width, resize):
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows, columns, 0 * rows], axis=-1).astype("uint8")
    got = images.resize_and_crop(tf.constant(image), resize).numpy()
    assert got.shape == (resize, resize, 3) and got.dtype == "uint8"
    # A pixel per pixel at most between the centers of both.
    center = got.astype(float).mean(axis=(0, 1))[:2]
    np.testing.assert_allclose(
        center, [(height - 1) / 2, (width - 1) / 2], atol=1
    )
    # The aspect ratio stays: the same scale along both axes.
    step = np.ptp(got[..., 0]) / np.ptp(got[..., 1])
    assert step == pytest.approx(1, abs=0.15)


def test_resize_by_an_integer_averages_blocks():
    image = picture(64, 96)
    want = image.reshape(32, 2, 48, 2, 3).mean(axis=(1, 3))[:, 8:40]
    got = images.resize_and_crop(tf.constant(image), 32).numpy()
    assert np.abs(got - want).max() <= 0.5


@pytest.mark.parametrize("height, width", [(300, 400), (71, 64), (40, 33)])
def test_resize_equals_opencv(height, width):
    cv2 = pytest.importorskip("cv2")
    image, resize = picture(height, width), 64
    shorter = min(height, width)
    scaled = (round(width * resize / shorter), round(height * resize / shorter))
    down = shorter > resize
    want = cv2.resize(
        image,
        scaled,
        interpolation=cv2.INTER_AREA if down else cv2.INTER_CUBIC,
    )
    top, left = (scaled[1] - resize) // 2, (scaled[0] - resize) // 2
    want = want[top : top + resize, left : left + resize].astype(int)
    got = images.resize_and_crop(tf.constant(image), resize).numpy()
    # OpenCV's cubic has a = -3/4.
    assert np.abs(got - want).max() <= (1 if down else 4)


def test_bicubic_neither_wraps_nor_leaves_the_range():
    edge = np.zeros((8, 8, 3), "uint8")
    edge[:, 4:] = 255
    got = images.resize_and_crop(tf.constant(edge), 32).numpy()
    assert got[:, :12].max() < 40 and got[:, 20:].min() > 215


@pytest.mark.parametrize("shape", [(1, 200_000), (200_000, 1), (2, 41)])
def test_a_line_of_pixels_is_not_scaled_as_a_whole(shape):
    line = np.zeros((max(shape), min(shape), 3), "uint8")
    # The central square, and three pixels more, which bicubic looks at.
    line[max(shape) // 2 - 5 : max(shape) // 2 + 5] = 200
    if shape[0] < shape[1]:
        line = line.transpose(1, 0, 2)
    assert (images.resize_and_crop(tf.constant(line), 256) == 200).numpy().all()
