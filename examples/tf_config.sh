#!/bin/bash
# Prints the TF_CONFIG of one of several machines, for clusters without Slurm.
#
#     export TF_CONFIG="$(examples/tf_config.sh 2 a b c d)"
#     python examples/train.py --cluster=tf_config --strategy=multiworker ...
#
# makes this machine the third (they count from 0) of a, b, c and d.

set -eu
index=$1
shift
port=${PORT:-12345}
workers=$(printf "\"%s:$port\", " "$@")
echo "{\"cluster\": {\"worker\": [${workers%, }]}," \
    "\"task\": {\"type\": \"worker\", \"index\": $index}}"
