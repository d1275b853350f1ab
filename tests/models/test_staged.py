import numpy as np
import pytest
from small_networks import build

from keras_alexnet.models import VGG_A
from keras_alexnet.models import VGG_D
from keras_alexnet.models import ZFNET
from keras_alexnet.models import copy_common_layers
from keras_alexnet.models import with_width

OPTIONS = {"input_shape": (32, 32, 3)}


def values(model):
    return {w.path: np.array(w) for w in model.weights}


def test_the_first_four_convolutions_and_the_dense_layers_are_copied():
    a = build(with_width(VGG_A, 1 / 16), seed=1, **OPTIONS)
    d = build(with_width(VGG_D, 1 / 16), seed=2, **OPTIONS)
    before, source = values(d), values(a)
    copied = copy_common_layers(a, d)
    assert copied == (
        *("conv1_1", "conv2_1", "conv3_1", "conv3_2"),
        *("fc6", "fc7", "fc8"),
    )
    for path, after in values(d).items():
        wanted = source if path.split("/")[0] in copied else before
        np.testing.assert_array_equal(after, wanted[path], err_msg=path)


def test_nothing_is_copied_where_something_does_not_fit():
    a = build(with_width(VGG_A, 1 / 16), seed=1, **OPTIONS)
    wide = build(with_width(VGG_D, 1 / 8), seed=2, **OPTIONS)
    before = values(wide)
    with pytest.raises(ValueError, match="'conv1_1', with a kernel of shape"):
        copy_common_layers(a, wide)
    with pytest.raises(ValueError, match="'conv1_1'.*and None in the target"):
        zfnet = build(with_width(ZFNET, 1 / 16), input_shape=(64, 64, 3))
        copy_common_layers(a, zfnet)
    deep = build(with_width(VGG_D, 1 / 16), seed=2, classes=3, **OPTIONS)
    with pytest.raises(ValueError, match="'fc8', with a kernel of shape"):
        copy_common_layers(a, deep)
    assert copy_common_layers(a, deep, ["conv1_1"]) == ("conv1_1",)
    for path, after in values(wide).items():
        np.testing.assert_array_equal(after, before[path])
