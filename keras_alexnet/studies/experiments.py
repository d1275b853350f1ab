"""Trains and judges many networks in the same way, and keeps the results."""

import contextlib
import dataclasses
import math
import os
import pathlib
import shutil
import time

import keras
import numpy as np

from keras_alexnet.data.source import Source
from keras_alexnet.fields import settings_of
from keras_alexnet.models.build_network import build_network
from keras_alexnet.studies.run_files import Run
from keras_alexnet.studies.run_files import is_failure
from keras_alexnet.studies.run_files import read_run
from keras_alexnet.studies.run_files import same_setting
from keras_alexnet.studies.run_files import setting_key
from keras_alexnet.studies.run_files import write_run
from keras_alexnet.training.training import train

# To be raised whenever a change to this package makes the same network and
# recipe train to other numbers, so that kept runs of before are not mixed
# with new ones.
COMPUTATION = 1
# The end of the names of empty files, which say what studies a run is of.
STUDY = ".study"


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What all networks of a study share: images, crops, how they are judged.

    The result of each training is kept in a file whose name depends on
    everything that the training depends on. Asked for the same training again,
    also by a later process, it reads the result, or resumes the training.

    Args:
        source: A `Source`, see `load_source`. Its split `"holdout"`, if there
            is one, is validated on after each epoch.
        directory: Path, where results are kept.
        input_size: Pixels per side of the crops.
        split: The split that is judged.
        views: As in `evaluate`.
        cache: As of `TrainingData`; a folder serves all networks.
        dtype: String, the dtype policy of the networks, such as
            `"mixed_bfloat16"`. Defaults to Keras's own when the experiment is
            made. Afterwards Keras's own is as it was before.

    Raises:
        ValueError: If the source has no such split, or there is no such
            policy.

    Example:

    >>> import tempfile
    >>> from keras_alexnet.data import load_source
    >>> source = load_source("digits", holdout=0.2)
    >>> print(Experiment(source, tempfile.mkdtemp(), input_size=36))
    digits, split "holdout", n = 287, center view, 36 x 36 pixels
    """

    source: Source
    directory: str | os.PathLike
    input_size: int = 224
    split: str = "holdout"
    views: str = "center"
    cache: str | os.PathLike | None = None
    dtype: str | None = None

    def __post_init__(self):
        policy = keras.dtype_policies.get(
            self.dtype or keras.config.dtype_policy()
        )
        object.__setattr__(self, "dtype", policy.name)
        if self.split not in self.source.splits:
            raise ValueError(
                f"`split` must be one of {list(self.source.splits)}; "
                '`load_source(..., holdout=0.1)` makes a "holdout". '
                f"Received: split={self.split!r}"
            )

    def __str__(self):
        view = "view" if self.views == "center" else "views"
        return (
            f'{self.source.name}, split "{self.split}", '
            f"n = {self.source.counts[self.split]}, {self.views} {view}, "
            f"{self.input_size} x {self.input_size} pixels"
        )

    def network(self, architecture):
        """An untrained `keras.Model` of an `Architecture`, for raw pixels."""
        with _dtype_policy(self.dtype):
            return build_network(
                architecture,
                input_shape=(self.input_size, self.input_size, 3),
                classes=len(self.source.class_names),
                include_preprocessing=True,
            )

    def run(
        self, architecture, recipe, seed, callbacks=(), verbose=0, study=None
    ):
        """Trains a network and measures its error, unless that was done before.

        A result is not kept under its callbacks: they may stop a training, but
        must not change it otherwise. Without callbacks, a training that one
        has stopped is done again. (Where the schedule is `"plateau"`, which
        also ends trainings early, only if a callback was `hopeless`.)

        Args:
            architecture: An `Architecture`, prepared by the recipe.
            recipe: A `Recipe`.
            seed: Integer, of the weights, the order and the augmentation.
            callbacks: List of further Keras callbacks. One with a true
                attribute `hopeless` afterwards marks the run as `"stopped"`,
                and only calls with one that has this attribute get it.
            verbose: As in `keras.Model.fit`.
            study: String, part of a file's name, under which `runs` finds the
                run. Defaults to `None`.

        Returns:
            A `Run`. It is `"failed"` if numbers were not finite or memory did
            not suffice; other errors are raised.
        """
        setting = self._setting(architecture, recipe, seed)
        folder = pathlib.Path(self.directory) / "runs" / setting_key(setting)
        if study is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{study}{STUDY}").touch()
        if (folder / "run.json").exists():
            kept = read_run(folder / "run.json")
            if not kept.transient and _suits(kept, recipe, callbacks):
                return kept
        start = time.monotonic()
        try:
            with _dtype_policy(self.dtype):
                arguments = recipe, seed, folder, callbacks, verbose
                run = self._train(architecture, *arguments)
                if not _suits(run, recipe, callbacks):
                    # Callbacks of a process that was killed had stopped it.
                    shutil.rmtree(folder / "backup", ignore_errors=True)
                    run = self._train(architecture, *arguments)
        except Exception as error:
            if not is_failure(error):
                raise
            run = Run(
                "failed",
                seed,
                recipe.epochs,
                message=str(error) or type(error).__name__,
                # Memory may suffice another time.
                transient=not isinstance(error, FloatingPointError),
            )
        run = dataclasses.replace(run, seconds=time.monotonic() - start)
        write_run(folder / "run.json", run, setting)
        # A study keeps what it found, not hundreds of networks.
        shutil.rmtree(folder / "backup", ignore_errors=True)
        (folder / "alexnet.keras").unlink(missing_ok=True)
        return run

    def runs(self, recipe=None, study=None):
        """List of `Run`: all trainings in the directory that have ended.

        Args:
            recipe: A `Recipe`. If given, only its runs on these images.
            study: String. If given, only what `run` was asked for under it.
        """
        wanted = {}
        if recipe is not None:
            setting = self._setting(None, recipe, None)
            wanted = {"recipe": setting["recipe"], **self._common_setting()}
        folder = pathlib.Path(self.directory) / "runs"
        return [
            read_run(path)
            for path in sorted(folder.glob("*/run.json"))
            if same_setting(path, wanted)
            and (study is None or (path.parent / f"{study}{STUDY}").exists())
        ]

    def key(self, *details):
        """A short name for what all runs depend on, and for further details.

        Args:
            *details: Dataclasses, or what JSON can hold.

        Returns:
            String of 8 characters.
        """
        details = [
            settings_of(x) if dataclasses.is_dataclass(x) else x
            for x in details
        ]
        return setting_key({"details": details, **self._common_setting()})[:8]

    def _setting(self, architecture, recipe, seed):
        """All that the result depends on."""
        parts = {"architecture": architecture, "recipe": recipe}
        parts = {
            name: settings_of(x) for name, x in parts.items() if x is not None
        }
        for part in parts.values():
            # Names have no influence, and the size is the experiment's.
            part.pop("name")
            part.pop("input_size", None)
        return {**parts, "seed": seed, **self._common_setting()}

    def _common_setting(self):
        """What all runs of the experiment depend on."""
        return {
            "source": self.source.name,
            "fingerprint": self.source.fingerprint,
            "split": self.split,
            "views": self.views,
            "input_size": self.input_size,
            "dtype": self.dtype,
            "backend": keras.backend.backend(),
            "computation": COMPUTATION,
        }

    def _train(self, architecture, recipe, seed, folder, callbacks, verbose):
        # A study builds many networks; their graphs would pile up.
        keras.backend.clear_session()
        # It resets the dtype policy, too.
        keras.config.set_dtype_policy(self.dtype)
        held_out = "holdout" in self.source.splits
        training = train(
            self.source,
            architecture,
            recipe,
            folder,
            input_size=self.input_size,
            validation="holdout" if held_out else None,
            cache=self.cache,
            seed=seed,
            callbacks=callbacks,
            verbose=verbose,
            prepared=True,
            # A study varies what the preflight would ask about, many times.
            preflight=False,
        )
        _check_finite(training.model, training.history["loss"])
        errors = training.evaluate(self.views, self.split)
        stopped = any(getattr(c, "hopeless", False) for c in callbacks)
        return Run(
            "stopped" if stopped else "completed",
            seed,
            recipe.epochs,
            errors.top1_error,
            errors.top5_error,
            errors.n,
            tuple(training.history.get("val_top1_error", ())),
            history={
                name: tuple(values) for name, values in training.history.items()
            },
        )


@contextlib.contextmanager
def _dtype_policy(name):
    """Keras's dtype policy, for a while."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _suits(run, recipe, callbacks):
    """Whether a run is an answer to a call with these callbacks."""
    if run.status == "stopped":
        return any(hasattr(callback, "hopeless") for callback in callbacks)
    epochs = len(run.history.get("loss") or run.curve)
    # Of a run that failed, or of an earlier version, they are not known.
    is_short = 0 < epochs < run.epochs and recipe.schedule != "plateau"
    return bool(callbacks) or not is_short


def _check_finite(model, losses):
    if not math.isfinite(losses[-1]):
        raise FloatingPointError(
            f"The loss is {losses[-1]} in epoch {len(losses) - 1}"
        )
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise FloatingPointError("Weights are not finite after the last step")
