"""What a search found: a table, files, the best architecture."""

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

    Args:
        tuner: A `keras_tuner.Tuner`, searching or not; in a distributed
            search the chief's.

    Attributes:
        rows: List of dicts, one per trial: `"trial"`, `"status"`, the
            metrics and the hyperparameters; `None` where one has no value.
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
        self.setting = _setting(tuner.hypermodel)

    def best_architecture(self):
        """The `Architecture` of the trial with the least error.

        No recipe has prepared it yet, as with the one the hypermodel was given.

        Raises:
            ValueError: If no trial has ended well.
        """
        best = self._tuner.oracle.get_best_trials(1)
        if not best or best[0].score is None:
            raise ValueError(
                "No trial has ended well; see the statuses in `rows`."
            )
        return self._tuner.hypermodel.architecture(best[0].hyperparameters)

    def __str__(self):
        header = [*COLUMNS[:4], *COLUMNS[5:], *self.names]
        cells = [[_text(row[name]) for name in header] for row in self.rows]
        table = text_table([header, *cells], ">")
        return f"{self.setting['experiment']}\n{table}"

    def save(self, directory):
        """Writes the trials, the best network and TensorBoard's HParams.

        `trials.csv` has a row per trial and `search.json` the setting;
        `best.json` has, where a trial has ended well, the architecture that
        was searched and the best one, as Keras serializes them.

        Args:
            directory: Path, made if need be. TensorBoard's files, one run
                per trial, go to its folder `tensorboard`. Of files that are
            there, those that a search wrote are replaced.
        """
        directory = pathlib.Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        split = {"split": self.setting["split"]}
        write_csv(
            directory / "trials.csv",
            [{**row, **split} for row in self.rows],
            columns=[*COLUMNS, *split, *self.names],
        )
        text = json.dumps(self.setting, indent=2)
        (directory / "search.json").write_text(text)
        if any(row["status"] == "COMPLETED" for row in self.rows):
            found = {
                "searched": self._tuner.hypermodel.space.base,
                "best": self.best_architecture(),
            }
            found = {
                name: keras.saving.serialize_keras_object(architecture)
                for name, architecture in found.items()
            }
            (directory / "best.json").write_text(json.dumps(found, indent=2))
        self._save_tensorboard(directory / "tensorboard")

    def _save_tensorboard(self, directory):
        # Imported here: the package does without TensorBoard otherwise.
        import tensorflow as tf
        from tensorboard.plugins.hparams import api

        # Other files may be a training's logs.
        for path in directory.glob(f"**/events.out.tfevents.*{SUFFIX}"):
            path.unlink()
        metrics = COLUMNS[2:]
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
            **{name: values.get(name) for name in self.names},
        }


def _file_writer(tf, directory):
    return tf.summary.create_file_writer(str(directory), filename_suffix=SUFFIX)


def _rank(row):
    error = row[OBJECTIVE]
    return (row["status"] != "COMPLETED", error is None, error or 0.0)


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
