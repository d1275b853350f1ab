"""Columns by sharded channels; JAX runs in processes of their own."""

import ast
import os
import pathlib
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_alexnet.distribution import column_layout_map

ROOT = pathlib.Path(__file__).parents[2]
COLLECTIVES = "all-gather|all-reduce|all-to-all|collective-permute"
# `… = shape all-gather(…), metadata={op_name="jit(train_step)/jvp(conv3)/…`
COLLECTIVE = re.compile(
    rf"= .*? ({COLLECTIVES}|reduce-scatter)(?:-start)?\(.*"
    r'op_name="([^"]*)"'
)


def train(batch, columns, folder, *changes):
    pytest.importorskip("jax")
    output = folder / "weights.npz"
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "tests" / "distribution" / "jax_columns.py",
            str(batch),
            str(columns),
            output,
            *changes,
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": f"--xla_dump_to={folder} --xla_dump_hlo_as_text "
            "--xla_dump_hlo_module_re=.*train_step.* "
            f"--xla_force_host_platform_device_count={batch * columns}",
        },
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(output) as file:
        arrays = dict(file)
    texts = sorted(folder.glob("*train_step*after_optimizations.txt"))
    # The last is that of the mesh.
    return arrays, COLLECTIVE.findall(texts[-1].read_text())


def layer_of(name):
    return re.search(r"jvp\((\w+)\)", name)[1]


def gathers(collectives):
    return {
        layer_of(name) for kind, name in collectives if "reduce" not in kind
    }


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2], ids=["2 devices", "4 devices"])
def test_columns_talk_only_where_the_architecture_says(batch, tmp_path):
    arrays, collectives = train(batch, 2, tmp_path)
    # conv3, fc6 (whose input is flattened) and fc7 see both columns.
    assert gathers(collectives) == {"conv3", "flatten", "fc7"}
    within = {"conv2", "conv4", "norm1", "norm2", "pool1", "pool4"}
    for kind, name in collectives:
        if layer_of(name) in within:
            # The sum of a kernel's gradient over the batch, as in all layers.
            assert "reduce" in kind and "psum" in name, name
    found = [arrays[name] for name in arrays if name.startswith("alone")]
    assert found
    for index, whole in enumerate(found):
        divided = arrays[f"divided{index}"]
        assert np.abs(divided - whole).max() <= 1e-5 * np.abs(whole).max()
    shards = ast.literal_eval(str(arrays["shards"]))
    for name in ("conv2/kernel", "sgd/conv2_kernel_momentum"):
        assert shards[name] == "P(None, None, None, 'column')"


@pytest.mark.slow
def test_a_grouped_convolution_left_to_xla_is_seen(tmp_path):
    _, collectives = train(1, 2, tmp_path, "plain")
    assert {"conv2", "conv4"} <= gathers(collectives)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="it is for JAX")
def test_other_backends_are_refused():
    mesh = keras.distribution.DeviceMesh((1,), ("column",), ["cpu:0"])
    with pytest.raises(ValueError, match="Use `ColumnParallelStrategy` there"):
        column_layout_map(mesh)


def test_a_mesh_without_columns_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    mesh = keras.distribution.DeviceMesh((1,), ("batch",), ["cpu:0"])
    with pytest.raises(ValueError, match='must have an axis "column"'):
        column_layout_map(mesh)
