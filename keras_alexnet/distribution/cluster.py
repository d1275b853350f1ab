"""The workers of a training on several machines: who they are, and which."""

import json
import os
import warnings

import tensorflow as tf

from keras_alexnet.distribution.slurm import slurm_config
from keras_alexnet.distribution.slurm import slurm_gpus

ALONE = (
    "The cluster has one worker, this one, because the environment variable "
    "TF_CONFIG is not set. Set it on each machine that shall train with it; "
    '`cluster="tf_config"` refuses to begin without.'
)
CLUSTERS = ("none", "tf_config", "slurm")

EXAMPLE = (
    '{"cluster": {"worker": ["a:12345", "b:12345"]}, "task": {"type": '
    '"worker", "index": 0}}'
)


def cluster_resolver(name, port=None):
    """The resolver of a cluster, for `MultiWorkerMirrored` and its like.

    Call it before any other TensorFlow operation: where several of Slurm's
    tasks share a machine and see all of its GPUs, `CUDA_VISIBLE_DEVICES` is
    set to the share of this one.

    Args:
        name: `"tf_config"`, where the environment variable `TF_CONFIG` names
            all workers and which of them this process is; `"slurm"`, where
            `srun` has started it; or `"none"`, for one worker, or those of
            `TF_CONFIG` if it is set.
        port: Integer, the port of the first worker of each machine under
            Slurm; the next ones have the next ports. Defaults to one that
            depends on the job's number.

    Returns:
        A `tf.distribute.cluster_resolver.ClusterResolver`.

    Raises:
        ValueError: If there is no such cluster, or what describes it is
            missing, malformed or contradicts itself.

    Example:

    >>> os.environ["TF_CONFIG"] = EXAMPLE
    >>> cluster_resolver("tf_config").cluster_spec().num_tasks("worker")
    2
    >>> del os.environ["TF_CONFIG"]

    TensorFlow's own `SlurmClusterResolver` sorts machines by name as text, so
    that with `node[9-10]` worker 0 is looked for on `node10`, where Slurm has
    started worker 1; and it refuses machines without GPUs.
    """
    if name not in CLUSTERS:
        raise ValueError(
            f"`name` must be one of {', '.join(CLUSTERS)}. Received: {name!r}"
        )
    if name == "slurm":
        gpus = slurm_gpus(os.environ)
        if gpus is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = gpus
        return _Resolver(slurm_config(os.environ, port))
    text = os.environ.get("TF_CONFIG")
    if name == "none" and text in (None, "", "{}"):
        warnings.warn(ALONE, stacklevel=3)
        if text == "":
            # TensorFlow would read it as JSON.
            del os.environ["TF_CONFIG"]
        return tf.distribute.cluster_resolver.TFConfigClusterResolver()
    return _Resolver(read_tf_config(text))


class _Resolver(tf.distribute.cluster_resolver.TFConfigClusterResolver):
    """A cluster that is known, with the devices of this machine."""

    def __init__(self, config):
        task = config["task"]
        super().__init__(task["type"], task["index"], rpc_layer="grpc")
        self._workers = config["cluster"]

    def cluster_spec(self):
        return tf.train.ClusterSpec(self._workers)


def read_tf_config(text):
    """What a `TF_CONFIG` says, once it is found to be sound.

    Args:
        text: String, JSON; or `None`, where the variable is not set.

    Returns:
        Dict of `cluster` and `task`.

    Raises:
        ValueError: If it is missing or malformed, or `task` is none of the
            workers that `cluster` lists.

    Example:

    >>> read_tf_config(EXAMPLE)["task"]["index"]
    0

    Reference: https://www.tensorflow.org/guide/distributed_training#TF_CONFIG
    """
    if not text:
        raise ValueError(
            "`TF_CONFIG` must be set in the environment of each worker, such "
            f"as TF_CONFIG='{EXAMPLE}'. Received: nothing"
        )
    try:
        config = json.loads(text)
    except ValueError as error:
        raise _wrong(f"be JSON ({error}), such as {EXAMPLE}", text) from error
    if not isinstance(config, dict):
        raise _wrong(f"be an object, such as {EXAMPLE}", text)
    cluster, task = config.get("cluster"), config.get("task")
    _check_cluster(cluster, text)
    _check_task(task, cluster, text)
    return {"cluster": cluster, "task": {**task, "index": int(task["index"])}}


def _check_cluster(cluster, text):
    if not isinstance(cluster, dict) or not cluster.get("worker"):
        raise _wrong(
            "list the workers' addresses, as "
            '"cluster": {"worker": ["a:12345", "b:12345"]}',
            text,
        )
    unknown = set(cluster) - {"chief", "worker"}
    if unknown:
        raise _wrong(
            "have no jobs but `worker` and `chief`: all workers do the same "
            f"here, without {', '.join(sorted(unknown))}",
            text,
        )
    addresses = []
    for job, found in cluster.items():
        if not isinstance(found, list):
            raise _wrong(f"give a list of addresses of `{job}`", text)
        addresses += found
    for address in addresses:
        host, _, port = str(address).rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise _wrong(
                'give addresses as "host:port", with a port from 1 to 65535, '
                f"not {address!r}",
                text,
            )
    if len(set(addresses)) < len(addresses):
        raise _wrong("not list an address twice", text)
    if len(cluster.get("chief", ())) > 1:
        raise _wrong("have one `chief` at most", text)


def _check_task(task, cluster, text):
    kind = task.get("type") if isinstance(task, dict) else None
    if kind not in cluster:
        raise _wrong(
            'say which worker this is, as "task": {"type": "worker", '
            '"index": 0}, with a type of `cluster`',
            text,
        )
    index, count = task.get("index"), len(cluster[kind])
    # Some launchers write the number as a string, which TensorFlow takes.
    number = int(index) if str(index).isdecimal() else -1
    if not 0 <= number < count:
        raise _wrong(
            f"have an `index` from 0 to {count - 1} in `task`, as `cluster` "
            f"lists {count} of {kind}",
            text,
        )


def _wrong(requirement, text):
    return ValueError(
        f"`TF_CONFIG` must {requirement}. Received: TF_CONFIG={text!r}"
    )
