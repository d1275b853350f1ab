import sys

import numpy as np
import pytest
from pictures import encode
from pictures import make_folder
from pictures import picture

from keras_alexnet.data import TrainingData
from keras_alexnet.data import damaged_jpeg
from keras_alexnet.data import images
from keras_alexnet.data import load_source

pytest.importorskip("simplejpeg")


def damaged(seed=0):
    """A JPEG that decodes although compressed data are missing."""
    encoded = encode(picture(80, 120, seed), "JPEG", quality=90)
    return encoded[: len(encoded) // 2] + encoded[-40:]


@pytest.mark.parametrize(
    "mode, options",
    [
        ("RGB", {}),
        ("L", {}),
        ("CMYK", {}),
        ("RGB", {"progressive": True}),
        ("RGB", {"subsampling": 0}),
        ("RGB", {"restart_marker_blocks": 2}),
    ],
)
def test_sound_files_of_every_kind(mode, options):
    encoded = encode(picture(), "JPEG", mode, **options)
    assert damaged_jpeg.jpeg_damage(encoded) == ""
    # What follows the end, as in files of two photos, does no harm.
    assert damaged_jpeg.jpeg_damage(encoded + encoded) == ""


def test_decoders_repair_it_and_the_check_tells():
    encoded = damaged()
    assert images.decode(encoded, "it").shape == (80, 120, 3)
    assert images.problem(encoded, strict=False).numpy() == b""
    assert b"Corrupt JPEG data" in images.problem(encoded).numpy()


def test_random_damage_is_found_as_a_whole_decoder_finds_it():
    simplejpeg = pytest.importorskip("simplejpeg")
    rng = np.random.default_rng(0)
    sound = encode(picture(80, 120), "JPEG", quality=90)
    start = sound.index(b"\xff\xda") + 14
    found = 0
    for _ in range(200):
        changed = bytearray(sound)
        changed[rng.integers(start, len(sound) - 2)] = rng.integers(256)
        what = damaged_jpeg.jpeg_damage(bytes(changed))
        try:
            simplejpeg.decode_jpeg(bytes(changed))
        except ValueError as error:
            # Others are errors to every decoder.
            if str(error).startswith(damaged_jpeg.DAMAGE):
                assert what == str(error)
                found += 1
        else:
            assert not what
    assert found > 20


@pytest.fixture
def folder(tmp_path):
    make_folder(tmp_path / "train", {"cat": 5, "dog": 5}, "JPEG")
    make_folder(tmp_path / "test", {"cat": 2, "dog": 2}, "JPEG")
    for number in (1, 3):
        path = tmp_path / "train" / "dog" / f"{number}.jpeg"
        path.write_bytes(damaged(number))
    return tmp_path


def test_training_counts_them_and_warns_once(folder):
    source = load_source(folder)
    data = TrainingData(source, input_size=16, batch_size=5, color=False)
    assert source.damaged == {}
    with pytest.warns(UserWarning, match="[13].jpeg is damaged .*skip"):
        for _ in range(2):
            assert sum(len(labels) for _, labels in data.dataset) == 10
    names = {str(folder / "train" / "dog" / f"{i}.jpeg") for i in (1, 3)}
    assert set(source.damaged) == names
    assert "damaged: 2, first " in str(source)


def test_skipping_leaves_them_out(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    source = load_source(folder, on_error="skip")
    assert source.counts == {"train": 8, "test": 4}
    assert len(source.skipped) == 2
    assert all("Corrupt JPEG data" in line for line in source.skipped)
    data = TrainingData(source, input_size=16, batch_size=4, color=False)
    assert len(list(data.dataset)) == 2 and not source.damaged


def test_without_the_library_a_warning_says_so(monkeypatch):
    damaged_jpeg._simplejpeg.cache_clear()
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    with pytest.warns(UserWarning, match="`pip install simplejpeg`"):
        assert damaged_jpeg.jpeg_damage(damaged()) == ""
    assert damaged_jpeg.jpeg_damage(damaged()) == ""
    damaged_jpeg._simplejpeg.cache_clear()
