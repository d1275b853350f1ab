"""Two workers train, are killed again and again, and end as if they were not.

    python benchmarks/soak.py --minutes=60 --kill_every=240
    python benchmarks/soak.py --epochs=150 --kill_every=240

First two processes train on the digits for so many minutes, with a backup
every few steps and a validation after each epoch, and nobody disturbs them.
Then two others train for as many epochs, and whenever both have trained for
`--kill_every` seconds one of them receives SIGKILL;
`examples/launch_local.py` starts both again. Printed are the resident memory
of each process over its life, and how far the final weights, losses and
validation errors of the two trainings are apart: the weights by nothing and
the rest by rounding, or the script fails. With `--epochs` both trainings run
at once.
"""

import collections
import contextlib
import csv
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import app
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_float("minutes", 60, "Of the training that nobody disturbs.")
flags.DEFINE_float("kill_every", 240, "Seconds of training, up to a kill.")
flags.DEFINE_integer("backup_every", 20, "Steps between backups.")
flags.DEFINE_float("sample_every", 2, "Seconds between samples of memory.")
flags.DEFINE_string("worker", None, "Be a worker, in this folder.")
flags.DEFINE_integer("epochs", None, "Of each training; both run at once.")

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"
# What a process holds is compared from here on, when graphs are built and
# buffers filled.
WARM = 30
MOST_EPOCHS = 1_000_000
# A backup holds the sum of what the workers' metrics have counted, so the
# losses of a broken epoch are summed in another order.
ROUNDING = 1e-6


def run_worker(folder):
    """Trains as one of the workers, and notes its memory."""
    import dataclasses

    import keras
    import numpy as np
    import tensorflow as tf

    from keras_alexnet import train
    from keras_alexnet.distribution import strategy_from_name
    from keras_alexnet.models import PAPER
    from keras_alexnet.models import with_width
    from keras_alexnet.training import SMALL_DATA_RECIPE

    class Notes(keras.callbacks.Callback):
        """A row of time, process and memory; the end, for all at once."""

        def on_train_begin(self, logs=None):
            self._begun, self._noted = time.monotonic(), 0.0
            self._file = open(folder / "memory.csv", "a")

        def on_train_batch_end(self, batch, logs=None):
            now = time.monotonic()
            if now - self._noted > FLAGS.sample_every:
                self._noted = now
                row = (time.time(), os.getpid(), now - self._begun, resident())
                # A row is one call of the system: two processes write.
                print(*row, sep=",", file=self._file, flush=True)

        def on_epoch_end(self, epoch, logs=None):
            if FLAGS.epochs is not None:
                return
            over = time.monotonic() - self._begun > 60 * FLAGS.minutes
            # Both stop after the same epoch, when the first says so.
            asked = strategy.gather(tf.constant([int(over)]), axis=0)
            self.model.stop_training = bool(asked[0])

    strategy = strategy_from_name("multiworker", "tf_config")
    # At a constant rate an epoch does not depend on how many there will be.
    recipe = dataclasses.replace(
        SMALL_DATA_RECIPE, schedule="constant", batch_size=32, flip=False
    )
    training = train(
        "digits",
        with_width(PAPER, 0.125),
        recipe,
        folder / "run",
        input_size=48,
        epochs=FLAGS.epochs or MOST_EPOCHS,
        strategy=strategy,
        every=FLAGS.backup_every,
        callbacks=[Notes()],
        verbose=0,
    )
    if strategy.extended.should_checkpoint:
        weights = training.model.get_weights()
        np.savez(folder / "weights.npz", *weights)


def resident():
    """Bytes of memory that this process holds (Linux)."""
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def launched(folder, *worker_flags):
    """The launcher of two workers, which ends with the block."""
    folder.mkdir()
    with open(folder / "log", "wb") as log:
        launcher = subprocess.Popen(
            [
                sys.executable,
                EXAMPLES / "launch_local.py",
                "--workers=2",
                "--restarts=100000",
                f"--logs={folder / 'logs'}",
                "--",
                __file__,
                f"--worker={folder}",
                f"--minutes={FLAGS.minutes}",
                f"--backup_every={FLAGS.backup_every}",
                f"--sample_every={FLAGS.sample_every}",
                *worker_flags,
            ],
            stdout=log,
            stderr=log,
        )
    try:
        yield launcher
        if launcher.wait():
            raise RuntimeError((folder / "log").read_text()[-3000:])
    finally:
        launcher.terminate()
        launcher.wait()


def samples(folder):
    """Per process, a list of its time, age and memory."""
    found = collections.defaultdict(list)
    path = folder / "memory.csv"
    for row in csv.reader(
        path.read_text().splitlines() if path.exists() else []
    ):
        if len(row) == 4:
            found[int(row[1])].append(tuple(map(float, (row[0], *row[2:]))))
    return found


def kill_again_and_again(folder, launcher):
    """Kills a worker when both have trained for so long; gives how often."""
    chance = random.Random(0)
    kills, last, since = 0, time.time(), None
    while launcher.poll() is None:
        time.sleep(0.5)
        # Of processes that have made a step since both were started.
        alive = [p for p, rows in samples(folder).items() if rows[-1][0] > last]
        alive = [p for p in alive if pathlib.Path(f"/proc/{p}").exists()]
        if len(alive) < 2:
            continue
        since = since or time.time()
        if time.time() - since >= FLAGS.kill_every:
            os.kill(chance.choice(alive), signal.SIGKILL)
            kills, last, since = kills + 1, time.time(), None
    return kills


def report_memory(title, folder):
    """What each process holds when it is warm, at quarters, and at last."""
    import numpy as np

    print(f"{title}: resident memory of each process, in MB")
    print("  minutes  first  1/4   1/2   3/4  last  last half, MB per hour")
    for rows in samples(folder).values():
        ages, held = np.array([row[1:] for row in rows]).T
        warm = ages > WARM
        if warm.sum() < 8:
            continue
        ages, held = ages[warm] / 3600, held[warm] / 1e6
        quarters = np.interp(np.linspace(ages[0], ages[-1], 5), ages, held)
        late = ages > ages.mean()
        growth = np.polyfit(ages[late], held[late], 1)[0]
        print(
            f"  {60 * ages[-1]:7.1f} "
            + " ".join(f"{value:5.0f}" for value in quarters)
            + f" {growth:14.1f}"
        )


def largest_difference(first, second):
    """Of all weights, in parts of each array's largest."""
    import numpy as np

    with (
        np.load(first / "weights.npz") as a,
        np.load(second / "weights.npz") as b,
    ):
        return max(
            np.abs(a[name] - b[name]).max() / max(np.abs(a[name]).max(), 1e-30)
            for name in a.files
        )


def largest_of_history(first, second):
    """Of all columns, in parts of each column's largest."""
    import numpy as np

    a, b = (
        np.genfromtxt(folder / "run" / "history.csv", delimiter=",")[1:]
        for folder in (first, second)
    )
    if a.shape != b.shape:
        sys.exit(f"{len(a)} and {len(b)} epochs were noted.")
    return (np.abs(a - b).max(axis=0) / np.abs(a).max(axis=0)).max()


def main(_):
    if FLAGS.worker:
        return run_worker(pathlib.Path(FLAGS.worker))
    from timing import machine

    # Else the workers would outlive this program.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory() as place:
        calm, rough = pathlib.Path(place, "calm"), pathlib.Path(place, "rough")
        with contextlib.ExitStack() as ends:
            epochs = FLAGS.epochs
            if epochs is None:
                with launched(calm):
                    pass
                history = (calm / "run" / "history.csv").read_text()
                epochs = len(history.splitlines()) - 1
            else:
                ends.enter_context(launched(calm, f"--epochs={epochs}"))
            start = time.monotonic()
            with launched(rough, f"--epochs={epochs}") as launcher:
                kills = kill_again_and_again(rough, launcher)
            minutes = (time.monotonic() - start) / 60
        if not kills:
            sys.exit("The training ended before the first kill.")
        print(machine(), "; load", os.getloadavg()[0])
        print(
            f"{epochs} epochs with two workers; {kills} kills in "
            f"{minutes:.1f} minutes"
        )
        report_memory("Undisturbed", calm)
        report_memory("Killed again and again", rough)
        weights = largest_difference(calm, rough)
        logged = largest_of_history(calm, rough)
    print(f"Final weights differ by {weights:.1e} of each array's largest.")
    print(f"Columns of the history differ by {logged:.1e} of their largest.")
    if weights or logged > ROUNDING:
        sys.exit("A training that was killed has not ended as the other.")


if __name__ == "__main__":
    app.run(main)
