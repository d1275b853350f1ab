"""Backups to resume from, and a guard against divergence."""

import json
import math
import os
import pathlib
import random
import warnings
import zipfile

import keras
import numpy as np
from keras import ops

# What Keras's own callbacks remember between epochs.
STATE_NAMES = (
    "best",
    "wait",
    "best_epoch",
    "cooldown_counter",
    "stopped_epoch",
)


class EpochSeek(keras.callbacks.Callback):
    """Tells the data which epoch begins; `ResumableBackup` does it too.

    Args:
        data: A `TrainingData`, or anything with `seek(epoch)`.

    Example:

    >>> data = TrainingData(load_source("digits"), input_size=64)
    >>> callbacks = [EpochSeek(data)]
    """

    def __init__(self, data):
        super().__init__()
        self.data = data

    def on_epoch_begin(self, epoch, logs=None):
        self.data.seek(epoch)


class ResumableBackup(keras.callbacks.Callback):
    """Saves all that training depends on, and resumes from it.

    A run that was killed, at any moment, ends with the weights of an unbroken
    one if it is started again in the same way: `fit` goes on in the epoch and
    at the step of the last backup. Saved are the weights, the optimizer, the
    state of all seed generators (dropout), the metrics, the history, Python's
    and NumPy's random state and the state of `callbacks`. A backup replaces
    the last one only when it is whole; the one before is kept, and used where
    the last one is damaged.

    Args:
        directory: Path, made if need be. One run only.
        data: A `TrainingData`, or anything with `seek(epoch, step)`, which
            is called at the beginning of each epoch. Without it batches up to
            the step of the backup are drawn and dropped.
        every: `"epoch"`, or an integer: also after as many steps.
        callbacks: List of callbacks whose state is part of training, such as
            `DivideOnPlateau`. From a `keras.callbacks.CSVLogger` (with
            `append=True`) rows are cut that will be written again.

    Attributes:
        initial_epoch: Integer, where training would resume. `fit` need not
            be told.

    Raises:
        ValueError: If `every` is neither, or the backup is of another model.

    Example:

    >>> directory = tempfile.mkdtemp()
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> x, y = np.ones((4, 2)), np.ones((4, 1))
    >>> for epochs in (2, 3):
    ...     backup = ResumableBackup(directory)
    ...     _ = model.fit(x, y, epochs=epochs, callbacks=[backup], verbose=0)
    >>> backup.initial_epoch, model.history.epoch
    (3, [0, 1, 2])
    """

    def __init__(self, directory, data=None, every="epoch", callbacks=()):
        super().__init__()
        if every != "epoch" and (not isinstance(every, int) or every < 1):
            raise ValueError(
                '`every` must be "epoch" or a positive integer. '
                f"Received: every={every!r}"
            )
        self.directory = pathlib.Path(directory)
        self.data = data
        self.every = every
        self.callbacks = callbacks
        self._path = self.directory / "backup.npz"
        self._previous = self.directory / "backup.previous.npz"

    @property
    def initial_epoch(self):
        found = self._read()
        return found["position"]["epoch"] if found else 0

    def on_train_begin(self, logs=None):
        self._epoch = self._step = 0
        self._rows = []
        self._logs = {}
        self._restored = None
        self._skipped = 0
        self._since_save = 0
        self._saved = True
        found = self._read()
        if found is None:
            return
        self._restore_variables(found)
        position = found["position"]
        self._epoch, self._step = position["epoch"], position["step"]
        self._rows = position["rows"]
        self._restored = found
        # Trainer.fit looks at it now; it must not outlive this `fit`.
        self.model._initial_epoch = (
            self.params["epochs"] if position["stopped"] else self._epoch
        )
        for callback in self.callbacks:
            if isinstance(callback, keras.callbacks.CSVLogger):
                cut_rows(callback.filename, self._epoch)

    def on_epoch_begin(self, epoch, logs=None):
        self.model._initial_epoch = None
        if self._restored is not None:
            self._resume()
        elif not self._saved:
            self._epoch, self._step = epoch, 0
            self._save()
        else:
            self._epoch, self._step = epoch, 0
        if self.data is not None:
            self.data.seek(epoch, self._step if _draws_itself() else 0)
        if self._step:
            self._skip(self._step)

    def on_train_batch_end(self, batch, logs=None):
        if self._skipped:
            return
        self._saved = False
        self._since_save += batch + 1 - self._step
        self._step = batch + 1
        self._logs = logs or {}
        if self.every != "epoch" and self._since_save >= self.every:
            self._save()

    def on_epoch_end(self, epoch, logs=None):
        self._logs = logs or {}
        self._rows.append([epoch, _plain(self._logs)])

    def on_train_end(self, logs=None):
        self.model._initial_epoch = None
        if not self._saved:
            self._epoch, self._step = self._epoch + 1, 0
            self._save(stopped=bool(self.model.stop_training))

    def _save(self, stopped=False):
        self._since_save = 0
        loss = self._logs.get("loss", 0.0)
        if not math.isfinite(loss):
            return
        position = {
            "epoch": self._epoch,
            "step": self._step,
            "stopped": stopped,
            "rows": self._rows,
            "callbacks": [_state(callback) for callback in self.callbacks],
            "random": random.getstate(),
            "numpy": _numpy_state(),
        }
        self.directory.mkdir(parents=True, exist_ok=True)
        new = self.directory / "backup.new.npz"
        with open(new, "wb") as file:
            np.savez(file, position=json.dumps(position), **self._arrays())
            file.flush()
            os.fsync(file.fileno())
        if self._path.exists():
            os.replace(self._path, self._previous)
        os.replace(new, self._path)
        self._saved = True

    def _arrays(self):
        return {
            f"{kind}/{index}/{_name(variable)}": ops.convert_to_numpy(variable)
            for kind, variables in self._variables().items()
            for index, variable in enumerate(variables)
        }

    def _variables(self):
        model = self.model
        return {
            "model": model.variables,
            "optimizer": model.optimizer.variables,
            "metrics": model.metrics_variables,
        }

    def _read(self):
        """The arrays and the position of the last backup that is whole."""
        for path in (self._path, self._previous):
            if not path.exists():
                continue
            try:
                with np.load(path) as file:
                    found = {name: file[name] for name in file.files}
            except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
                warnings.warn(
                    f"The backup {path} is damaged ({error}); the one before "
                    "it, if there is one, is used in its place.",
                    stacklevel=2,
                )
                continue
            found["position"] = json.loads(str(found["position"]))
            return found
        return None

    def _restore_variables(self, found):
        if not self.model.built:
            raise ValueError(
                "`ResumableBackup` needs a model that is built. Call it on a "
                "batch, or give its first layer an input shape."
            )
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        for kind in ("model", "optimizer"):
            _assign(kind, self._variables()[kind], found)

    def _resume(self):
        """What the other callbacks and `fit` have reset by now."""
        found, self._restored = self._restored, None
        position = found["position"]
        for callback, state in zip(
            self.callbacks, position["callbacks"], strict=True
        ):
            for name, value in state.items():
                setattr(callback, name, value)
        history = self.model.history
        history.epoch = [epoch for epoch, _ in self._rows]
        history.history = {}
        for _, logs in self._rows:
            for name, value in logs.items():
                history.history.setdefault(name, []).append(value)
        if self._step:
            self._build_metrics()
            _assign("metrics", self._variables()["metrics"], found)
        version, state, gauss = position["random"]
        random.setstate((version, tuple(state), gauss))
        np.random.set_state(position["numpy"])

    def _build_metrics(self):
        """Compiled metrics have no variables before they are first used."""
        model = self.model
        spec = getattr(
            getattr(self.data, "dataset", None), "element_spec", None
        )
        if spec is None or all(
            getattr(metric, "built", True) for metric in model.metrics
        ):
            return
        y = np.zeros((1, *spec[1].shape[1:]), spec[1].dtype.as_numpy_dtype)
        y_pred = np.zeros((1, *model.output_shape[1:]), "float32")
        model.compute_metrics(None, y, y_pred)

    def _skip(self, steps):
        """Lets `fit` count through the steps that are done already."""
        model, train = self.model, self.model.train_function
        self._skipped = steps
        logs = {k: float(v) for k, v in model.get_metrics_result().items()}

        def skip(*args):
            self._skipped -= model.steps_per_execution
            if not _draws_itself():
                if keras.backend.backend() == "jax":
                    return logs, args[0]
            elif self.data is None:
                next(args[0])
            return logs

        def train_or_skip(*args):
            if self._skipped > 0:
                return skip(*args)
            model.train_function = train
            return train(*args)

        model.train_function = train_or_skip


def _draws_itself():
    """Whether the step, and not `fit`, takes the batch from the iterator."""
    return keras.backend.backend() == "tensorflow"


def _name(variable):
    return variable.path.replace("/", "|")


def _assign(kind, variables, found):
    stored = [name for name in found if name.startswith(f"{kind}/")]
    if len(stored) != len(variables):
        raise ValueError(
            f"The backup holds {len(stored)} variables of the {kind}, which "
            f"has {len(variables)}. Use another `directory`, or build the "
            "model and its optimizer as they were."
        )
    for name, variable in zip(stored, variables, strict=True):
        value = found[name]
        if value.shape != tuple(variable.shape):
            raise ValueError(
                f"The backup holds {name} of shape {value.shape}, but "
                f"{variable.path} has {tuple(variable.shape)}. Use another "
                "`directory`, or build the model as it was."
            )
        # NumPy stores bfloat16 as bytes without a name.
        if value.dtype.kind == "V":
            value = value.view(ops.convert_to_numpy(variable).dtype)
        variable.assign(value)


def _state(callback):
    names = getattr(callback, "state_names", STATE_NAMES)
    found = {n: getattr(callback, n) for n in names if hasattr(callback, n)}
    return _plain(found)


def _plain(logs):
    return {
        name: value if value is None else float(value)
        for name, value in logs.items()
    }


def _numpy_state():
    name, keys, position, has_gauss, gauss = np.random.get_state()
    return [name, keys.tolist(), position, has_gauss, gauss]


def cut_rows(path, epoch):
    """Cuts the rows of this epoch and later ones from a CSV log."""
    path = pathlib.Path(path)
    if not path.exists():
        return
    lines = path.read_bytes().splitlines(keepends=True)
    kept = lines[:1]
    for line in lines[1:]:
        first = line.split(b",")[0]
        if not first.isdigit() or int(first) >= epoch:
            break
        kept.append(line)
    os.truncate(path, len(b"".join(kept)))


class DivergenceGuard(keras.callbacks.Callback):
    """Says why, where the loss is NaN or stands at `ln(classes)`.

    Args:
        action: `"stop"` or `"warn"`, what to do. Where the loss stands, it
            is never stopped: the paper's network leaves that plateau at last.
        patience: Integer, epochs for which the loss stands. Defaults to `3`.
        tolerance: Float, how near to `ln(classes)`. Defaults to `0.02`.

    Attributes:
        message: String, what was found, or `None`.

    Raises:
        ValueError: If `action` is neither.

    Example:

    >>> guard = DivergenceGuard(action="warn")
    """

    def __init__(self, action="stop", patience=3, tolerance=0.02):
        super().__init__()
        if action not in ("stop", "warn"):
            raise ValueError(
                '`action` must be "stop" or "warn". '
                f"Received: action={action!r}"
            )
        self.action = action
        self.patience = patience
        self.tolerance = tolerance
        self.message = None

    def on_train_begin(self, logs=None):
        self.message = None
        self._epoch = 0
        self._standing = 0
        self._diverged = False

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss", 0.0)
        if self._diverged or math.isfinite(loss):
            return
        self._diverged = True
        rate = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self._say(
            f"The loss is {loss} at step {batch} of epoch {self._epoch}. "
            f"Probable causes: a learning rate too high (it is {rate:g}; try "
            "a tenth), or He initialization on pixels of 0-255 (divide by "
            "their standard deviation, about 58: `pixel_std` of the "
            "architecture, as `SMALL_DATA.prepare` does)."
        )
        if self.action == "stop":
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        loss = (logs or {}).get("loss", 0.0)
        chance = math.log(self.model.output_shape[-1])
        stands = abs(loss - chance) < self.tolerance
        self._standing = self._standing + 1 if stands else 0
        if self._standing != self.patience:
            return
        self._say(
            f"For {self.patience} epochs the loss has stood at {loss:.3f}, "
            f"about ln(classes) = {chance:.3f}: nothing is learned. Probable "
            "causes: pixels in 0-1 with weights of standard deviation 0.01, "
            "whose signal fades from layer to layer (give pixels of 0-255, "
            "centered), biases of 1 with few images (use the recipe "
            "`SMALL_DATA`), or a learning rate too high or too low."
        )

    def _say(self, message):
        self.message = message
        warnings.warn(message, stacklevel=2)
