"""Prepares a small set in two processes, of which one is killed."""

import sys

from beam.killed_preparation import KilledOnce

from keras_alexnet import beam
from keras_alexnet.beam import imagenet


def main(source, output):
    imagenet.ImagenetShards = KilledOnce
    beam.prepare_imagenet(
        source,
        output,
        [
            "--runner=DirectRunner",
            "--direct_running_mode=multi_processing",
            "--direct_num_workers=2",
        ],
        side=24,
        expected=None,
        images_per_shard=5,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
