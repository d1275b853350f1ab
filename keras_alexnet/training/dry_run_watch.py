"""What a dry run sees of a training: times, memory, the backup."""

import errno
import pathlib
import resource
import shutil
import time

import keras
import numpy as np
import tensorflow as tf

from keras_alexnet.distribution.column_parallel import ColumnParallelStrategy
from keras_alexnet.distribution.workers import wait_for_workers
from keras_alexnet.models.cost import training_bytes
from keras_alexnet.training.dry_run_result import BACKUPS
from keras_alexnet.training.dry_run_result import DryRunError


class BrokenOff(Exception):
    """Ends a training at once, as the end of its process would."""


class Watch(keras.callbacks.Callback):
    """Times a training, breaks it off, and times how it is resumed.

    Args:
        steps: Integer, after how many steps it is broken off.
        batch_size: Integer, of all replicas together.
        validated: Integer, images of a validation.
        folder: Path of the training.
        strategy: Its `tf.distribute.Strategy`.

    Attributes:
        rates: Dict of `training` and `validation`, images per second.
        facts: Dict of what else was found, see `DryRun`.

    Example:

    >>> strategy = tf.distribute.get_strategy()
    >>> Watch(10, 128, 500, "runs/try", strategy).rates
    {}
    """

    def __init__(self, steps, batch_size, validated, folder, strategy):
        super().__init__()
        self._steps = steps
        self._batch_size = batch_size
        self._validated = validated
        self._folder = pathlib.Path(folder)
        self._strategy = strategy
        self._times = []
        self._weights = None
        self._resumed = False
        self.rates = {}
        self.facts = {"steps": steps}

    def on_train_begin(self, logs=None):
        if self._weights is None:
            self._look_at_memory()
            self._look_at_disk()

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0 and self._weights is not None:
            # A training that begins again has made no step.
            done = int(self.model.optimizer.iterations.numpy())
            self._resumed = done == self._steps
        if batch != self._steps:
            return
        now = time.perf_counter()
        weights = self.model.get_weights()
        if self._weights is not None:
            self.facts["resume_seconds"] = now - self._called
            self._resumed &= all(map(np.array_equal, weights, self._weights))
            return
        # Since the end of the step, other callbacks have written the backup.
        self.facts["backup_seconds"] = now - self._times[-1]
        self._weights = weights
        # The chief has written the backup when it comes here.
        wait_for_workers(self._strategy)
        raise BrokenOff

    def on_train_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss", 0.0)
        if not np.isfinite(loss):
            raise DryRunError("training", ValueError(f"The loss is {loss}."))
        self._times.append(time.perf_counter())
        if self._weights is None and batch + 1 == self._steps:
            # The first step builds the graph.
            seconds = self._times[-1] - self._times[0]
            images = (len(self._times) - 1) * self._batch_size
            self.rates["training"] = images / seconds

    def on_test_begin(self, logs=None):
        self._times = [time.perf_counter()]

    def on_test_batch_end(self, batch, logs=None):
        self._times.append(time.perf_counter())

    def on_test_end(self, logs=None):
        batches = len(self._times) - 1
        # The first one builds the graph, and counts where it is alone.
        first = 1 if batches > 1 else 0
        seconds = self._times[-1] - self._times[first]
        images = self._validated * (batches - first) / batches
        self.rates["validation"] = images / seconds

    def look_at_backup(self):
        """Whether the training that was broken off has left its backup."""
        if self._weights is None:
            raise ValueError(
                f"The training ended before step {self._steps}, where it was "
                "to be broken off. Leave out callbacks that end it."
            )
        path = self._folder / "backup" / "backup.npz"
        if not path.exists():
            raise OSError(errno.ENOENT, "The backup was not written", str(path))
        self.facts["backup_bytes"] = path.stat().st_size
        self._called = time.perf_counter()

    def look_at_resumption(self):
        """Whether the training went on with the weights of the backup."""
        if not self._resumed:
            raise ValueError(
                f"The training must go on at step {self._steps}, with the "
                "weights that it was broken off with. It began again, or had "
                "others: do all machines see the same folder?"
            )
        # In kilobytes on Linux.
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        self.facts["peak"] = {"process": most, **_gpu_peaks()}

    def _look_at_memory(self):
        replicas = self._strategy.num_replicas_in_sync
        memory = training_bytes(self.model, self._batch_size // replicas)
        available = _available_memory()
        self.facts |= {"memory": memory, "available": available}
        here = len(_replicas_here(self._strategy))
        # The parameters are there already.
        needed = here * (sum(memory.values()) - memory["parameters"])
        if _gpus() or available is None or needed <= available:
            return
        raise DryRunError(
            "memory",
            MemoryError(
                f"A step needs {needed / 1e9:.1f} GB at least, and "
                f"{available / 1e9:.1f} GB are free. Choose a smaller "
                "`batch_size`, or more machines."
            ),
        )

    def _look_at_disk(self):
        arrays = [*self.model.variables, *self.model.optimizer.variables]
        size = sum(
            int(np.prod(v.shape)) * np.dtype(v.dtype).itemsize for v in arrays
        )
        free = shutil.disk_usage(self._folder).free
        self.facts["free"] = free
        if free < BACKUPS * size:
            raise DryRunError(
                "backup",
                OSError(
                    f"The folder must have room for {BACKUPS} backups of "
                    f"{size / 1e6:,.1f} MB, and {free / 1e6:,.1f} MB are free."
                ),
            )


def devices_of(strategy):
    """The devices of a strategy on this machine.

    Args:
        strategy: A `tf.distribute.Strategy`.

    Returns:
        Tuple of strings, such as `"GPU:0"`.

    Example:

    >>> len(devices_of(tf.distribute.get_strategy()))
    1
    """
    groups = getattr(strategy, "column_groups", None)
    if isinstance(strategy, ColumnParallelStrategy):
        groups = [strategy.devices]
    groups = groups or [_replicas_here(strategy)]
    specs = [tf.DeviceSpec.from_string(d) for group in groups for d in group]
    return tuple(f"{spec.device_type}:{spec.device_index}" for spec in specs)


def _replicas_here(strategy):
    """The device of each replica on this machine."""
    try:
        return strategy.extended.worker_devices
    except RuntimeError:
        # TensorFlow's default strategy has none of its own.
        devices = _gpus() or tf.config.list_logical_devices("CPU")
        return [devices[0].name]


def _available_memory():
    """Bytes that this machine can still give; `None` if it does not say."""
    info = pathlib.Path("/proc/meminfo")
    for line in info.read_text().splitlines() if info.exists() else ():
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    return None


def _gpus():
    return tf.config.list_logical_devices("GPU")


def _gpu_peaks():
    found = {}
    for gpu in _gpus():
        name = gpu.name.removeprefix("/device:")
        found[name] = tf.config.experimental.get_memory_info(name)["peak"]
    return found
