"""What the kept results of the CIFAR-10 studies say."""

import json
import math
import pathlib

from keras_alexnet.studies.intervals import Interval
from keras_alexnet.studies.intervals import mean_and_error
from keras_alexnet.studies.intervals import paired_difference


def read_results(folder):
    """The results that are kept in a folder, by name and seed.

    Args:
        folder: Path of a folder of JSON files with `name` and `seed`.

    Returns:
        Dict from a name to a dict from a seed to what is in the file; both in
        order. Runs that failed are left out.

    Example:

    >>> read_results("there is no such folder")
    {}
    """
    found = {}
    for path in sorted(pathlib.Path(folder).glob("*.json")):
        result = json.loads(path.read_text())
        if result.get("status") == "failed":
            continue
        found.setdefault(result["name"], {})[result["seed"]] = result
    return {name: dict(sorted(runs.items())) for name, runs in found.items()}


def epochs_until(errors, target, chance):
    """Epochs until an error has fallen to a target.

    Between the ends of two epochs the error is taken to fall along a line,
    and before the first epoch to be that of chance.

    Args:
        errors: Sequence of floats, one per epoch.
        target: Float.
        chance: Float.

    Returns:
        Float, or `None` if it never has.

    Example:

    >>> epochs_until([0.75, 0.35, 0.15], target=0.25, chance=0.9)
    2.5
    """
    before = chance
    for epoch, error in enumerate(errors):
        if error <= target:
            return epoch + (before - target) / (before - error)
        before = error
    return None


def paired_ratio(values, baseline):
    """Geometric mean of the ratios of pairs, with Student's 95 % interval.

    Args:
        values: Sequence of positive floats.
        baseline: Sequence of positive floats, as many and in the same order.

    Returns:
        An `Interval`; of one pair, from 0 to inf.

    Example:

    >>> r = paired_ratio([8.0, 32.0], [4.0, 4.0])
    >>> round(r.value, 6), r.n
    (4.0, 2)
    """
    logs = paired_difference(
        [math.log(value) for value in values],
        [math.log(value) for value in baseline],
    )
    high = math.exp(logs.high) if logs.high < 700 else math.inf
    return Interval(math.exp(logs.value), math.exp(logs.low), high, logs.n)


def compare_results(results, baseline, names):
    """Errors of networks and their paired differences from one of them.

    Args:
        results: Dict, as of `read_results`.
        baseline: String, the name of that one.
        names: Sequence of strings, the order of the rows.

    Returns:
        List of dicts, one per name that has a result: `name`, `n`, `error`
        and `standard_error` in percent, `pairs`, and `difference`, `low` and
        `high` in points, `None` where there is no pair.

    Example:

    >>> results = {"lrn": {0: {"top1_error": 0.25}},
    ...            "none": {0: {"top1_error": 0.5}}}
    >>> compare_results(results, "none", ["none", "lrn"])[1]["difference"]
    -25.0
    """
    rows = []
    for name in names:
        errors = _errors(results.get(name, {}))
        if not errors:
            continue
        mean, error = mean_and_error(list(errors.values()))
        row = {
            "name": name,
            "n": len(errors),
            "error": 100 * mean,
            "standard_error": 100 * error,
            "pairs": 0,
            **dict.fromkeys(("difference", "low", "high")),
        }
        others = _errors(results.get(baseline, {}))
        seeds = [seed for seed in errors if seed in others]
        if name != baseline and seeds:
            interval = paired_difference(
                [errors[seed] for seed in seeds],
                [others[seed] for seed in seeds],
            )
            row["pairs"] = len(seeds)
            row["difference"] = 100 * interval.value
            row["low"], row["high"] = 100 * interval.low, 100 * interval.high
        rows.append(row)
    return rows


def _errors(runs):
    return {
        seed: run["top1_error"]
        for seed, run in runs.items()
        if run["top1_error"] is not None
    }
