"""Backups from which a killed run resumes as if nothing had happened."""

import math
import os
import pathlib
import warnings

import keras
import numpy as np

from keras_alexnet.training.chief import is_chief
from keras_alexnet.training.random_state import get_random_state
from keras_alexnet.training.random_state import set_random_state
from keras_alexnet.training.saved_variables import assign
from keras_alexnet.training.saved_variables import fitted
from keras_alexnet.training.saved_variables import gather
from keras_alexnet.training.snapshots import Snapshots

# What Keras's own callbacks remember between epochs.
BEST = "best_weights"
STATE_NAMES = ("best", "wait", "best_epoch", "cooldown_counter")


class ResumableBackup(keras.callbacks.Callback):
    """Saves all that training depends on, and resumes from it.

    A run that was killed, at any moment, ends with the weights of an unbroken
    one if it is started again in the same way: `fit` goes on in the epoch and
    at the step of the last backup. Saved are the weights, the optimizer, the
    state of the seed generators (dropout), the metrics, the history, Python's
    and NumPy's random state and the state of `callbacks`, with the best
    weights that `EarlyStopping` keeps. A network of columns resumes from the
    backup of a grouped one, and the reverse; dropout then draws other masks.

    The last two whole backups are kept, and the disk must have room for a
    third while it is written: 1.5 GB in all for AlexNet, see `Snapshots`. A
    backup that cannot be written, such as on a full disk, is a warning, and
    training goes on. A loss that is not finite is not saved.

    Of several workers (`tf.distribute`) the first writes and all read, so the
    directory must be one that all of them see.

    A run that a callback stopped at the end of an epoch is finished: started
    again, it does nothing but restore its state and that of `callbacks`. One
    stopped within an epoch goes on.

    Args:
        directory: Path, made if need be; of one run only.
        data: A `TrainingData`, or anything with `seek(epoch, step)`, which
            is called at the beginning of each epoch. Without it the batches
            up to the step of the backup are drawn and dropped, so their order
            must not change from run to run.
        every: `"epoch"`, or an integer: also after as many steps.
        callbacks: List of callbacks of the same `fit` whose state belongs to
            the training, such as `DivideOnPlateau`; an attribute
            `state_names` names what to keep of one. A
            `keras.callbacks.CSVLogger(append=True)` among them loses the rows
            that will be written again.

    Attributes:
        initial_epoch: Integer, where training would resume. `fit` need not
            be told.
        resumed_from: Tuple of the epoch, the step and whether the training
            had ended, once `fit` has begun from a backup; else `None`.

    Raises:
        ValueError: If `every` is neither, or the backup is of another model.
        OSError: At the beginning of training, if `directory` cannot be
            written to, or what it holds cannot be read.

    Example:

    >>> import tempfile
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
        self.data = data
        self.every = every
        self.callbacks = callbacks
        self.directory = directory
        self.resumed_from = None
        self._snapshots = Snapshots(directory)

    @property
    def initial_epoch(self):
        found = self._snapshots.read()
        return found[1]["epoch"] if found else 0

    def on_train_begin(self, logs=None):
        self._epoch = self._step = self._since_save = 0
        self._loss = 0.0
        self._saved = True
        self._begun = self._paused = False
        self._metrics = None
        if is_chief(self.model):
            self._snapshots.check_writable()
        self._restored = self._snapshots.read()
        if self._restored is None:
            return
        arrays, position = self._restored
        self._restore_variables(arrays)
        self._epoch, self._step = position["epoch"], position["step"]
        self.resumed_from = self._epoch, self._step, position["finished"]
        self._let_fit_begin_at(
            self.params["epochs"] if position["finished"] else self._epoch
        )

    def on_epoch_begin(self, epoch, logs=None):
        self._let_fit_begin_at(None)
        if not self._begun:
            self._begun = True
            self._cut_logs(epoch)
        if self._restored is not None:
            self._resume()
        else:
            # Not at the end of the last epoch, where other callbacks come
            # later.
            self._epoch, self._step = epoch, 0
            self._save()
        if self.data is not None:
            self.data.seek(epoch, self._step if _step_draws() else 0)

    def on_train_batch_end(self, batch, logs=None):
        if batch < self._step:
            return
        self._since_save += batch + 1 - self._step
        self._step = batch + 1
        self._loss = (logs or {}).get("loss", 0.0)
        self._saved = False
        self._paused = self.model.stop_training
        due = self.every != "epoch" and self._since_save >= self.every
        if due or self._paused:
            self._save()

    def on_epoch_end(self, epoch, logs=None):
        if self._paused:
            return
        self._saved = False
        self._epoch, self._step = epoch + 1, 0

    def on_train_end(self, logs=None):
        self._let_fit_begin_at(None)
        if self._restored is not None:
            # No epoch was left to do.
            self._restore_callbacks()
        if not self._paused:
            self._save(finished=bool(self.model.stop_training))

    def _let_fit_begin_at(self, epoch):
        # `fit` reads it after `on_train_begin`, as Keras's own
        # `BackupAndRestore` has it do. Its public argument `initial_epoch`
        # was tried: whoever calls `fit` must then read the backup before.
        # It must not outlive this `fit`, where Keras leaves it for the next.
        self.model._initial_epoch = epoch

    def _cut_logs(self, epoch):
        for callback in self.callbacks:
            if isinstance(callback, keras.callbacks.CSVLogger):
                cut_rows(callback.filename, epoch)

    def _save(self, finished=False):
        if self._saved or not math.isfinite(self._loss):
            return
        arrays = {}
        # By all workers: reading a metric sums it over them.
        for kind, variables in self._variables().items():
            arrays |= gather(kind, variables)
        for index, callback in enumerate(self.callbacks):
            arrays |= self._best_weights(index, callback)
        self._since_save = 0
        self._saved = True
        if is_chief(self.model):
            try:
                self._snapshots.write(arrays, self._position(finished))
            except OSError as error:
                self._saved = False
                warnings.warn(
                    f"{error.strerror} Training goes on, and would resume "
                    "from the backup before.",
                    stacklevel=2,
                )

    def _best_weights(self, index, callback):
        """What `EarlyStopping(restore_best_weights=True)` goes back to."""
        best = getattr(callback, "best_weights", None)
        if best is None:
            return {}
        pairs = zip(self.model.weights, best, strict=True)
        return {
            f"{BEST}{index}/{number}/{variable.path}": value
            for number, (variable, value) in enumerate(pairs)
        }

    def _position(self, finished):
        history = self.model.history
        return {
            "epoch": self._epoch,
            "step": self._step,
            "finished": finished,
            "history": [history.epoch, history.history],
            "callbacks": [_state(callback) for callback in self.callbacks],
            "random": get_random_state(),
        }

    def _variables(self):
        model = self.model
        return {
            "model": model.variables,
            "optimizer": model.optimizer.variables,
            "metrics": model.metrics_variables,
        }

    def _restore_variables(self, arrays):
        if not self.model.built:
            raise ValueError(
                "`ResumableBackup` needs a model that is built. Call it on a "
                "batch, or give its first layer an input shape."
            )
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        variables = self._variables()
        for kind in ("model", "optimizer"):
            assign(kind, variables[kind], arrays)

    def _resume(self):
        """Restores what `fit` and other callbacks have reset by now."""
        self._restore_callbacks()
        (arrays, position), self._restored = self._restored, None
        self._metrics = arrays if self._step else None
        spec = getattr(getattr(self.data, "dataset", 0), "element_spec", None)
        if self._step and (_are_built(self.model.metrics) or spec):
            self._restore_metrics(spec and _zeros(spec))
        if self._step:
            self._skip_to(self._step, position["random"])
        else:
            set_random_state(position["random"])

    def _restore_callbacks(self):
        """Restores the history and the states of all other callbacks."""
        arrays, position = self._restored
        history = self.model.history
        history.epoch, history.history = position["history"]
        states = position["callbacks"]
        for callback, number in _restore_states(self.callbacks, states):
            if any(name.startswith(f"{BEST}{number}/") for name in arrays):
                callback.best_weights = fitted(
                    f"{BEST}{number}", self.model.weights, arrays
                )

    def _restore_metrics(self, batch):
        """Compiled metrics have no variables until they have seen a batch."""
        if not _are_built(self.model.metrics):
            x, y, *_ = batch
            y_pred = self.model(x, training=False)
            self.model.compute_metrics(x, y, y_pred)
        assign("metrics", self._variables()["metrics"], self._metrics)
        self._metrics = None

    def _skip_to(self, step, random_state):
        """Lets `fit` count through the steps that were done before.

        `fit` calls the attribute `train_function` for each step; there is no
        argument for a first step. `Dataset.skip` was tried: the steps that
        are left are then counted from 0, in the metrics, the progress bar and
        all callbacks.
        """
        model, train = self.model, self.model.train_function
        logs = {} if self._metrics else model.get_metrics_result()
        done = 0

        def train_or_skip(*args):
            nonlocal done, logs
            if done >= step:
                model.train_function = train
                return train(*args)
            for _ in range(model.steps_per_execution):
                done += 1
                if self.data is not None or not _step_draws():
                    continue
                batch = next(args[-1])
                if self._metrics is not None:
                    self._restore_metrics(batch)
                    logs = model.get_metrics_result()
            if done >= step:
                # Not before: PyTorch's iterator has drawn meanwhile.
                set_random_state(random_state)
            return (logs, args[0]) if _backend() == "jax" else logs

        model.train_function = train_or_skip


def _backend():
    return keras.backend.backend()


def _step_draws():
    """Whether the training step, not `fit`, takes batches from the data."""
    return _backend() != "torch"


def _are_built(metrics):
    return all(getattr(metric, "built", True) for metric in metrics)


def _zeros(spec):
    return [
        np.zeros((1, *part.shape[1:]), part.dtype.as_numpy_dtype)
        for part in spec
    ]


def _state(callback):
    """Class and state of a callback, in numbers that JSON can hold."""
    names = getattr(callback, "state_names", STATE_NAMES)
    state = {name: getattr(callback, name, None) for name in names}
    return [type(callback).__name__, state]


def _restore_states(callbacks, states):
    """Gives each callback the first state of its class that is left.

    Yields:
        Pairs of a callback and the number of its state.
    """
    left = dict(enumerate(states))
    for callback in callbacks:
        kind = type(callback).__name__
        number = next(
            (n for n, state in left.items() if state[0] == kind), None
        )
        if number is None:
            continue
        _, state = left.pop(number)
        for name, value in state.items():
            if hasattr(callback, name):
                setattr(callback, name, value)
        yield callback, number


def cut_rows(path, epoch):
    """Cuts the rows of an epoch and later ones from a log, in place.

    Args:
        path: Path of a file that `keras.callbacks.CSVLogger` wrote.
        epoch: Integer.
    """
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
