"""Extracts features in two processes, of which one is killed."""

import functools
import pathlib
import sys

from beam.beam_networks import KilledOnce
from beam.beam_networks import counted

from keras_alexnet.beam import extract_features
from keras_alexnet.beam import features
from keras_alexnet.data import image_files


def main(folder, output, log):
    features.FeatureShards = KilledOnce
    paths = image_files(pathlib.Path(folder), [], {})
    extract_features(
        paths,
        output,
        functools.partial(counted, log),
        batch_size=2,
        shards=6,
        options=[
            "--runner=DirectRunner",
            "--direct_running_mode=multi_processing",
            "--direct_num_workers=2",
        ],
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
