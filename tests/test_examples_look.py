"""The example that draws what a network looks at runs as a user starts it."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import small
from small_networks import small_inception
from test_examples import ROOT
from test_examples import refusal
from test_examples import run

if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)

pytest.importorskip("matplotlib", reason="draws pictures")


@pytest.fixture
def photos(tmp_path):
    """Ten photos of noise, one that is broken, and a network."""
    image = pytest.importorskip("PIL.Image", reason="writes pictures")
    random = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(10):
        pixels = random.normal(120, 60, (110, 150, 3)).clip(0, 255)
        image.fromarray(pixels.astype("uint8")).save(folder / f"{index}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    model = build(small("paper"), include_preprocessing=True)
    model.save(tmp_path / "net.keras")
    names = "".join(f"thing {index}\n" for index in range(10))
    (tmp_path / "classes.txt").write_text(names)
    return tmp_path


@pytest.mark.slow
def test_a_network_that_branches(photos):
    model = build(small_inception(), include_preprocessing=True)
    model.save(photos / "net.keras")
    output = photos / "look"
    run(
        "look.py",
        photos / "photos" / "3.png",
        f"--weights={photos / 'net.keras'}",
        f"--output={output}",
    )
    assert (output / "kernels.png").exists()
    assert not (output / "architecture.png").exists()
    names = sorted(path.stem for path in (output / "3").iterdir())
    assert names == ["activations", "looks", "lrn", "occlusion"]


def test_all_pictures_are_drawn(photos):
    output = photos / "look"
    printed = run(
        "look.py",
        photos / "photos" / "3.png",
        f"--weights={photos / 'net.keras'}",
        f"--output={output}",
        f"--photos={photos / 'photos'}",
        "--layers=conv2",
        "--maps=4",
        "--unit=4",
    )
    assert "conv1: column 0: mean 0." in printed
    assert "thing 4, probability 0." in printed
    assert "Left out" in printed and "broken.png" in printed
    assert "10 images" in printed
    drawn = {
        path.relative_to(output).as_posix()
        for path in output.rglob("*.png")
        if path.stat().st_size > 5_000
    }
    own = ("looks", "occlusion", "class_maps", "activations", "lrn")
    assert drawn == {
        "architecture.png",
        "kernels.png",
        "dead_units.png",
        "patches_conv2.png",
        *(f"3/{name}.png" for name in own),
    }
    table = (output / "statistics.txt").read_text()
    assert "norm1 takes away" in table and "conv5" in table


@pytest.mark.slow
def test_what_cannot_be_looked_at_is_named(photos):
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "examples" / "look.py",
            photos / "photos" / "broken.png",
            photos / "absent.png",
            f"--weights={photos / 'net.keras'}",
            f"--output={photos / 'look'}",
        ],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1, done.stderr
    assert "Cannot decode" in done.stderr and "absent.png" in done.stderr
    assert "Traceback" not in done.stderr


def test_photos_of_one_name_are_refused(tmp_path):
    said = refusal("look.py", "a/cat.jpg", "b/cat.png", "--weights=imagenet")
    assert "Each photo gets a folder of its name." in said and "cat" in said
