import json
import math

import pytest

from keras_alexnet.studies import compare_results
from keras_alexnet.studies import epochs_until
from keras_alexnet.studies import paired_ratio
from keras_alexnet.studies import read_results


def run(error):
    return {"top1_error": error}


def test_files_are_sorted_by_name_and_seed(tmp_path):
    for name, seed in (("b", 10), ("b", 2), ("a", 0)):
        text = json.dumps({"name": name, "seed": seed})
        (tmp_path / f"{name}-{seed}.json").write_text(text)
    found = read_results(tmp_path)
    assert list(found) == ["a", "b"]
    assert list(found["b"]) == [2, 10]


@pytest.mark.parametrize(
    "errors, want",
    [
        # Along the line from 0.9 at 0 to 0.1 at 1.
        ([0.1], 0.8125),
        ([0.5, 0.25], 2.0),
        ([0.5, 0.3, 0.2], 2.5),
        ([0.5, 0.3], None),
        ([], None),
    ],
)
def test_epochs_until(errors, want):
    assert epochs_until(errors, 0.25, 0.9) == (want and pytest.approx(want))


def test_ratio_has_the_interval_of_the_logarithms():
    stats = pytest.importorskip("scipy.stats", reason="the other way")
    values, baseline = [6.0, 7.0, 9.0], [1.0, 1.5, 1.2]
    logs = [math.log(v / b) for v, b in zip(values, baseline, strict=True)]
    want = stats.ttest_1samp(logs, 0).confidence_interval(0.95)
    found = paired_ratio(values, baseline)
    assert found.low == pytest.approx(math.exp(want.low))
    assert found.high == pytest.approx(math.exp(want.high))


def test_one_pair_says_nothing_about_others():
    found = paired_ratio([6.0], [1.0])
    assert (found.value, found.low, found.high) == (
        pytest.approx(6.0),
        0.0,
        math.inf,
    )


def test_only_seeds_of_both_are_pairs():
    results = {
        "none": {0: run(0.5), 1: run(0.75), 2: run(None)},
        "lrn": {0: run(0.25), 2: run(0.25)},
    }
    none, lrn = compare_results(results, "none", ["none", "lrn", "batch"])
    assert (none["n"], none["error"], none["difference"]) == (2, 62.5, None)
    assert (lrn["n"], lrn["pairs"], lrn["difference"]) == (2, 1, -25.0)
    assert lrn["high"] == math.inf


def test_a_run_that_failed_is_none(tmp_path):
    for seed, status in enumerate(("completed", "failed")):
        result = {"name": "lrn", "seed": seed, "status": status}
        (tmp_path / f"{seed}.json").write_text(json.dumps(result))
    assert list(read_results(tmp_path)["lrn"]) == [0]
