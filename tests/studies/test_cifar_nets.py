"""The CIFAR nets wherever networks are taken."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from keras_alexnet.data import load_source
from keras_alexnet.models import CIFAR_11
from keras_alexnet.models import with_width
from keras_alexnet.studies import CHANGES
from keras_alexnet.studies import Experiment
from keras_alexnet.studies import run_ablation
from keras_alexnet.training import train
from keras_alexnet.training.cifar_recipes import CIFAR_RECIPES

NARROW = with_width(CIFAR_11, 0.125)
RECIPE = dataclasses.replace(
    CIFAR_RECIPES["cifar_11"], epochs=2, batch_size=16, milestones=(0.5,)
)


@pytest.fixture
def source():
    """Images of 32 pixels whose class is how bright they are."""
    rng = np.random.default_rng(0)
    splits = {}
    for name, count in (("train", 48), ("test", 24)):
        labels = np.arange(count) % 3
        images = rng.integers(0, 60, (count, 32, 32, 3))
        images = images + 80 * labels[:, None, None, None]
        splits[name] = images.astype("uint8"), labels
    return load_source(splits)


def test_experiments_cut_crops_from_whole_images(source, tmp_path):
    cache = tmp_path / "images"
    experiment = Experiment(source, tmp_path, 24, "test", "ten", cache)
    run = experiment.run(NARROW, RECIPE, seed=0)
    assert run.status == "completed"
    assert run.n == 24
    # Not resized to 27 pixels, which 256 / 224 would make of 24.
    shapes = {np.load(path).shape for path in cache.glob("*.npy")}
    assert shapes == {(48, 32, 32, 3)}
    assert len(run.history["top1_error"]) == 2
    assert run.history["learning_rate"] == pytest.approx((1e-3, 1e-4))
    # Read from its file, it is the same.
    assert experiment.run(NARROW, RECIPE, seed=0) == run


def test_ablations_take_them(source, tmp_path):
    experiment = Experiment(source, tmp_path, 24, split="test")
    changes = [c for c in CHANGES if c.name in ("no LRN", "no weight decay")]
    study = run_ablation(experiment, NARROW, RECIPE, changes, seeds=(0,))
    names = [record["change"] for record in study.records()]
    assert names == ["baseline", "no LRN", "no weight decay"]
    assert all(record["n"] == 1 for record in study.records())
    kept = [
        json.loads(path.read_text())["recipe"]["weight_decays"]
        for path in pathlib.Path(tmp_path).glob("runs/*/run.json")
    ]
    assert sorted(map(bool, kept)) == [False, True, True]


def test_train_takes_them(source, tmp_path):
    training = train(
        source, NARROW, RECIPE, tmp_path / "run", epochs=1, verbose=0
    )
    assert training.model.input_shape == (None, 24, 24, 3)
    assert training.evaluate("ten").n == 24
    assert training.model.architecture == NARROW


def test_the_space_of_lrn_holds_them():
    keras_tuner = pytest.importorskip("keras_tuner", reason="an extra")
    from keras_alexnet.tuning.spaces import LRNSpace

    space = LRNSpace(CIFAR_11)
    assert space.architecture(keras_tuner.HyperParameters()) == CIFAR_11
