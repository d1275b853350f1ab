"""What docs/imagenet.md states beyond what tests/test_docs.py checks."""

import pathlib
import re
import runpy
import shlex
import subprocess

import keras
import pytest
from absl import flags
from absl.testing import flagsaver

from keras_alexnet import AlexNet
from keras_alexnet.models import training_bytes

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs" / "imagenet.md"

if not PAGE.exists():
    pytest.skip("the docs are not in this copy", allow_module_level=True)
if keras.backend.backend() != "tensorflow":
    pytest.skip("the pipeline is TensorFlow's", allow_module_level=True)

TEXT = PAGE.read_text().replace("\\\n", " ")


def test_what_slurms_script_is_given_are_flags_of_training(monkeypatch):
    (line,) = re.findall(r"^BATCH=\d+ sbatch .*$", TEXT, re.MULTILINE)
    words = shlex.split(line)
    (at,) = (i for i, w in enumerate(words) if w.endswith(".sbatch"))
    assert (ROOT / words[at]).exists()
    added = re.search(r"python \"\$TRAIN\" (.*?) \"\$@\"", _script(words[at]))
    monkeypatch.syspath_prepend(ROOT / "examples")
    monkeypatch.setenv("TF_CPU_ALLOCATOR_USE_BFC", "true")
    with flagsaver.flagsaver():
        parser = runpy.run_path(ROOT / "examples/train.py", run_name="page")
        own = shlex.split(added[1].replace("$BATCH", "1024"))
        left = parser["FLAGS"](["train.py", *own, *words[at + 1 :]])
        assert left == ["train.py"]
        assert flags.FLAGS.cluster == "slurm"
        assert flags.FLAGS.learning_rate == 0.08


def _script(path):
    return (ROOT / path).read_text().replace("\\\n", " ")


def test_tf_config_is_that_of_the_machine():
    from keras_alexnet.distribution.cluster import read_tf_config

    (line,) = re.findall(r"^export TF_CONFIG=.*$", TEXT, re.MULTILINE)
    printed = subprocess.run(
        ["bash", "-c", f'{line} && printf %s "$TF_CONFIG"'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout
    found = read_tf_config(printed)
    workers = [f"{name}:12345" for name in "abcd"]
    assert found["cluster"] == {"worker": workers}
    assert found["task"] == {"type": "worker", "index": 0}


@pytest.mark.parametrize("batch, column", [(128, 1), (512, 2)])
def test_memory_is_what_the_package_says(batch, column):
    found = training_bytes(AlexNet(), batch)
    activations = found.pop("activations")
    lines = [line.split("|") for line in TEXT.splitlines() if " GB |" in line]
    for row, value in zip(
        lines, (sum(found.values()), activations), strict=True
    ):
        assert row[column + 1].strip() == f"{value / 1e9:.2f} GB"
