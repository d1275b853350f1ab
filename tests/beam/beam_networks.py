"""Networks that workers load, and a worker that is killed."""

import os
import pathlib
import signal

import keras
from small_networks import build
from small_networks import small

from keras_alexnet.beam import features
from keras_alexnet.models import CIFARNet


def grouped():
    return build(small("paper"), include_preprocessing=True)


def columns():
    from keras_alexnet.distribution import ColumnParallelStrategy
    from keras_alexnet.distribution import to_columns

    model = grouped()
    with ColumnParallelStrategy(["/CPU:0", "/CPU:1"]).scope():
        return to_columns(model)


def cifar():
    keras.utils.set_random_seed(0)
    return CIFARNet(include_preprocessing=True)


def counted(log):
    """A network; a line in the file `log` tells which process loads it."""
    with open(log, "a") as file:
        file.write(f"{os.getpid()}\n")
    return grouped()


class KilledOnce(features.FeatureShards):
    """Its process is killed while it writes the third file, the first time."""

    def __call__(self, shard):
        mark = pathlib.Path(self._listing).with_suffix(".killed")
        if "-00002-of-" not in shard.file or mark.exists():
            return super().__call__(shard)
        rows = features.feature_rows

        def killing(*arguments):
            yield next(rows(*arguments))
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

        features.feature_rows = killing
        return super().__call__(shard)
