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


def train(folder, slot, kills):
    # Not above: a machine that is broken does not get as far.
    import numpy as np
    from train_worker import EPOCHS
    from train_worker import Data
    from train_worker import KillAt
    from train_worker import grouped_model

    from keras_alexnet.distribution import MultiWorkerMirrored
    from keras_alexnet.distribution import WorkersAgree
    from keras_alexnet.training import ResumableBackup

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
        callbacks=[backup, WorkersAgree(), *map(KillAt, kills)],
    )
    weights = [w.numpy() for w in model.weights]
    workers = strategy.num_replicas_in_sync
    np.savez(folder / f"result{slot}.npz", workers, *weights)
    print("resumed from", *backup.resumed_from, flush=True)


def main(folder, step, _):
    folder, slot = pathlib.Path(folder), os.environ["CUDA_VISIBLE_DEVICES"]
    kills = []
    if slot == "3":
        broken = folder / "broken"
        if broken.exists():
            os.kill(os.getpid(), signal.SIGKILL)
        broken.touch()
        kills.append(int(step))
    train(folder, slot, kills)


if __name__ == "__main__":
    main(*sys.argv[1:])
