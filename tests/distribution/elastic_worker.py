"""One worker of a tiny run whose machine 3 breaks, for the tests.

    TF_CONFIG=... CUDA_VISIBLE_DEVICES=SLOT \
        python elastic_worker.py FOLDER STEP --batch_size=8

The worker of slot 3 receives SIGKILL after `STEP` steps, and at once whenever
it is started again.
"""

import os
import pathlib
import signal
import sys

import numpy as np
from train_worker import BATCH
from train_worker import EPOCHS
from train_worker import Data
from train_worker import KillAt
from train_worker import grouped_model

from keras_alexnet.distribution import MultiWorkerMirrored
from keras_alexnet.distribution import WorkersAgree
from keras_alexnet.training import ResumableBackup


def main(folder, step, batch_size):
    if batch_size != f"--batch_size={BATCH}":
        raise ValueError(batch_size)
    folder, slot = pathlib.Path(folder), os.environ["CUDA_VISIBLE_DEVICES"]
    broken = folder / "broken"
    callbacks = []
    if slot == "3":
        if broken.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        broken.touch()
        callbacks.append(KillAt(int(step)))
    strategy = MultiWorkerMirrored()
    with strategy.scope():
        model = grouped_model()
    data = Data()
    backup = ResumableBackup(folder / "backup", data, every=1)
    model.fit(
        data.dataset,
        epochs=EPOCHS,
        shuffle=False,
        verbose=0,
        callbacks=[backup, WorkersAgree(), *callbacks],
    )
    weights = [w.numpy() for w in model.weights]
    workers = strategy.num_replicas_in_sync
    np.savez(folder / f"result{slot}.npz", workers, *weights)
    epoch, done, _ = backup.resumed_from
    print("resumed from", epoch, done, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
