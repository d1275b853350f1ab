import csv
import dataclasses
import math
import re

import pytest

from keras_alexnet.models import without_norms
from keras_alexnet.studies import CHANGES
from keras_alexnet.studies import Change
from keras_alexnet.studies import run_ablation
from keras_alexnet.studies.intervals import paired_difference

BY_NAME = {change.name: change for change in CHANGES}

# The baseline's errors, and by how much each seed is worse without LRN.
BASE = (0.20, 0.30, 0.25)
WORSE = (0.05, 0.06, 0.055)


def error(architecture, recipe, seed, **_):
    value = BASE[seed]
    if "norm" not in architecture.stages[0]:
        value += WORSE[seed]
    if recipe.weight_decay == 0:
        value += (0.01, -0.01, 0.0)[seed]
    if architecture.dropout == 0 and seed != 1:
        raise FloatingPointError("The loss is nan")
    if architecture.activation == "tanh":
        raise MemoryError("no room")
    return value


def run(landscape, tiny, recipe, *names, **options):
    changes = [BY_NAME[name] for name in names]
    return run_ablation(landscape, tiny, recipe, changes, **options)


def record(ablation, name):
    (found,) = [r for r in ablation.records() if r["change"] == name]
    return found


def test_difference_is_paired_by_seed(landscape, tiny, recipe):
    ablation = run(landscape(error), tiny, recipe, "no LRN")
    expected = paired_difference(WORSE, (0, 0, 0), step=1 / 50)
    found = record(ablation, "no LRN")
    assert found["n"] == 3
    assert found["top1_difference"] == pytest.approx(5.5)
    assert found["top1_low"] == pytest.approx(100 * expected.low)
    assert found["top1_high"] == pytest.approx(100 * expected.high)
    assert found["contains_zero"] is False
    base = record(ablation, "baseline")
    assert base["top1_error"] == pytest.approx(25)
    assert base["top1_standard_error"] == pytest.approx(5 / math.sqrt(3))
    assert base["top1_difference"] is None


def test_row_whose_interval_contains_zero_says_so(landscape, tiny, recipe):
    ablation = run(landscape(error), tiny, recipe, "no LRN", "no weight decay")
    assert record(ablation, "no weight decay")["contains_zero"] is True
    lines = str(ablation).splitlines()
    (decay,) = [li for li in lines if li.startswith("no weight decay")]
    (norms,) = [li for li in lines if li.startswith("no LRN")]
    assert "contains 0" in decay
    assert "contains 0" not in norms
    # Beside the numbers of the paper and of its author's logs.
    assert "+1.4 / +1.2" in norms
    assert "+1.37 / +1.15" in norms
    # And to those of others.
    assert norms.endswith("-0.1")


def test_seeds_that_tie_do_not_make_a_certainty(landscape, tiny, recipe):
    """All seeds have one more of 50 images wrong: that may be chance."""

    def error(architecture, **_):
        return 0.20 if "norm" in architecture.stages[0] else 0.22

    ablation = run(landscape(error), tiny, recipe, "no LRN")
    found = record(ablation, "no LRN")
    assert found["top1_difference"] == pytest.approx(2)
    assert found["contains_zero"] is True
    assert found["top1_high"] == pytest.approx(2 + 2 * 4.303 / 18**0.5, 1e-3)


def test_nothing_else_changes(landscape, tiny, recipe):
    experiment = landscape(error)
    run(experiment, tiny, recipe, "no LRN", "no PCA color noise")
    trained = experiment.trained
    assert [seed for *_, seed in trained] == [0, 1, 2] * 3
    base, no_norm, no_color = trained[0], trained[3], trained[6]
    assert no_norm[1] == base[1]
    assert no_color[0] == base[0]
    assert no_color[1].color_sigma == 0
    # The recipe's initialization does not undo a change.
    assert base[0].initial_stds == ("he",) * 8


def test_change_of_what_the_recipe_sets(landscape, tiny, recipe):
    experiment = landscape(error)
    run(experiment, tiny, recipe, "biases of 0.1")
    assert experiment.trained[3][0].initial_biases[1] == 0.1


def test_called_again_it_trains_what_is_missing(landscape, tiny, recipe):
    run(landscape(error), tiny, recipe, "no LRN", seeds=(0, 1))
    experiment = landscape(error)
    before = run(experiment, tiny, recipe, "no LRN")
    assert [seed for *_, seed in experiment.trained] == [2, 2]
    experiment = landscape(error)
    assert run(experiment, tiny, recipe, "no LRN").rows == before.rows
    assert experiment.trained == []


def test_failed_seeds_are_counted(landscape, tiny, recipe):
    ablation = run(
        landscape(error), tiny, recipe, "no dropout", "tanh for ReLU"
    )
    found = record(ablation, "no dropout")
    assert (found["n"], found["failed"]) == (1, 2)
    # One pair says nothing about chance.
    assert found["top1_high"] == math.inf
    assert found["contains_zero"] is None
    assert "of them" not in str(ablation)
    assert re.search(r"no dropout +\d\d\.\d\d \(1\)", str(ablation))
    assert "(one pair: no interval)" in str(ablation)
    found = record(ablation, "tanh for ReLU")
    assert (found["n"], found["failed"]) == (0, 3)
    assert "3 failed" in str(ablation)


def test_reasons_not_to_run(landscape, tiny, recipe):
    experiment = landscape(error)
    ablation = run(
        experiment, tiny, recipe, "biases of 0", "pooling after every conv"
    )
    assert len(experiment.trained) == 3
    reasons = [row.reason for row in ablation.rows]
    assert reasons == [
        "",
        "the baseline is like this, or has nothing to change",
        "needs images of 132 pixels or more",
    ]
    assert "132 pixels" in str(ablation)


def test_two_changes_that_make_one_network(landscape, tiny, recipe):
    """conv3 and conv4 have as many kernels of one size."""
    experiment = landscape(error)
    ablation = run(experiment, tiny, recipe, "no LRN", "no conv3", "no conv4")
    assert len(experiment.trained) == 9
    assert [row.reason for row in ablation.rows[2:]] == [
        "",
        "the network of 'no conv3':",
    ]
    first, second = (row.runs for row in ablation.rows[2:])
    assert first == second
    assert "Of 2 intervals 0.1 miss 0 by chance" in str(ablation)


def test_files(landscape, tiny, recipe, tmp_path):
    ablation = run(landscape(error), tiny, recipe, "no LRN")
    ablation.save(tmp_path / "out")
    with open(tmp_path / "out" / "ablation.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["change"] for row in rows] == ["baseline", "no LRN"]
    assert float(rows[1]["top1_difference"]) == pytest.approx(5.5)
    with open(tmp_path / "out" / "runs.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["seed"] for row in rows] == ["0", "1", "2"] * 2
    assert float(rows[4]["top1_error"]) == pytest.approx(0.36)
    # What a run has measured in each epoch is in its own file.
    assert {"curve", "history"}.isdisjoint(rows[0])
    text = (tmp_path / "out" / "ablation.txt").read_text()
    assert text == f"{ablation}\n"


def test_reports_each_run(landscape, tiny, recipe):
    seen = []
    ablation = run(
        landscape(error),
        tiny,
        recipe,
        "no LRN",
        seeds=(2,),
        on_run=lambda name, run: seen.append((name, run.seed)),
    )
    assert seen == [("baseline", 2), ("no LRN", 2)]
    # Of one seed there is no interval.
    assert "miss 0 by chance" not in str(ablation)


def test_a_change_of_one_s_own(landscape, tiny, recipe):
    import dataclasses

    wide = Change("n of 9", lambda a: dataclasses.replace(a, lrn_n=9))
    experiment = landscape(error)
    run_ablation(experiment, tiny, recipe, [wide], seeds=[0])
    assert experiment.trained[1][0].lrn_n == 9


def test_baseline_must_end_well(landscape, tiny, recipe):
    def fails(**_):
        raise FloatingPointError("The loss is nan in epoch 0")

    with pytest.raises(ValueError, match="baseline has ended well: The loss"):
        run(landscape(fails), tiny, recipe, "no LRN", seeds=[0])


def test_what_has_no_effect_is_not_trained(landscape, tiny, recipe):
    """A network of one column has nothing to cross; without LRN, no norm."""
    plain = dataclasses.replace(
        tiny,
        columns=1,
        stages=without_norms(tiny).stages,
    )
    experiment = landscape(error)
    ablation = run(
        experiment, plain, recipe, "no crossing at conv3", "batch norm for LRN"
    )
    assert len(experiment.trained) == 3
    assert all("nothing to change" in row.reason for row in ablation.rows[1:])


def test_a_change_that_cannot_be_made_has_a_row(landscape, tiny, recipe):
    pooled = dataclasses.replace(
        tiny, stages=(("activation", "norm", "pool"),) * 5
    )
    experiment = landscape(error, input_size=140)
    ablation = run(experiment, pooled, recipe, "no conv3", "no dropout")
    assert "A convolution can be removed only if" in ablation.rows[1].reason
    assert ablation.rows[2].top1 is not None


def test_googlenet_is_no_chain(landscape, recipe):
    experiment = landscape(error)
    with pytest.raises(ValueError, match="a chain of layers.*'googlenet'"):
        run_ablation(experiment, "googlenet", recipe)
    assert experiment.trained == []


def test_mistakes_in_changes_are_found_first(landscape, tiny, recipe):
    """Before the baseline was trained for hours."""
    mistaken = Change("n", lambda a: dataclasses.replace(a, lrn_m=9))
    experiment = landscape(error)
    with pytest.raises(TypeError, match="lrn_m"):
        run_ablation(experiment, tiny, recipe, [mistaken])
    assert experiment.trained == []


def test_no_seeds(landscape, tiny, recipe):
    with pytest.raises(ValueError, match="`seeds` must be at least one"):
        run_ablation(landscape(error), tiny, recipe, CHANGES, seeds=())


def test_a_recipe_that_the_images_do_not_allow(landscape, tiny, recipe):
    changes = [
        Change(
            name,
            recipe=lambda chosen, f=fields: dataclasses.replace(chosen, **f),
        )
        for name, fields in {
            "plateau": {"schedule": "plateau", "warmup_epochs": 0},
            "large batches": {"batch_size": 1000},
        }.items()
    ]
    experiment = landscape(error)
    splits = {
        name: split
        for name, split in experiment.source.splits.items()
        if name != "holdout"
    }
    source = dataclasses.replace(experiment.source, splits=splits)
    experiment = dataclasses.replace(experiment, source=source, split="test")
    ablation = run_ablation(experiment, tiny, recipe, changes, seeds=(0,))
    assert [row.reason for row in ablation.rows[1:]] == [
        "needs held-out images, which decide on its rate",
        "needs 1000 training images, of which are 190",
    ]
    assert len(experiment.trained) == 1
