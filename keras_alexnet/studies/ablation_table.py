"""The table of an ablation study."""

import dataclasses
import math
import pathlib

from keras_alexnet.csv_table import write_csv
from keras_alexnet.studies.caffenet_benchmark import OTHERS_EFFECTS
from keras_alexnet.studies.history_2012 import LOGGED_EFFECTS
from keras_alexnet.studies.history_2012 import PAPER_EFFECTS
from keras_alexnet.studies.intervals import mean_and_error
from keras_alexnet.text_table import text_table

# Fields of a `Run` that have a value per epoch, and no cell of a table.
PER_EPOCH = ("curve", "history")


@dataclasses.dataclass(frozen=True)
class Row:
    """A change and what it did.

    Args:
        name: String, the change's.
        runs: Tuple of `Run`, one per seed; empty if it was not run.
        top1, top5: `Interval`s of the paired differences of the errors from
            the baseline's, in [-1, 1]; `None` where there is no pair.
        reason: String, why it was not run, or not by itself.
    """

    name: str
    runs: tuple = ()
    top1: object = None
    top5: object = None
    reason: str = ""

    def record(self):
        """A dict for a table; errors in percent, differences in points."""
        ended = ended_runs(self.runs)
        record = {
            "change": self.name,
            "n": len(ended),
            "failed": len(self.runs) - len(ended),
        }
        for name, errors in (
            ("top1", [run.top1_error for run in ended]),
            ("top5", [run.top5_error for run in ended]),
        ):
            # Of five classes or fewer there is no top-5 error.
            known = [each for each in errors if each is not None]
            mean, error = mean_and_error(known) if known else (None, None)
            record[f"{name}_error"] = _percent(mean)
            record[f"{name}_standard_error"] = _percent(error)
            interval = getattr(self, name)
            for part in ("value", "low", "high"):
                bound = None if interval is None else getattr(interval, part)
                part = "difference" if part == "value" else part
                record[f"{name}_{part}"] = _percent(bound)
        known = self.top1 is not None and math.isfinite(self.top1.low)
        record["contains_zero"] = self.top1.contains(0) if known else None
        record["paper"] = PAPER_EFFECTS.get(self.name, "")
        record["logs_2012"] = LOGGED_EFFECTS.get(self.name, "")
        record["caffenet_benchmark"] = OTHERS_EFFECTS.get(self.name, "")
        record["reason"] = self.reason
        return record


@dataclasses.dataclass(frozen=True)
class Ablation:
    """The rows of an ablation study, the baseline first; `str()` is a table.

    Args:
        experiment: The `Experiment`.
        rows: Tuple of `Row`.
    """

    experiment: object
    rows: tuple

    def records(self):
        """List of dicts, one per row, see `Row.record`."""
        return [row.record() for row in self.rows]

    def __str__(self):
        ours = ("", "top-1 error, %", "difference, points")
        cells = [(*ours, "paper", "logs", "others")]
        cells += [_cells(record) for record in self.records()]
        table = text_table(cells)
        return "\n".join([str(self.experiment), table, *self._notes()])

    def save(self, directory):
        """Writes `ablation.csv`, `runs.csv` and `ablation.txt`.

        Args:
            directory: Path, made if need be.
        """
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        write_csv(directory / "ablation.csv", self.records())
        write_csv(
            directory / "runs.csv",
            [
                {
                    "change": row.name,
                    "split": self.experiment.split,
                    **{
                        name: value
                        for name, value in dataclasses.asdict(run).items()
                        if name not in PER_EPOCH
                    },
                }
                for row in self.rows
                for run in row.runs
            ],
        )
        (directory / "ablation.txt").write_text(f"{self}\n")

    def _notes(self):
        tested = sum(
            row.top1 is not None
            and math.isfinite(row.top1.low)
            and not row.reason
            for row in self.rows
        )
        chance = f" Of {tested} intervals {0.05 * tested:.1f} miss 0 by chance."
        return (
            "± standard error of the mean over (n) seeds. Difference from the "
            "baseline of the same seeds,",
            "with Student's 95 % interval: it speaks of seeds, not of other "
            f"test images.{chance if tested else ''}",
            "paper, logs: top-1 / top-5, ImageNet, single runs. others: top-1, "
            "caffenet-benchmark, ImageNet",
            "at 128 pixels, single runs.",
        )


def ended_runs(runs):
    """Those of a sequence of `Run` that were trained to the end."""
    return [run for run in runs if run.status == "completed"]


def _percent(value):
    return None if value is None else 100 * value


def _cells(record):
    ours = ""
    if record["n"]:
        error = record["top1_standard_error"]
        # One network has no spread.
        spread = f" ± {error:.2f}" if record["n"] > 1 else ""
        ours = f"{record['top1_error']:5.2f}{spread} ({record['n']})"
    notes = [record["reason"]]
    if record["top1_difference"] is not None:
        notes.append(f"{record['top1_difference']:+6.2f}")
        if math.isfinite(record["top1_low"]):
            notes.append(
                f"({record['top1_low']:+.2f} to {record['top1_high']:+.2f})"
            )
            notes.append("contains 0" if record["contains_zero"] else "")
        else:
            notes.append("(one pair: no interval)")
    if record["failed"]:
        notes.append(f"{record['failed']} failed")
    note = " ".join(filter(None, notes))
    known = ("paper", "logs_2012", "caffenet_benchmark")
    return record["change"], ours, note, *(record[name] for name in known)
