import dataclasses

import numpy as np
import pytest
from small_networks import build
from small_networks import predict
from small_networks import small

from keras_alexnet.models import CAFFE
from keras_alexnet.models import OWT
from keras_alexnet.models import PAPER
from keras_alexnet.models.difference import different_computations

EQUAL = [
    (CAFFE, {"lrn_convention": "sum", "lrn_alpha": 2e-5}),
    (CAFFE, {"paddings": (0, 2, 1, 1, 1)}),
    (CAFFE, {"paddings": ("ceil", 2, "same", 1, 1)}),
    (CAFFE, {"pool_rounding": "floor"}),
    (CAFFE, {"filters": (8, 16, 24, 24, 16), "dropout": 0.1}),
    (CAFFE, {"channel_order": "rgb", "mean": "image", "spatial_n": 3}),
    (OWT, {"lrn_k": 5.0, "lrn_n": 3, "normalization": "batch"}),
]
DIFFERENT = [
    (CAFFE, {"lrn_convention": "sum"}, "lrn_alpha per square"),
    (CAFFE, {"lrn_k": 2.0}, "lrn_k: 1.0, not 2.0"),
    (CAFFE, {"lrn_across_columns": False}, "columns that LRN keeps apart"),
    (CAFFE, {"paddings": ("same",) * 5}, "padding of conv1: 0, not same"),
    (CAFFE, {"cross": ("conv4", "fc6", "fc7")}, "groups of conv3: 1, not 2"),
    (CAFFE, {"pool_size": 2}, "pool_size: 3, not 2"),
    (CAFFE, {"input_size": 224, "pool_rounding": "floor"}, "pool_rounding"),
    (CAFFE, {"activation": "tanh"}, "activation: relu, not tanh"),
    (CAFFE, {"normalization": "batch"}, "normalization: lrn, not batch"),
    (
        PAPER,
        {"stages": (("pool",),) * 5},
        "stages of conv3: activation, not poo",
    ),
]


@pytest.mark.parametrize("architecture, changes", EQUAL)
def test_equal_computations(architecture, changes):
    other = dataclasses.replace(architecture, **changes)
    assert different_computations(architecture, other) == []


@pytest.mark.parametrize("architecture, changes, reason", DIFFERENT)
def test_different_computations(architecture, changes, reason):
    other = dataclasses.replace(architecture, **changes)
    assert reason in "; ".join(different_computations(architecture, other))


@pytest.mark.parametrize(
    "changes",
    [
        {"lrn_convention": "sum", "lrn_alpha": 2e-5},
        {"paddings": ("ceil", 2, 1, 1, 1)},
        {"pool_rounding": "floor"},
        {"lrn_convention": "sum"},
        {"pool_size": 2, "input_size": 95},
    ],
)
def test_what_is_said_is_so(changes):
    """Built with the same seed, the networks agree, or do not."""
    a, b = small("caffe"), small("caffe", **changes)
    a = dataclasses.replace(a, input_size=b.input_size)
    x = np.random.default_rng(0).normal(
        0, 60, (1,) + (b.input_size,) * 2 + (3,)
    )
    first, second = (predict(build(arch), x) for arch in (a, b))
    agree = np.allclose(first, second, rtol=1e-5, atol=1e-7)
    assert agree == (not different_computations(a, b))
