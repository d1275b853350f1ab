import csv
import dataclasses

import numpy as np
import pytest

from keras_alexnet.studies import run_scaling
from keras_alexnet.studies.scaling import with_training_share
from keras_alexnet.visualization.studies import plot_scaling


def error(architecture, experiment, seed, **_):
    """0.1 at the whole training set and width; halved by 4 times as much."""
    share = experiment.source.counts["train"] / 190
    width = architecture.filters[2] / 24
    return 0.1 * share**-0.5 * width**-0.25 * (1 + 0.01 * (seed - 1))


@pytest.fixture
def scaling(landscape, tiny, recipe):
    return run_scaling(
        landscape(error), tiny, recipe, (0.25, 0.5, 1.0), (0.5, 1.0)
    )


def test_power_laws_are_found(scaling):
    """Counting half an error more changes them a little."""
    share, width = scaling.law("share"), scaling.law("width")
    assert share.exponent.value == pytest.approx(0.5, abs=0.03)
    assert share.exponent.low < share.exponent.value < share.exponent.high
    assert width.exponent.value == pytest.approx(0.25, abs=0.03)
    assert share(1.0) == pytest.approx(0.1, abs=0.01)


def test_no_error_has_a_logarithm(landscape, tiny, recipe):
    study = run_scaling(
        landscape(lambda **_: 0.0), tiny, recipe, (0.5, 1.0), (), seeds=(0, 1)
    )
    law = study.law("share")
    assert law.exponent.value == pytest.approx(0, abs=1e-9)
    # Half an error of 50 images.
    assert law(1.0) == pytest.approx(0.5 / 51)


def test_means(scaling):
    means = scaling.means("width")
    assert [x for x, *_ in means] == [0.5, 1.0]
    assert means[1][1] == pytest.approx(0.1)
    assert means[1][2] == pytest.approx(0.001 / np.sqrt(3))


def test_curves_are_drawn(scaling, tmp_path):
    assert list(scaling.curves()) == ["share", "width"]
    picture = plot_scaling(scaling.curves(), tmp_path / "scaling.png")
    assert picture.stat().st_size > 10_000


def test_one_size_is_no_curve(landscape, tiny, recipe):
    study = run_scaling(landscape(error), tiny, recipe, (0.5, 1.0), (1.0,))
    assert list(study.curves()) == ["share"]


def test_table_and_files(scaling, tmp_path):
    text = str(scaling)
    assert "each doubling multiplies it by 0.7" in text
    scaling.save(tmp_path / "out")
    assert (tmp_path / "out" / "scaling.txt").read_text() == f"{text}\n"
    with open(tmp_path / "out" / "scaling.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * (3 + 2)
    assert {row["axis"] for row in rows} == {"share", "width"}


def test_every_network_takes_as_many_steps(landscape, tiny, recipe):
    """An eighth of 190 images has 2 whole batches of 9, and not 21 / 8."""
    recipe = dataclasses.replace(recipe, epochs=4, batch_size=9)
    taken = []

    def error(experiment, recipe, **_):
        per_epoch = experiment.source.counts["train"] // recipe.batch_size
        taken.append((per_epoch, recipe.epochs))
        return 0.1

    shares = (0.125, 0.5, 1.0)
    run_scaling(landscape(error), tiny, recipe, shares, (), seeds=[0])
    assert taken[-1] == (21, 4)
    for per_epoch, epochs in taken:
        assert abs(per_epoch * epochs - 84) <= per_epoch / 2


def test_a_share_without_a_batch_is_found_first(landscape, tiny, recipe):
    experiment = landscape(error)
    with pytest.raises(
        ValueError, match="a batch of 32 .* share=0.1, of which are 20"
    ):
        run_scaling(experiment, tiny, recipe, (1.0, 0.1), (), seeds=[0])
    assert experiment.trained == []


def test_the_whole_is_trained_once(landscape, tiny, recipe):
    """A share of 1 and a width of 1 are the same network."""
    experiment = landscape(error)
    run_scaling(experiment, tiny, recipe, (0.5, 1.0), (0.5, 1.0), seeds=[0])
    assert len(experiment.trained) == 3


def test_parts_of_the_training_set(landscape):
    experiment = landscape(error)
    part = with_training_share(experiment, 0.5, seed=0)
    other = with_training_share(experiment, 0.5, seed=1)
    count = experiment.source.counts["train"]
    assert part.source.counts["train"] == pytest.approx(count / 2, abs=5)
    assert part.source.counts["test"] == experiment.source.counts["test"]
    labels = part.source.split("train").labels
    assert set(labels) == set(range(10))
    names = [
        [x.source.split("train").name_of(i) for i in range(90)]
        for x in (part, other)
    ]
    assert names[0] != names[1]
    fingerprints = {x.source.fingerprint for x in (experiment, part, other)}
    assert len(fingerprints) == 3


@pytest.mark.parametrize("share", [0, 1.5])
def test_refuses_a_share(share, landscape):
    with pytest.raises(ValueError, match="`share` must be in"):
        with_training_share(landscape(error), share, seed=0)


def test_too_few_points_for_a_law(landscape, tiny, recipe, tmp_path):
    scaling = run_scaling(
        landscape(lambda architecture, **_: 0.2),
        tiny,
        recipe,
        shares=(0.5, 1.0),
        widths=(1.0,),
        seeds=(0,),
    )
    assert "A power law needs three networks or more" in str(scaling)
    plot_scaling(scaling.curves(), tmp_path / "scaling.png")


@pytest.mark.parametrize("name", ["shares", "widths"])
def test_sizes_that_are_none(name, landscape, tiny, recipe):
    experiment = landscape(lambda **_: 0.2)
    with pytest.raises(ValueError, match=f"`{name}` must be positive"):
        run_scaling(experiment, tiny, recipe, **{name: (0, 1)})
    assert not experiment.trained


def test_one_seed_has_no_spread(landscape, tiny, recipe):
    study = run_scaling(
        landscape(error), tiny, recipe, (0.5, 1.0), (), seeds=(0,)
    )
    assert "nan" not in str(study) and "±" not in str(study)
    assert "±" in str(
        run_scaling(
            landscape(error), tiny, recipe, (0.5, 1.0), (), seeds=(0, 1)
        )
    )
