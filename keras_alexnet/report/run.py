"""What a training has left in its directory."""

import csv
import dataclasses
import json
import math
import pathlib

import keras

from keras_alexnet.models.architecture import Architecture
from keras_alexnet.models.inception import InceptionArchitecture
from keras_alexnet.training.recipe import Recipe

# Without these there is nothing to report.
NEEDED = ("settings.json", "history.csv", "alexnet.keras")


@dataclasses.dataclass(frozen=True)
class Run:
    """The files of a training that has ended, read.

    Attributes:
        directory: `pathlib.Path`.
        settings: Dict, what was asked for.
        architecture: The `Architecture` or `InceptionArchitecture`, or `None`
            where the model has none.
        recipe: The `Recipe`. Where the settings do not tell how many epochs
            were asked for, as with the schedules `"plateau"` and
            `"constant"`, its `epochs` are those of the history.
        history: Dict of a name to a list of floats, one per epoch.
        preflight: Dict of what was found before the first step, or `None`.
        seconds: Float, how long the training took, or `None` where nothing
            tells.
    """

    directory: pathlib.Path
    settings: dict
    architecture: Architecture | InceptionArchitecture | None
    recipe: Recipe
    history: dict
    preflight: dict | None
    seconds: float | None

    def model(self):
        """Loads the trained `keras.Model`.

        Raises:
            ValueError: If the file is damaged.
        """
        path = self.directory / "alexnet.keras"
        try:
            return keras.saving.load_model(path, compile=False)
        # Keras, zipfile and HDF5 have errors of their own for this.
        except Exception as error:
            raise ValueError(
                f"{path} cannot be read ({_first_line(error)}). Remove it and "
                "start the training again in the same way: it writes the file "
                "anew from its backup."
            ) from error


def read_run(directory):
    """Reads what `train` has left in a directory.

    Args:
        directory: Path.

    Returns:
        A `Run`.

    Raises:
        ValueError: If it is no folder, of something else than a training, of
            one that has not ended, or damaged; the message says what is
            missing.

    Example:

    >>> read_run("no/such/folder")
    Traceback (most recent call last):
    ValueError: `directory` must be the folder of a training. ...
    """
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise ValueError(
            "`directory` must be the folder of a training. Received: "
            f"directory={str(directory)!r}, which is no folder"
        )
    _check_complete(directory)
    settings = _json(directory / "settings.json")
    history = _history(directory / "history.csv")
    try:
        architecture = _architecture(settings["architecture"])
        asked = {"epochs": len(history["loss"]), **settings["recipe"]}
        recipe = Recipe(**asked)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{directory / 'settings.json'} does not describe a training of "
            f"this version: {type(error).__name__} {error}"
        ) from error
    errors = directory / "errors.json"
    preflight = directory / "preflight.json"
    minutes = _json(errors).get("minutes") if errors.exists() else None
    return Run(
        directory,
        settings,
        architecture,
        recipe,
        history,
        _json(preflight) if preflight.exists() else None,
        minutes and 60 * minutes,
    )


def _check_complete(directory):
    missing = [name for name in NEEDED if not (directory / name).exists()]
    if not missing:
        return
    if missing == ["alexnet.keras"]:
        raise ValueError(
            f"The training in {directory} has not ended: there is no "
            "alexnet.keras. Start it again in the same way; it goes on where "
            "it was."
        )
    there = sorted(path.name for path in directory.iterdir())[:8]
    raise ValueError(
        f"{directory} is not what `keras_alexnet.train` leaves: it has no "
        f"{', '.join(missing)}. It has: {', '.join(there) or 'nothing'}"
    )


def _json(path):
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict):
            raise ValueError(f"a {type(found).__name__}, not a dict")
    except (ValueError, OSError) as error:
        raise ValueError(f"{path} is damaged ({error}).") from error
    return found


def _history(path):
    """Columns of numbers; a row that was cut off in mid-write is left out."""
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        rows = list(csv.DictReader(file))
    try:
        columns = {
            name: [float(row[name] or "nan") for row in rows if None not in row]
            for name in (rows[0] if rows else {})
        }
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}).") from error
    if not columns.get("loss"):
        raise ValueError(
            f"{path} must have at least one epoch with a loss. Received: "
            f"columns {list(columns)}"
        )
    columns.pop("epoch", None)
    return {
        name: values
        for name, values in columns.items()
        if not all(map(math.isnan, values))
    }


def _architecture(fields):
    if fields is None:
        return None
    inception = "modules" in fields
    kind = InceptionArchitecture if inception else Architecture
    return kind.from_config(fields)


def _first_line(error):
    return (str(error) or type(error).__name__).splitlines()[0][:200]
