import os
import subprocess
import sys

import pytest

from keras_alexnet.distribution.placed_graph import op_type

PROGRAM = """
import collections
import keras
import numpy as np
from keras_alexnet.distribution import placed_step

image = keras.Input((8, 8, 3))
x = keras.layers.Conv2D(4, 3, activation="relu", name="conv1")(image)
x = keras.layers.Conv2D(4, 3, activation="relu", name="conv2")(x)
x = keras.layers.MaxPooling2D()(x)
outputs = keras.layers.Dense(5)(keras.layers.Flatten()(x))
model = keras.Model(image, outputs)
model.compile("sgd", "mse")
ops, _ = placed_step(model, (np.ones((2, 8, 8, 3)), np.ones((2, 5))))
count = collections.Counter(op.type for op in ops)
for kind in (
    "Conv2D", "Conv2DBackpropFilter", "Conv2DBackpropInput", "MaxPool",
    "MaxPoolGrad", "MatMul",
):
    print(kind, count[kind])
print("kernels", sum(kind.startswith("_Mkl") for kind in count))
"""


@pytest.mark.parametrize(
    "kernel, op",
    [
        ("_MklNativeConv2D", "Conv2D"),
        ("_MklNativeConv2DWithBias", "Conv2D"),
        ("_MklNativeFusedConv2D", "Conv2D"),
        ("_MklNativePadWithFusedConv2D", "Conv2D"),
        ("_MklNativeConv2DBackpropFilterWithBias", "Conv2DBackpropFilter"),
        ("_MklNativeConv2DBackpropInput", "Conv2DBackpropInput"),
        ("_MklMatMul", "MatMul"),
        ("_MklNativeFusedMatMul", "MatMul"),
        ("_MklNativeMaxPoolGrad", "MaxPoolGrad"),
        ("_MklNativeFusedBatchNormGradV3", "FusedBatchNormGradV3"),
        ("Conv2D", "Conv2D"),
        ("ResourceApplyGradientDescent", "ResourceApplyGradientDescent"),
    ],
)
def test_a_kernel_has_the_name_of_its_op(kernel, op):
    assert op_type(kernel) == op


@pytest.mark.parametrize("onednn", ["0", "1"])
def test_a_step_has_the_same_ops_with_and_without_onednn(onednn):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": onednn},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == [
        "Conv2D 2",
        "Conv2DBackpropFilter 2",
        "Conv2DBackpropInput 2",
        "MaxPool 1",
        "MaxPoolGrad 1",
        "MatMul 3",
        "kernels 0",
    ]
