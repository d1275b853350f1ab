"""Which worker of which machines a process is, by `TF_CONFIG` and by Slurm."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import pytest
import tensorflow as tf

from keras_alexnet.distribution import cluster_resolver
from keras_alexnet.distribution import strategy_from_name
from keras_alexnet.distribution.slurm import expand_nodes
from keras_alexnet.distribution.slurm import expand_tasks
from keras_alexnet.distribution.slurm import slurm_config
from keras_alexnet.distribution.slurm import slurm_gpus

ROOT = pathlib.Path(__file__).parents[2]
TWO = {"worker": ["a:1", "b:1"]}
STEP = {
    "SLURM_JOB_ID": "7",
    "SLURM_PROCID": "3",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NODELIST": "node[09-10]",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
}


def config(cluster=TWO, **task):
    return json.dumps({"cluster": cluster, "task": task})


def test_tf_config_names_the_workers(monkeypatch):
    # Indices are strings in the variables that some launchers write.
    text = config({**TWO, "chief": ["c:1"]}, type="worker", index="1")
    monkeypatch.setenv("TF_CONFIG", text)
    stock = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    for name in ("tf_config", "none"):
        found = cluster_resolver(name)
        assert found.cluster_spec().as_dict() == stock.cluster_spec().as_dict()
        assert (found.task_type, found.task_id) == ("worker", 1)
        assert found.num_accelerators() == stock.num_accelerators()


def test_without_tf_config_there_is_one_worker(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert not cluster_resolver("none").cluster_spec().jobs
    with pytest.raises(ValueError, match="`TF_CONFIG` must be set in the env"):
        cluster_resolver("tf_config")


@pytest.mark.parametrize(
    "text, message",
    [
        ('{"cluster": ', "must be JSON .Expecting value: line 1 column 13"),
        ("[1]", "must be an object"),
        ("{}", "must list the workers' addresses"),
        (config({"worker": []}), "must list the workers' addresses"),
        (config({"worker": "a:1"}), "must give a list of addresses of `worker"),
        (config({**TWO, "ps": ["c:1"]}), "all workers do the same here, .* ps"),
        (config({"worker": ["a"]}), "as \"host:port\".*not 'a'"),
        (config({"worker": ["a:0"]}), "port from 1 to 65535"),
        (config({"worker": ["a:1", "a:1"]}), "must not list an address twice"),
        (config({**TWO, "chief": ["c:1", "d:1"]}), "one `chief` at most"),
        (json.dumps({"cluster": TWO}), "must say which worker this is"),
        (config(type="chief", index=0), "with a type of `cluster`"),
        (config(type="worker", index=2), "`index` from 0 to 1 in `task`"),
        (config(type="worker", index=-1), "`index` from 0 to 1 in `task`"),
        (config(type="worker"), "`cluster` lists 2 of worker. Received: TF_"),
    ],
)
def test_a_wrong_tf_config_is_refused(text, message, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match=message):
        strategy_from_name("multiworker", "tf_config")


def test_clusters_and_strategies_must_fit():
    with pytest.raises(ValueError, match="one of none, tf_config, slurm.*'k8s"):
        cluster_resolver("k8s")
    with pytest.raises(ValueError, match="of the strategies multiworker and"):
        strategy_from_name("mirrored", "slurm")


def test_slurm_variables_give_what_tensorflow_finds(monkeypatch):
    for name, value in STEP.items():
        monkeypatch.setenv(name, value)
    stock = tf.distribute.cluster_resolver.SlurmClusterResolver(
        port_base=500, gpus_per_node=2, gpus_per_task=1, auto_set_gpu=False
    )
    found = cluster_resolver("slurm", port=500)
    assert found.cluster_spec().as_dict() == stock.cluster_spec().as_dict()
    assert (found.task_type, found.task_id) == stock.get_task_info()


def test_machines_are_in_the_order_of_ranks():
    """TensorFlow's resolver sorts names as text: node10 before node9."""
    step = {**STEP, "SLURM_STEP_NODELIST": "node[9-10]"}
    workers = slurm_config(step)["cluster"]["worker"]
    # 10000 + 7 * 64.
    assert workers == [
        "node9:10448",
        "node9:10449",
        "node10:10448",
        "node10:10449",
    ]


def test_neighboring_jobs_have_other_ports():
    ports = {
        address.rpartition(":")[2]
        for job in range(300)
        for address in slurm_config({**STEP, "SLURM_JOB_ID": str(job)})[
            "cluster"
        ]["worker"]
    }
    assert len(ports) == 2 * 300
    assert max(map(int, ports)) < 32768


@pytest.mark.parametrize(
    "text, nodes",
    [
        ("a", ["a"]),
        ("a-b.c,d", ["a-b.c", "d"]),
        ("n[1-2],m5,o[3-4,6]", ["n1", "n2", "m5", "o3", "o4", "o6"]),
        ("n[008-010]", ["n008", "n009", "n010"]),
        ("r[1-2]n[3-4]-x", ["r1n3-x", "r1n4-x", "r2n3-x", "r2n4-x"]),
    ],
)
def test_node_lists(text, nodes):
    assert expand_nodes(text) == nodes


@pytest.mark.parametrize("text", ["", "n[", "n[1", "n]", "n[a]", "n[3-1]", ","])
def test_wrong_node_lists(text):
    with pytest.raises(ValueError, match='node list such as "gpu'):
        expand_nodes(text)


@pytest.mark.parametrize("text", ["", "2(x", "x2", "2,", "2(x2)3"])
def test_wrong_tasks_per_node(text):
    with pytest.raises(ValueError, match="`SLURM_STEP_TASKS_PER_NODE` must"):
        expand_tasks(text)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"SLURM_PROCID": None}, "`SLURM_PROCID` must be set, as `srun` does"),
        ({"SLURM_STEP_NODELIST": None}, "`SLURM_STEP_NODELIST` must be set"),
        ({"SLURM_JOB_ID": None}, "`SLURM_JOB_ID` must be set"),
        ({"SLURM_PROCID": "x"}, "`SLURM_PROCID` must be an integer.*'x'"),
        ({"SLURM_PROCID": "4"}, "`SLURM_PROCID` must be from 0 to 3.*=4"),
        ({"SLURM_STEP_NUM_TASKS": "5"}, "must agree about the tasks"),
        ({"SLURM_STEP_NODELIST": "node1"}, "must agree about the tasks"),
        ({"SLURM_NODEID": "0"}, "--distribution=block.*SLURM_NODEID=0"),
        ({"SLURM_LOCALID": "0"}, "blocks would have 1"),
    ],
)
def test_wrong_slurm_variables(changes, message):
    step = {k: v for k, v in {**STEP, **changes}.items() if v is not None}
    with pytest.raises(ValueError, match=message):
        slurm_config(step)


@pytest.mark.parametrize("port", [0, 65535])
def test_ports_out_of_range(port):
    with pytest.raises(ValueError, match="`port` must be from 1 to 65534"):
        slurm_config(STEP, port)


@pytest.mark.parametrize(
    "visible, on_node, tasks, local, own",
    [
        ("0,1,2,3,4,5,6,7", "8", "8", "5", "5"),
        ("4,5,6,7", "4", "2", "1", "6,7"),
        # One task has them all.
        ("0,1", "2", "1", "0", None),
        # Slurm has divided them: this task sees its own only.
        ("0", "8", "8", "5", None),
        ("", "8", "8", "5", None),
    ],
)
def test_tasks_of_a_machine_share_its_gpus(visible, on_node, tasks, local, own):
    step = {
        "CUDA_VISIBLE_DEVICES": visible,
        "SLURM_GPUS_ON_NODE": on_node,
        "SLURM_STEP_TASKS_PER_NODE": tasks,
        "SLURM_NODEID": "0",
        "SLURM_LOCALID": local,
    }
    assert slurm_gpus(step) == own


def test_gpus_that_tasks_cannot_share():
    step = {
        "CUDA_VISIBLE_DEVICES": "0,1,2",
        "SLURM_GPUS_ON_NODE": "3",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_NODEID": "0",
    }
    with pytest.raises(ValueError, match="2 tasks .* cannot share its 3 GPUs"):
        slurm_gpus(step)


TASK = """
import sys, numpy as np, keras, tensorflow as tf
from keras_alexnet.distribution import strategy_from_name
strategy = strategy_from_name("multiworker", "slurm", int(sys.argv[1]))
with strategy.scope():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(
        1, kernel_initializer="ones", use_bias=False)])
    model.compile("sgd", "mse")
data = tf.data.Dataset.from_tensor_slices(([[1.], [3.]], [[0.], [0.]])).batch(2)
model.fit(data, verbose=0)
print("rank", strategy.cluster_resolver.task_id, "replicas",
      strategy.num_replicas_in_sync, float(model.weights[0].numpy()[0, 0]))
"""


def test_two_tasks_of_slurm_train_together():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    step = {
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_TASKS_PER_NODE": "2",
        "SLURM_NODEID": "0",
    }
    others = {k: v for k, v in os.environ.items() if k != "TF_CONFIG"}
    tasks = [
        subprocess.Popen(
            [sys.executable, "-c", TASK, str(port)],
            env={
                **others,
                **step,
                "SLURM_PROCID": str(rank),
                "SLURM_LOCALID": str(rank),
            },
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        printed = [task.communicate(timeout=120) for task in tasks]
    finally:
        for task in tasks:
            task.kill()
    for rank, (output, errors) in enumerate(printed):
        assert f"rank {rank} replicas 2 " in output, errors[-3000:]
        # The mean of the gradients 2 x^2 w is 10; the rate is 0.01.
        weight = float(output.split()[-1])
        assert weight == pytest.approx(1 - 0.01 * 10)
