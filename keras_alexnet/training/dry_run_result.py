"""What a dry run has found, and the time and memory that it predicts."""

import dataclasses
import textwrap

from keras_alexnet.data.source import Source
from keras_alexnet.training.recipe import Recipe

# What a directory must have room for, see `Snapshots`.
BACKUPS = 3


class DryRunError(RuntimeError):
    """What a training would fail with, and in which part.

    Args:
        part: String, such as `"backup"`.
        error: The exception.

    Example:

    >>> print(DryRunError("backup", OSError("The disk is full.")))
    The dry run failed in its part "backup". OSError: The disk is full.
    """

    def __init__(self, part, error):
        super().__init__(
            f'The dry run failed in its part "{part}". '
            f"{type(error).__name__}: {error}"
        )
        self.part = part


@dataclasses.dataclass(frozen=True)
class DryRun:
    """What `dry_run` has found; print it.

    Attributes:
        source: The `Source` of the images.
        recipe: The `Recipe`.
        replicas: Integer, how many copies of the network share a batch.
        devices: Tuple of strings, those of this process.
        steps: Integer, training steps that were timed.
        memory: Dict of the bytes that a replica needs, see
            `keras_alexnet.models.training_bytes`.
        available: Integer, bytes of this machine that were free before the
            first step; `None` where that is not known.
        peak: Dict from a name (`"process"`, a GPU) to the most bytes that it
            held.
        backup_bytes: Integer, of one backup.
        free: Integer, bytes that are free where backups are written.
        backup_seconds, resume_seconds: Floats: how long a backup takes to
            write, and how long from the start to the first step after it.
        rates: Dict of images per second: `input` alone, `training`,
            `validation` unless there is none, and `ten_views`.
        every: `"epoch"`, or steps between backups.
        validated: Integer, images of a validation.
        mean_is_known: Boolean. Whether the mean image is on disk.
        seconds: Float, what the dry run took.
    """

    source: Source
    recipe: Recipe
    replicas: int
    devices: tuple
    steps: int
    memory: dict
    available: int | None
    peak: dict
    backup_bytes: int
    free: int
    backup_seconds: float
    resume_seconds: float
    rates: dict
    every: str | int
    validated: int
    mean_is_known: bool
    seconds: float

    @property
    def predicted(self):
        """Dict of seconds that each part of the whole training will take."""
        counts, rates = self.source.counts, self.rates
        epochs, batch = self.recipe.epochs, self.recipe.batch_size
        steps = counts["train"] // batch
        # None, and nothing to validate, where `validation=None` was asked for.
        validation = rates.get("validation", float("inf"))
        backups = 1
        if self.every != "epoch":
            backups += steps // self.every
        return {
            "mean image": (
                0 if self.mean_is_known else counts["train"] / rates["input"]
            ),
            "training": epochs * steps * batch / rates["training"],
            "validation": epochs * self.validated / validation,
            "backups": epochs * backups * self.backup_seconds,
            "center and ten views": counts["test"] / validation
            + counts["test"] / rates["ten_views"],
        }

    def record(self):
        """A dict which JSON can hold."""
        kept = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
        }
        return {
            **kept,
            "source": {"name": self.source.name, **self.source.counts},
            "recipe": dataclasses.asdict(self.recipe),
            "devices": list(self.devices),
            "predicted": self.predicted,
        }

    def __str__(self):
        lines = [f"Dry run: nothing failed ({self.seconds:.0f} s)"]
        for name, text in self._rows():
            lines += textwrap.wrap(
                text,
                79,
                initial_indent=f"{name:<11} ",
                subsequent_indent=" " * 12,
            )
        return "\n".join(lines)

    def _rows(self):
        memory, rates = self.memory, self.rates
        total, free = sum(memory.values()), self.free // self.backup_bytes
        yield "source", str(self.source).splitlines()[0]
        yield (
            "devices",
            f"{self.replicas} {'replicas' if self.replicas > 1 else 'replica'}"
            f" of {self.recipe.batch_size // self.replicas} images; here "
            + ", ".join(self.devices),
        )
        parts = ", ".join(f"{k} {_size(v)}" for k, v in memory.items())
        peak = ", ".join(f"{k} {_size(v)}" for k, v in self.peak.items())
        yield (
            "memory",
            f"{_size(total)} per replica at least ({parts}); most held: {peak}"
            + (f"; free {_size(self.available)}" if self.available else ""),
        )
        yield (
            "backup",
            f"{_size(self.backup_bytes)} in {self.backup_seconds:.1f} s; free "
            f"{_size(self.free)}, room for {free:,} (three are needed)",
        )
        yield (
            "resume",
            f"at step {self.steps}, {self.resume_seconds:.1f} s after a start",
        )
        yield (
            "images/s",
            ", ".join(
                f"{name.replace('_', ' ')} {rate:,.1f}"
                for name, rate in rates.items()
            ),
        )
        predicted = self.predicted
        parts = ", ".join(f"{k} {_time(v)}" for k, v in predicted.items())
        yield (
            "predicted",
            f"{_time(sum(predicted.values()))} for {self.recipe.epochs} "
            f"epochs ({parts})",
        )


def _size(count):
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _time(seconds):
    for name, unit in (("h", 3600), ("min", 60)):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"
