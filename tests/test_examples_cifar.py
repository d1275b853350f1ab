"""The CIFAR-10 examples run, as a user would start them."""

import csv
import dataclasses
import importlib
import json
import sys

import filelock
import keras
import pytest
from absl import app
from absl import flags
from absl.testing import flagsaver
from test_examples import ROOT
from test_examples import refusal
from test_examples import run

from keras_alexnet.models import CIFAR_11
from keras_alexnet.models import describe
from keras_alexnet.models import load_network
from keras_alexnet.training import RECIPES
from keras_alexnet.training import SMALL_DATA_RECIPE


def keep(folder, name, seed, **values):
    folder.mkdir(parents=True, exist_ok=True)
    result = {"name": name, "seed": seed, "seconds": 1.0, **values}
    (folder / f"{name}-seed{seed}.json").write_text(json.dumps(result))


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_figure_1_from_kept_results(tmp_path):
    pytest.importorskip("matplotlib", reason="draws the picture")
    curves = {"relu": [0.5, 0.2], "tanh": [0.7, 0.5, 0.4, 0.2]}
    for name, errors in curves.items():
        keep(
            tmp_path / "figure_1",
            name,
            0,
            recipe={"learning_rate": 0.004},
            history={"top1_error": errors},
        )
    printed = run("cifar.py", "--tables", f"--results={tmp_path}")
    # 1 + 0.25 / 0.3 and 3 + 0.15 / 0.2 epochs.
    assert "tanh needs 2.05 times the epochs" in printed
    found = rows(tmp_path / "figure_1" / "table.csv")
    assert [row["activation"] for row in found] == ["relu", "tanh"]
    assert float(found[1]["epochs_to_25_percent"]) == pytest.approx(3.75)
    assert (tmp_path / "figure_1" / "figure_1.png").stat().st_size > 1000


def test_lrn_from_kept_results(tmp_path):
    for seed, (lrn, none) in enumerate([(0.25, 0.5), (0.125, 0.25)]):
        keep(tmp_path / "lrn-8-epochs", "lrn", seed, top1_error=lrn)
        keep(tmp_path / "lrn-8-epochs", "no norm", seed, top1_error=none)
    flags = ["--study=lrn", "--epochs=8", f"--results={tmp_path}"]
    run("cifar.py", "--tables", *flags)
    none, lrn = rows(tmp_path / "lrn-8-epochs" / "table.csv")
    assert (none["name"], none["difference"]) == ("no norm", "")
    assert float(lrn["difference"]) == pytest.approx(-18.75)
    assert lrn["n"] == lrn["pairs"] == "2"


def test_the_winner_of_a_search_from_kept_results(tmp_path):
    folder = tmp_path / "winner"
    for seed, error in ((1000, 0.25), (1001, 0.125)):
        keep(folder, "the author's constants", seed, top1_error=error)
        keep(folder, "the search's winner", seed, top1_error=error - 0.0625)
    run("cifar.py", "--tables", "--study=winner", f"--results={tmp_path}")
    author, winner = rows(folder / "table.csv")
    assert author["name"] == "the author's constants"
    assert float(winner["difference"]) == pytest.approx(-6.25)


@pytest.fixture
def cifar(monkeypatch):
    """The script; the flags that it defines end with the test."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    with flagsaver.flagsaver():
        yield importlib.import_module("cifar")
    del sys.modules["cifar"]


def test_results_of_another_network_are_not_taken(cifar, tmp_path):
    """A second search may have another winner."""
    path = tmp_path / "winner" / "winner-seed1000.json"
    keep(path.parent, "winner", 1000, network=describe(CIFAR_11))
    flags.FLAGS(["cifar.py", "--study=winner", f"--results={tmp_path}"])
    known = cifar.train("winner", CIFAR_11, None, 1000, None)
    assert known["seed"] == 1000
    other = dataclasses.replace(CIFAR_11, lrn_n=5)
    with pytest.raises(app.UsageError, match="of another network"):
        cifar.train("winner", other, None, 1000, None)
    # Nor of another recipe, which a search may have, too.
    recipe = dataclasses.asdict(SMALL_DATA_RECIPE)
    keep(path.parent, "winner", 1000, recipe=recipe)
    kept = cifar.train("winner", CIFAR_11, SMALL_DATA_RECIPE, 1000, None)
    assert kept["seed"] == 1000
    with pytest.raises(app.UsageError, match="of another recipe"):
        cifar.train("winner", CIFAR_11, RECIPES["cifar_11"], 1000, None)


def save_search(path, **more):
    """The best.json of a search."""
    best = dataclasses.replace(CIFAR_11, lrn_n=5)
    found = {
        name: keras.saving.serialize_keras_object(network)
        for name, network in (("searched", CIFAR_11), ("best", best))
    }
    path.write_text(json.dumps({**found, **more}))
    flags.FLAGS(["cifar.py", "--study=winner", f"--search={path}"])


def test_the_winner_is_trained_as_it_was_found(cifar, tmp_path):
    recipe = dataclasses.replace(SMALL_DATA_RECIPE, batch_size=8)
    save_search(
        tmp_path / "best.json",
        recipe=dataclasses.asdict(recipe),
        input_size=32,
    )
    networks, recipes = zip(*cifar.winner_variants().values(), strict=True)
    assert recipes == (recipe,) * 2
    prepared = dataclasses.replace(recipe.prepare(CIFAR_11), input_size=32)
    assert networks == (prepared, dataclasses.replace(prepared, lrn_n=5))


def test_a_search_of_an_earlier_version(cifar, tmp_path):
    """The one in docs/results names no recipe."""
    save_search(tmp_path / "best.json")
    (author, recipe), _ = cifar.winner_variants().values()
    assert (author, recipe) == (CIFAR_11, RECIPES["cifar_11"])
    kept = ROOT / "docs" / "results" / "cifar" / "search" / "best.json"
    flags.FLAGS.search = str(kept)
    assert cifar.winner_variants()["the author's constants"] == (author, recipe)


@pytest.mark.parametrize(
    "given, match",
    [
        (["--epochs=8"], "--study=figure_1 has no --epochs or --variants"),
        (["--variants=relu"], "--study=figure_1 has no --epochs or"),
        (["--study=lrn", "--search=best.json"], "--search is of --study=win"),
    ],
)
def test_flags_of_another_study(given, match, cifar):
    flags.FLAGS(["cifar.py", *given])
    with pytest.raises(app.UsageError, match=match):
        cifar.main(None)


def test_processes_share_a_study(cifar, tmp_path, monkeypatch, capsys):
    flags.FLAGS(
        ["cifar.py", "--study=lrn", f"--output={tmp_path}", "--seeds=2"]
    )
    trained = []

    def train(name, network, recipe, seed, source):
        trained.append((name, seed))

    monkeypatch.setattr(cifar, "train", train)
    monkeypatch.setattr(cifar, "load_source", lambda *_: None)
    variants = {"lrn": (None, None), "no norm": (None, None)}
    with filelock.FileLock(tmp_path / "lrn" / "locks" / "lrn-seed1"):
        cifar.pairs(variants)
    assert trained == [("lrn", 0), ("no norm", 0), ("no norm", 1)]
    printed = capsys.readouterr().out
    assert printed == "lrn, seed 1: another process trains it\n"

    trained.clear()
    flags.FLAGS.variants = ["no norm"]
    cifar.pairs(variants)
    assert trained == [("no norm", 0), ("no norm", 1)]
    flags.FLAGS.variants = ["batch norm"]
    with pytest.raises(app.UsageError, match="must be among.*batch norm"):
        cifar.pairs(variants)


def test_no_results(tmp_path):
    printed = run("cifar.py", "--tables", f"--results={tmp_path}")
    assert "No result in" in printed


def test_a_card_of_another_ending_is_refused_before_training(tmp_path):
    said = refusal(
        "cifar_as_run.py",
        "--dataset=digits",
        "--card=net.h5",
        f"--output={tmp_path / 'run'}",
    )
    assert "--card must end in .safetensors" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_13_percent_net_on_digits(tmp_path):
    flags = ["--dataset=digits", "--epochs=4", f"--output={tmp_path}"]
    printed = run("cifar_as_run.py", *flags)
    assert "test, ten views" in printed
    result = json.loads((tmp_path / "result.json").read_text())
    assert len(result["history"]["loss"]) == 4
    assert (tmp_path / "curves.png").stat().st_size > 5_000
    assert result["log_of_2011"]["test, ten views"][1] == 0.126
    # Started again it is done.
    weights = tmp_path / "card" / "net.safetensors"
    printed = run("cifar_as_run.py", *flags, f"--card={weights}")
    assert "test, ten views" in printed
    card = weights.with_suffix(".md").read_text()
    nats, error = result["found"]["test, ten views"]
    assert f"{error:.2%} of the 359 test images, {nats:.3f} nats" in card
    assert load_network(weights).architecture.name == "cifar_13"


@pytest.mark.slow
def test_the_11_percent_net_on_digits(tmp_path):
    weights = tmp_path / "net.safetensors"
    printed = run(
        "cifar_as_run.py",
        "--dataset=digits",
        "--architecture=cifar_11",
        "--epochs=4",
        f"--output={tmp_path}",
        f"--card={weights}",
    )
    assert "test, ten views" in printed
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["architecture"] == "cifar_11"
    # No log of it is public.
    assert result["log_of_2011"] == {}
    assert (tmp_path / "curves.png").stat().st_size > 5_000
    network = load_network(weights)
    assert network.architecture.lrn_n == 9
    card = weights.with_suffix(".md").read_text()
    assert 'CIFARNet(architecture="cifar_11")' in card
    assert "--architecture=cifar_11 --epochs=4" in card
