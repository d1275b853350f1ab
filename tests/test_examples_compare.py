"""The comparison of the family runs, as a user would start it."""

import csv
import importlib
import json
import sys

import pytest
from absl import flags
from absl.testing import flagsaver
from test_examples import ROOT
from test_examples import run


def keep(folder, name, seed, **values):
    folder.mkdir(parents=True, exist_ok=True)
    result = {"name": name, "seed": seed, "seconds": 1.0, **values}
    path = folder / f"{name}-seed{seed}.json"
    path.write_text(json.dumps(result))


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_costs_are_measured_once(tmp_path):
    pytest.importorskip("matplotlib", reason="draws the picture")
    flags = ["--networks=googlenet", f"--results={tmp_path}", "--repeats=1"]
    printed = run("compare.py", *flags)
    assert "googlenet: measured" in printed
    assert "31.3/11.1 center (Caffe, models/bvlc_googlenet)" in printed
    assert "vgg_e          not measured" in printed
    (row,) = rows(tmp_path / "cost" / "table.csv")
    assert row["parameters"] == "6998552"
    assert (tmp_path / "cost" / "reported.png").stat().st_size > 10_000
    before = (tmp_path / "cost" / "googlenet-seed0.json").read_bytes()
    assert "measured" not in run("compare.py", *flags, "--tables").replace(
        "not measured", ""
    )
    after = (tmp_path / "cost" / "googlenet-seed0.json").read_bytes()
    assert before == after


def test_norms_from_kept_results(tmp_path):
    folder = tmp_path / "norms-32px-width0.25-share1-10epochs"
    for seed, (plain, lrn) in enumerate([(0.25, 0.5), (0.125, 0.25)]):
        common = {"activation_bytes": 1_000_000, "multiply_adds": 1}
        keep(folder, "A", seed, top1_error=plain, **common)
        keep(folder, "A-LRN", seed, top1_error=lrn, **common)
    printed = run(
        "compare.py", "--study=norms", "--tables", f"--results={tmp_path}"
    )
    assert "+18.75 points" in printed and "GoogLeNet" not in printed
    plain, lrn = rows(folder / "table.csv")
    assert (plain["difference"], lrn["pairs"]) == ("", "2")


def test_costs_of_norms_from_kept_results(tmp_path):
    keep(
        tmp_path / "norm_cost",
        "vgg",
        0,
        ratios=[1.5, 1.0, 2.0],
        activation_bytes=[1_000_000, 3_000_000],
    )
    flags = ("--study=norm_cost", "--tables", f"--results={tmp_path}")
    printed = run("compare.py", *flags)
    assert "takes 1.50 (1.00 to 2.00, n = 3) times as long" in printed
    assert "3.0 MB per image in place of 1.0" in printed


@pytest.mark.parametrize(
    "given, measured",
    [
        ([], ["vgg", "googlenet"]),
        (["--networks=vgg_a", "--networks=paper"], ["vgg"]),
        (["--networks=googlenet"], ["googlenet"]),
    ],
)
def test_norms_of_the_networks_that_are_named(
    given, measured, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(ROOT / "examples")
    with flagsaver.flagsaver():
        compare = importlib.import_module("compare")
        results = f"--results={tmp_path}"
        flags.FLAGS(["compare.py", "--study=norm_cost", results, *given])
        kept = []
        monkeypatch.setattr(compare, "keep", lambda name, _: kept.append(name))
        monkeypatch.setattr(compare, "time_ratios", lambda *_, **__: [1.0])
        monkeypatch.setattr(compare.models, "build_network", lambda _: None)
        monkeypatch.setattr(compare.models, "activation_bytes", lambda _: 1)
        compare.measure_norms()
    del sys.modules["compare"]
    assert kept == measured


@pytest.mark.slow
def test_networks_are_trained_once_and_compared(tmp_path):
    pytest.importorskip("sklearn", reason="the digits ship with it")
    pytest.importorskip("matplotlib", reason="draws the picture")
    flags = [
        "--study=accuracy",
        "--networks=zfnet",
        "--networks=googlenet",
        "--networks=resnet50",
        "--dataset=digits",
        "--width=0.05",
        "--share=0.25",
        "--epochs=1",
        "--seeds=2",
        f"--results={tmp_path / 'results'}",
        f"--output={tmp_path / 'runs'}",
    ]
    printed = run("compare.py", *flags)
    assert printed.count("zfnet, seed") == 2
    assert printed.count("googlenet, seed") == 2
    assert "resnet50                   not run" in printed
    (folder,) = (tmp_path / "results").iterdir()
    assert (folder / "accuracy.png").stat().st_size > 10_000
    assert "seed" not in run("compare.py", *flags)
