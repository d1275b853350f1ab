"""The examples that use trained weights run, as a user would start them."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import small
from test_examples import ROOT
from test_examples import folder  # noqa: F401
from test_examples import refusal
from test_examples import run

from keras_alexnet.models import save_weights

if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)


@pytest.fixture
def caffemodel(tmp_path):
    """A network of random weights for two classes."""
    architecture = small("caffe")
    path = tmp_path / "weights" / "net.caffemodel"
    path.parent.mkdir()
    save_weights(build(architecture, classes=2), path)
    return path


@pytest.fixture
def state_dict(tmp_path):
    """The same of torchvision's architecture."""
    architecture = small("owt")
    path = tmp_path / "net.safetensors"
    save_weights(build(architecture, classes=3), path)
    return path


@pytest.fixture
def pictures(folder):  # noqa: F811
    return folder


def test_transfer_then_classify(pictures, state_dict, tmp_path):
    output = tmp_path / "run"
    printed = run(
        "transfer.py",
        f"--dataset={pictures}",
        f"--weights={state_dict}",
        "--frozen_epochs=8",
        "--epochs=2",
        "--learning_rate=3e-3",
        "--seed=2",
        "--batch_size=8",
        f"--output={output}",
    )
    results = json.loads((output / "errors.json").read_text())
    names = ["frozen features", "fine-tuned", "from random weights"]
    assert list(results) == names
    assert all(errors["n"] == 8 for errors in results.values())
    # Blue and red can be told by random features.
    assert results["fine-tuned"]["top1_error"] == 0
    assert all(name in printed for name in names)
    assert (output / "classes.txt").read_text() == "blue\nred\n"

    images = [pictures / "test" / "red" / f"{i}.png" for i in range(2)]
    printed = run(
        "classify.py",
        *images,
        f"--weights={output / 'alexnet.keras'}",
        f"--figure={tmp_path / 'figure.png'}",
    )
    lines = printed.splitlines()
    assert lines[0] == str(images[0])
    assert lines[1].endswith("%  red") and lines[2].endswith("%  blue")
    assert lines[1].count("█") > lines[2].count("█")
    assert (tmp_path / "figure.png").stat().st_size > 5_000


def test_classify_names_what_is_broken_and_goes_on(
    pictures, caffemodel, tmp_path
):
    image = pytest.importorskip("PIL.Image", reason="writes pictures")
    tiff = tmp_path / "d.tif"
    image.open(pictures / "test" / "red" / "0.png").save(tiff)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    good = pictures / "test" / "blue" / "0.png"
    arguments = [good, broken, tmp_path / "absent.jpg", tmp_path, tiff]
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "examples" / "classify.py",
            *arguments,
            f"--weights={caffemodel}",
        ],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1, done.stderr
    named = [line for line in done.stdout.splitlines() if line[:1] == "/"]
    assert named == [str(good), str(tiff)]
    assert f"Cannot decode {broken}: Unknown image file" in done.stderr
    assert f"Cannot read {tmp_path / 'absent.jpg'}: No such" in done.stderr
    assert f"Cannot read {tmp_path}: Is a directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupted_extraction_goes_on(
    pictures, caffemodel, tmp_path, monkeypatch
):
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    (pictures / "test" / "red" / "3.png").unlink()
    # Where names are bytes, these are no text.
    name = b"3\xe4.png" if sys.platform == "linux" else b"3x.png"
    broken = pictures / "test" / "red" / os.fsdecode(name)
    broken.write_bytes(b"no picture")
    (pictures / "test" / "red" / "4.png").symlink_to("nowhere.png")
    (pictures / "test" / "red" / "Thumbs.db").write_bytes(b"of Windows")
    output = tmp_path / "new" / "fc7.npy"
    flags = [
        str(pictures / "test"),
        f"--weights={caffemodel}",
        f"--output={output}",
    ]
    # Stopped after five images, of which the first three are marked.
    printed = run("extract.py", *flags, "--batch_size=5", "--limit=5")
    assert "Stopped after 5 of 8 images" in printed
    assert "Left out: A broken link: " in printed
    rows = np.load(f"{output}.partial.npy", mmap_mode="r+")
    rows[:3] = 7
    rows.flush()
    printed = run("extract.py", *flags)
    assert "Cannot decode" in printed and "red/3" in printed
    found = np.load(output)
    assert found.shape == (8, 24)
    assert (found[:3] == 7).all() and not (found[3:] == 7).any()
    assert np.isnan(found).all(axis=1).tolist() == [False] * 7 + [True]
    assert np.abs(found[3:7]).max(axis=1).min() > 0
    paths = output.with_suffix(".txt").read_bytes().splitlines()
    assert paths[0].endswith(b"/0.png") and paths[1].endswith(b"/1.png")
    assert paths[-1] == os.fsencode(broken)
    left = sorted(path.name for path in output.parent.iterdir())
    assert left == ["fc7.npy", "fc7.txt"]


def test_extractions_that_are_refused(tmp_path):
    (tmp_path / "a\nb.png").touch()
    arguments = str(tmp_path), f"--output={tmp_path / 'fc7.npy'}"
    said = refusal("extract.py", *arguments)
    assert "a\\nb.png' has a line break" in said
    said = refusal("extract.py", *arguments, "--limit=-5")
    assert "--limit" in said and "positive" in said
    assert not list(tmp_path.glob("fc7*"))


@pytest.mark.slow
def test_extract_to_parquet(pictures, caffemodel, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="writes Parquet")
    output = tmp_path / "pool5.parquet"
    run(
        "extract.py",
        str(pictures),
        f"--weights={caffemodel}",
        "--layer=pool5",
        f"--output={output}",
    )
    table = parquet.read_table(output)
    assert table.column_names == ["path", "features", "problem"]
    assert np.array(table["features"].to_pylist()).shape == (40, 64)
    assert table["path"][0].as_py().endswith("test/blue/0.png")
    assert not list(tmp_path.glob("*partial*"))


@pytest.mark.slow
def test_evaluate_asks_for_the_architecture_of_weights():
    """The digits are no animals, but two networks err on them differently."""
    pytest.importorskip("sklearn", reason="has the digits")
    flags = ("--model=cifar10", "--dataset=digits", "--views=center")
    printed = {
        run("evaluate.py", *flags, f"--architecture={preset}")
        for preset in ("cifar_13", "cifar_11")
    }
    assert len(printed) == 2
    assert all("center view, n = 359" in each for each in printed)


@pytest.mark.parametrize("flag", ["--architecture=vgg_d", "--input_size=64"])
def test_weights_that_are_trained_bring_their_network(flag, tmp_path):
    weights = f"--weights={tmp_path / 'net.keras'}"
    said = refusal("train.py", "--dataset=digits", weights, flag)
    assert f"{flag.split('=')[0]} is not changed beside --weights" in said
