"""Error against the share of the training set and against width."""

import dataclasses
import math
import pathlib

from keras_alexnet.csv_table import write_csv
from keras_alexnet.models.presets import resolve_architecture
from keras_alexnet.models.variants import with_width
from keras_alexnet.studies.caffenet_benchmark import OTHERS_SIZES
from keras_alexnet.studies.intervals import fit_power_law
from keras_alexnet.studies.intervals import mean_and_error
from keras_alexnet.text_table import text_table
from keras_alexnet.training.presets import resolve_recipe as resolve_recipe

AXES = ("share", "width")


@dataclasses.dataclass(frozen=True)
class Scaling:
    """Errors of networks of several sizes; `str()` is a table.

    Args:
        experiment: The `Experiment`.
        points: Tuple of dicts: `"axis"` (`"share"` or `"width"`), `"x"`,
            `"seed"`, `"top1_error"` in [0, 1] (`None` if it failed), `"n"`.
    """

    experiment: object
    points: tuple

    def law(self, axis):
        """The `PowerLaw` along `"share"` or `"width"`.

        An error of `e` images of `n` counts as `(e + 0.5) / (n + 1)`, which
        has a logarithm where none is wrong.
        """
        points = self._along(axis)
        return fit_power_law(
            [point["x"] for point in points],
            [
                (point["top1_error"] * point["n"] + 0.5) / (point["n"] + 1)
                for point in points
            ],
        )

    def means(self, axis):
        """List of `(x, mean error, standard error)`, rising in `x`."""
        groups = {}
        for point in self._along(axis):
            groups.setdefault(point["x"], []).append(point["top1_error"])
        return [(x, *mean_and_error(groups[x])) for x in sorted(groups)]

    def curves(self):
        """Dict of an axis to its `means` and `law`, where sizes differ.

        The law is `None` of fewer than three networks.
        """
        return {
            axis: (
                self.means(axis),
                self.law(axis) if len(self._along(axis)) > 2 else None,
            )
            for axis in AXES
            if len(self.means(axis)) > 1
        }

    def __str__(self):
        lines = [str(self.experiment)]
        for axis, (means, law) in self.curves().items():
            cells = [
                (f"{x:.4g}", _with_spread(mean, error))
                for x, mean, error in means
            ]
            lines.append(text_table([(axis, "top-1 error, %"), *cells], ">"))
            if law is None:
                lines.append("A power law needs three networks or more")
                continue
            b, factor = law.exponent, law.per_doubling()
            lines.append(
                f"error ~ {axis} ** -b, b = {b.value:.3f} ({b.low:.3f} to "
                f"{b.high:.3f}, 95 %): each doubling multiplies it by "
                f"{factor.value:.3f} ({factor.low:.3f} to {factor.high:.3f})"
            )
            others = OTHERS_SIZES[axis]
            known = fit_power_law(
                list(others), [1 - a for a in others.values()]
            )
            lines.append(
                "caffenet-benchmark, ImageNet at 128 pixels, "
                f"{len(others)} networks, {axis} from {min(others):.3g} to "
                f"{max(others):.3g}: b = {known.exponent.value:.3f}"
            )
        return "\n".join(lines)

    def save(self, directory):
        """Writes `scaling.csv` and `scaling.txt`.

        Args:
            directory: Path, made if need be.
        """
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        write_csv(directory / "scaling.csv", self.points)
        (directory / "scaling.txt").write_text(f"{self}\n")

    def _along(self, axis):
        return [
            point
            for point in self.points
            if point["axis"] == axis and point["top1_error"] is not None
        ]


def run_scaling(
    experiment,
    architecture="paper",
    recipe="small_data",
    shares=(0.125, 0.25, 0.5, 1.0),
    widths=(0.25, 0.5, 1.0),
    seeds=(0, 1, 2),
    on_run=None,
):
    """Trains networks on parts of the training set, and of several widths.

    A part of the training set is passed through more often, so that every
    network takes as many steps, up to half an epoch of the part. Which part it
    is, the seed decides. Called again with the same `experiment.directory`, it
    trains what is missing.

    Args:
        experiment: An `Experiment`.
        architecture: An `Architecture` or a preset's name.
        recipe: A `Recipe` or a preset's name.
        shares: Sequence of floats in (0, 1].
        widths: Sequence of floats, factors of the architecture's widths.
        seeds: Sequence of integers.
        on_run: Function of a name and a `Run`, called after each.

    Returns:
        A `Scaling`.

    Raises:
        ValueError: If a size is out of its range, or a share has fewer images
            than a batch; before anything is trained.
    """
    architecture, recipe = (
        resolve_architecture(architecture),
        resolve_recipe(recipe),
    )
    for name, values in (("shares", shares), ("widths", widths)):
        if not all(0 < value for value in values):
            raise ValueError(
                f"`{name}` must be positive. Received: {name}={values}"
            )
    sizes = [
        (axis, x, seed)
        for axis, values in zip(AXES, (shares, widths), strict=True)
        for x in values
        for seed in seeds
    ]
    settings = [
        _setting(experiment, architecture, recipe, *size) for size in sizes
    ]
    points = []
    for (axis, x, seed), setting in zip(sizes, settings, strict=True):
        part, *setting = setting
        run = part.run(*setting, seed)
        points.append(
            {
                "axis": axis,
                "x": x,
                "seed": seed,
                "top1_error": run.top1_error,
                "top5_error": run.top5_error,
                "n": run.n,
            }
        )
        if on_run is not None:
            on_run(f"{axis} {x:g}", run)
    return Scaling(experiment, tuple(points))


def with_training_share(experiment, share, seed):
    """An experiment that trains on a part of the training images.

    Args:
        experiment: An `Experiment`.
        share: Float in (0, 1], of each class.
        seed: Integer, which part.

    Returns:
        An `Experiment`.

    Raises:
        ValueError: If `share` is out of its range.

    Example:

    >>> from keras_alexnet.data import load_source
    >>> from keras_alexnet.studies import Experiment
    >>> experiment = Experiment(load_source("digits"), "runs", split="test")
    >>> with_training_share(experiment, 0.125, seed=0).source.counts
    {'train': 179, 'test': 359}
    """
    if not 0 < share <= 1:
        raise ValueError(f"`share` must be in (0, 1]. Received: share={share}")
    if share == 1:
        return experiment
    source = experiment.source
    _, part = source.split("train").divide(share, seed)
    source = dataclasses.replace(
        source,
        splits={**source.splits, "train": part},
        fingerprint=f"{source.fingerprint}-{share:.6g}-{seed}",
    )
    return dataclasses.replace(experiment, source=source)


def _with_spread(mean, error):
    # One network has no spread.
    spread = f" ± {100 * error:.2f}" if math.isfinite(error) else ""
    return f"{100 * mean:.2f}{spread}"


def _setting(experiment, architecture, recipe, axis, x, seed):
    """The experiment, the architecture and the recipe of a size."""
    if axis == "width":
        architecture = with_width(architecture, x)
    else:
        whole = _steps_per_epoch(experiment, recipe)
        experiment = with_training_share(experiment, x, seed)
        steps = _steps_per_epoch(experiment, recipe)
        if not steps:
            raise ValueError(
                f"`shares` must leave a batch of {recipe.batch_size} training "
                f"images. Received: share={x:g}, of which are "
                f"{experiment.source.counts['train']}"
            )
        recipe = dataclasses.replace(
            recipe, epochs=round(whole * recipe.epochs / steps)
        )
    return experiment, recipe.prepare(architecture), recipe


def _steps_per_epoch(experiment, recipe):
    # What is left of an epoch is less than a batch, and is left out.
    return experiment.source.counts["train"] // recipe.batch_size
