"""A preparation of which a worker is killed; workers import this module."""

import os
import pathlib
import signal

from keras_alexnet.beam import imagenet
from keras_alexnet.data import record_shards


class KilledOnce(imagenet.ImagenetShards):
    """Its process is killed while it writes the third file, the first time."""

    def __call__(self, plan):
        mark = pathlib.Path(plan).parents[2] / "killed"
        if "-train.tfrecord-00002-" not in plan or mark.exists():
            return super().__call__(plan)

        def kill(*arguments):
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

        record_shards.ColorSums.add = kill
        return super().__call__(plan)
