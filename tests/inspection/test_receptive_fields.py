"""Receptive fields: known figures, and what a changed pixel changes."""

import keras
import numpy as np
import pytest
from inspected_networks import small_network
from small_networks import build
from small_networks import small

from keras_alexnet.inspection import ReceptiveField
from keras_alexnet.inspection import receptive_fields
from keras_alexnet.layers import CeilMaxPooling2D
from keras_alexnet.layers import LocalResponseNormalization
from keras_alexnet.models.geometry import sizes
from keras_alexnet.models.presets import PAPER


def square(size, stride, offset):
    return ReceptiveField((size,) * 2, (stride,) * 2, (offset,) * 2)


def test_the_papers_network():
    model = build(small("paper", input_size=224))
    found = receptive_fields(model)
    # By hand: size + (k - 1) * stride, layer after layer.
    wanted = {
        "conv1": square(11, 4, 0),
        "pool1": square(19, 8, 0),
        "conv2": square(51, 8, -16),
        "pool2": square(67, 16, -16),
        "conv3": square(99, 16, -32),
        "conv4": square(131, 16, -48),
        "conv5": square(163, 16, -64),
        "pool5": square(195, 32, -64),
        # All of the 6 x 6 places.
        "fc6": square(355, 32, -64),
        "fc8": square(355, 32, -64),
    }
    assert {name: found[name] for name in wanted} == wanted
    # The last place of pool5 sees the last pixel and beyond.
    count = sizes(PAPER)["pool5"]
    assert found["pool5"].window(count - 1, 0) == (96, -64, 291, 131)


def sees(model, name, axis):
    """Which rows of the image change each row of a map: (pixels, rows)."""
    side = model.input_shape[1]
    layer = model.get_layer(name)
    maps = keras.Model(model.input, layer.output)
    images = np.ones((side + 1, side, side, 3), "float32")
    for pixel in range(side):
        row = [slice(None)] * 3
        row[axis] = pixel
        images[(pixel, *row)] = 50
    y = keras.ops.convert_to_numpy(maps(images))
    changed = np.abs(y[:-1] - y[-1:]) > 1e-6 * np.abs(y[-1:])
    return changed.any(axis=(2, 3) if axis == 0 else (1, 3))


@pytest.mark.parametrize(
    "preset, name",
    [
        ("paper", "pool5"),
        ("zfnet", "norm2"),
        ("vgg_a_lrn", "pool4"),
        ("owt", "conv5"),
        ("cifar_13", "conv4"),
        ("cifar_18", "spatial_norm2"),
        ("cifar_11", "norm2"),
    ],
)
@pytest.mark.skipif(
    keras.config.image_data_format() != "channels_last",
    reason="pictures are channels last",
)
def test_what_is_outside_changes_nothing_and_what_is_inside_does(preset, name):
    model = small_network(preset)
    for weight in model.trainable_weights:
        # With positive weights nothing cancels, and each maximum rises.
        weight.assign(keras.ops.abs(weight) + 1e-3)
    field = receptive_fields(model)[name]
    changed = sees(model, name, axis=0)
    for place in range(changed.shape[1]):
        top, _, bottom, _ = field.window(place, 0)
        wanted = np.zeros(len(changed), bool)
        wanted[max(top, 0) : bottom] = True
        assert changed[~wanted, place].sum() == 0
        # Everything inside, because no pooling here leaves pixels out.
        assert changed[wanted, place].all()


def test_paddings_and_dilations():
    image = keras.Input((20, 31, 3))
    x = keras.layers.Conv2D(2, (3, 5), (2, 3), "same", name="same")(image)
    y = keras.layers.Conv2D(2, 3, dilation_rate=2, name="wide")(x)
    found = receptive_fields(keras.Model(image, y))
    # 20 rows: (10 - 1) * 2 + 3 - 20 = 1 row of padding, all of it below; 31
    # columns: (11 - 1) * 3 + 5 - 31 = 4 columns, two of them on the left.
    assert found["same"] == ReceptiveField((3, 5), (2, 3), (0, -2))
    assert found["wide"] == ReceptiveField((11, 17), (2, 3), (0, -2))


def test_norms_within_a_channel_and_merged_branches():
    image = keras.Input((20, 20, 3))
    norm = LocalResponseNormalization(
        n=5, region="within_channel", name="norm"
    )(image)
    wide = keras.layers.Conv2D(2, 7, padding="same")(image)
    both = keras.layers.Concatenate(name="both")([norm, wide])
    whole = keras.layers.GlobalAveragePooling2D(name="whole")(both)
    found = receptive_fields(keras.Model(image, whole))
    assert found["norm"] == square(5, 1, -2)
    assert found["both"] == square(7, 1, -3)
    assert found["whole"] == square(26, 1, -3)


def test_what_is_not_known_is_refused():
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, keras.layers.UpSampling2D(name="up")(image))
    with pytest.raises(ValueError, match="layer 'up' must be known.*UpSampl"):
        receptive_fields(model)
    image = keras.Input((None, None, 3))
    conv = keras.layers.Conv2D(2, 3, 2, "same", name="conv")
    with pytest.raises(ValueError, match="fixed input size, because .*'conv'"):
        receptive_fields(keras.Model(image, conv(image)))
    image = keras.Input((8, 8, 3))
    narrow = keras.layers.MaxPooling2D(1, 2)(image)
    other = keras.layers.MaxPooling2D(2, 2)(image)
    twice = keras.layers.MaxPooling2D(1, 1)(narrow)
    both = keras.layers.Add(name="sum")([other, twice])
    assert receptive_fields(keras.Model(image, both))["sum"].stride == (2, 2)
    shape = keras.layers.Reshape((16, 4, 3), name="shape")(image)
    with pytest.raises(ValueError, match="'shape' must turn a map into a vec"):
        receptive_fields(keras.Model(image, shape))


def test_padding_of_poolings_that_round_up():
    inputs = keras.Input((9, 9, 1))
    model = keras.Model(inputs, CeilMaxPooling2D(3, 2, padding=1)(inputs))
    (field,) = [
        field
        for name, field in receptive_fields(model).items()
        if "pooling" in name
    ]
    # The first unit sees pixels -1 to 1.
    assert field == square(3, 2, -1)
