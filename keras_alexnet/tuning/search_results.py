"""What a search found: a table, files, the best architecture."""

import dataclasses
import json
import pathlib

import keras

from keras_alexnet.csv_table import write_csv
from keras_alexnet.text_table import text_table
from keras_alexnet.tuning.hypermodels import OBJECTIVE

COLUMNS = (
    "trial",
    "status",
    OBJECTIVE,
    "val_top1_standard_error",
    "val_top5_error",
    "seeds",
    "stopped",
)
# The end of the names of TensorBoard's files that are written here.
SUFFIX = ".search"


class SearchResults:
    """The trials of a search by one of our hypermodels, the best first.

    A trial that was stopped has an error of fewer epochs than the others, and
    so have most of `Hyperband`'s; they come after those that were trained for
    the most epochs, to the end.

    Args:
        tuner: A `keras_tuner.Tuner`, searching or not; in a distributed
            search the chief's.

    Attributes:
        rows: List of dicts, one per trial: `"trial"`, `"status"`, the
            metrics, `"epochs"`, those it was to be trained for, and the
            hyperparameters; `None` where one has no value.
        names: List of strings, the hyperparameters.
        logarithmic: List of strings, those of them that are searched on a
            logarithmic scale.
        setting: Dict that says how the objective was measured, on which
            split of which data.

    Raises:
        ValueError: If the tuner is a worker's.

    Example:

    >>> import keras_tuner, tempfile
    >>> from keras_alexnet.data import load_source
    >>> from keras_alexnet.studies import Experiment
    >>> from keras_alexnet.tuning import LRNHyperModel
    >>> from keras_alexnet.models.variants import with_width
    >>> from keras_alexnet.models import PAPER
    >>> folder = tempfile.mkdtemp()
    >>> source = load_source("digits", holdout=0.2)
    >>> experiment = Experiment(source, folder, input_size=36)
    >>> hypermodel = LRNHyperModel(experiment, with_width(PAPER, 0.1))
    >>> tuner = keras_tuner.RandomSearch(
    ...     hypermodel, hypermodel.objective, directory=folder)
    >>> SearchResults(tuner).setting["split"]
    'holdout'
    """

    def __init__(self, tuner):
        if not hasattr(tuner.oracle, "trials"):
            raise ValueError(
                "`tuner` must be the one that chose the trials. A worker of "
                "a distributed search does not know them: ask the chief."
            )
        self._tuner = tuner
        trials = tuner.oracle.trials.values()
        space = tuner.oracle.get_space().space
        self.names = [
            name
            for name in dict.fromkeys(hp.name for hp in space)
            if not name.startswith("tuner/")
        ]
        self.logarithmic = [
            hp.name for hp in space if getattr(hp, "sampling", "") == "log"
        ]
        rows = [self._row(trial) for trial in trials]
        self.rows = sorted(rows, key=_rank)
        differ = len({row["epochs"] for row in rows}) > 1
        self._columns = (*COLUMNS, "epochs") if differ else COLUMNS
        self.setting = _setting(tuner.hypermodel)

    def best_architecture(self):
        """The `Architecture` of the best trial, that of the first row.

        No recipe has prepared it yet, as with the one the hypermodel was given.

        Raises:
            ValueError: If no trial has ended well.
        """
        if not self.rows or not _has_ended_well(self.rows[0]):
            raise ValueError(
                "No trial has ended well; see the statuses in `rows`."
            )
        best = self._tuner.oracle.trials[self.rows[0]["trial"]]
        return self._tuner.hypermodel.architecture(best.hyperparameters)

    def __str__(self):
        header = [*self._columns[:4], *self._columns[5:], *self.names]
        cells = [[_text(row[name]) for name in header] for row in self.rows]
        table = text_table([header, *cells], ">")
        return f"{self.setting['experiment']}\n{table}"

    def save(self, directory):
        """Writes the trials, the best network and TensorBoard's HParams.

        `trials.csv` has a row per trial and `search.json` the setting;
        `best.json` has, where a trial has ended well, the architecture that
        was searched and the best one, as Keras serializes them, and what they
        were trained with: the fields of the recipe and the `input_size`.

        Args:
            directory: Path, made if need be. TensorBoard's files, one run
                per trial, go to its folder `tensorboard`. Of files that are
            there, those that a search wrote are replaced.
        """
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        columns = [*self._columns, "split", *self.names]
        rows = [{**row, "split": self.setting["split"]} for row in self.rows]
        write_csv(
            directory / "trials.csv",
            [{name: row[name] for name in columns} for row in rows],
            columns,
        )
        text = json.dumps(self.setting, indent=2)
        (directory / "search.json").write_text(text)
        if self.rows and _has_ended_well(self.rows[0]):
            hypermodel = self._tuner.hypermodel
            networks = {
                "searched": hypermodel.space.base,
                "best": self.best_architecture(),
            }
            found = {
                name: keras.saving.serialize_keras_object(architecture)
                for name, architecture in networks.items()
            }
            found["recipe"] = dataclasses.asdict(hypermodel.recipe)
            found["input_size"] = hypermodel.experiment.input_size
            (directory / "best.json").write_text(json.dumps(found, indent=2))
        self._save_tensorboard(directory / "tensorboard")

    def _save_tensorboard(self, directory):
        # Imported here: the package does without TensorBoard otherwise.
        import tensorflow as tf
        from tensorboard.plugins.hparams import api

        # Other files may be a training's logs.
        for path in directory.glob(f"**/events.out.tfevents.*{SUFFIX}"):
            path.unlink()
        metrics = self._columns[2:]
        root = _file_writer(tf, directory)
        with root.as_default():
            api.hparams_config(
                [api.HParam(name) for name in self.names],
                [api.Metric(name) for name in metrics],
            )
        for row in self.rows:
            writer = _file_writer(tf, directory / str(row["trial"]))
            values = {n: row[n] for n in self.names if row[n] is not None}
            with writer.as_default():
                api.hparams(values, trial_id=str(row["trial"]))
                for name in metrics:
                    if row[name] is not None:
                        tf.summary.scalar(name, row[name], step=0)

    def _row(self, trial):
        metrics = trial.metrics
        values = trial.hyperparameters.values
        return {
            "trial": trial.trial_id,
            "status": trial.status,
            **{
                name: metrics.get_last_value(name)
                if metrics.exists(name)
                else None
                for name in COLUMNS[2:]
            },
            # `Hyperband` chooses them for each trial.
            "epochs": values.get(
                "tuner/epochs", self._tuner.hypermodel.recipe.epochs
            ),
            **{name: values.get(name) for name in self.names},
        }


def _file_writer(tf, directory):
    return tf.summary.create_file_writer(str(directory), filename_suffix=SUFFIX)


def _has_ended_well(row):
    return row["status"] == "COMPLETED" and row[OBJECTIVE] is not None


def _rank(row):
    if not _has_ended_well(row):
        return (True,)
    return False, bool(row["stopped"]), -row["epochs"], row[OBJECTIVE]


def _setting(hypermodel):
    experiment = hypermodel.experiment
    return {
        "objective": OBJECTIVE,
        "experiment": str(experiment),
        "source": experiment.source.name,
        "fingerprint": experiment.source.fingerprint,
        "counts": experiment.source.counts,
        "split": experiment.split,
        "views": experiment.views,
        "input_size": experiment.input_size,
        "seeds": list(hypermodel.seeds),
        "architecture": str(hypermodel.space.base),
        "recipe": str(hypermodel.recipe),
    }


def _text(value):
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
