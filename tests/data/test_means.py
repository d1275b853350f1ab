import numpy as np
import pytest

from keras_alexnet.data import load_source
from keras_alexnet.data import mean_color
from keras_alexnet.data import mean_image
from keras_alexnet.data import means

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (300, 8, 8, 3), "uint8")
SOURCE = load_source(
    {
        "train": (IMAGES, np.arange(300) % 3),
        "test": (IMAGES[:5], np.arange(5) % 3),
    }
)


def test_mean_image_is_exact(tmp_path):
    mean = mean_image(SOURCE, resize=8, cache_dir=tmp_path)
    assert mean.dtype == "float32"
    np.testing.assert_array_equal(mean, IMAGES.mean(axis=0).astype("float32"))
    color = mean_color(SOURCE, resize=8, cache_dir=tmp_path)
    np.testing.assert_allclose(color, IMAGES.mean(axis=(0, 1, 2)), rtol=1e-6)


def test_mean_image_is_read_the_second_time(tmp_path, monkeypatch):
    first = mean_image(SOURCE, resize=8, cache_dir=tmp_path)

    def unexpected(*args, **kwargs):
        raise AssertionError("computed again")

    monkeypatch.setattr(means, "evaluation_data", unexpected)
    second = mean_image(SOURCE, resize=8, cache_dir=tmp_path)
    np.testing.assert_array_equal(first, second)
    for arguments in ({"resize": 9}, {"resize": 8, "split": "test"}):
        with pytest.raises(AssertionError, match="computed again"):
            mean_image(SOURCE, cache_dir=tmp_path, **arguments)
    changed = load_source(
        {
            "train": (255 - IMAGES, np.arange(300) % 3),
            "test": (IMAGES[:5], np.arange(5) % 3),
        }
    )
    with pytest.raises(AssertionError, match="computed again"):
        mean_image(changed, resize=8, cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_default_size_and_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert mean_image(SOURCE, input_size=28).shape == (32, 32, 3)
    assert len(list((tmp_path / "keras_alexnet").iterdir())) == 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("digits",), r"returned: `load_source\('digits'\)`. Received: str"),
        ((SOURCE, (64, 64)), "`input_size` must be a positive integer.*64, 64"),
        ((SOURCE, 64, 0), "`resize` must be a positive integer"),
        ((SOURCE, 64, 8, "valid"), "`split` must be one of"),
        ((SOURCE, 64, 8, "train", True), "`cache_dir` must be.*folder.*=True"),
    ],
)
def test_errors(arguments, message):
    for mean in (mean_image, mean_color):
        with pytest.raises(ValueError, match=message):
            mean(*arguments)
