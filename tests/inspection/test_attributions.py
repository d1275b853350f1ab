"""Signals sent back to the image: definitions, identities, errors."""

import keras
import numpy as np
import pytest
from inspected_networks import small_network
from small_networks import build
from small_networks import small

from keras_alexnet.inspection import deconvnet
from keras_alexnet.inspection import gradient
from keras_alexnet.inspection import guided_backpropagation
from keras_alexnet.inspection import integrated_gradients
from keras_alexnet.inspection import receptive_fields
from keras_alexnet.inspection.targets import Target
from keras_alexnet.layers import CeilMaxPooling2D
from keras_alexnet.layers import GroupedConv2D
from keras_alexnet.layers import LocalResponseNormalization

METHODS = [gradient, deconvnet, guided_backpropagation, integrated_gradients]
SENT_BACK = METHODS[:3]

if keras.config.image_data_format() != "channels_last":
    pytest.skip("truths are channels last", allow_module_level=True)


def chain(*layers, shape=(12, 12, 3)):
    keras.utils.set_random_seed(2)
    return keras.Sequential([keras.Input(shape), *layers])


def pictures(shape=(12, 12, 3), count=2, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(0, 2, (count, *shape)).astype("float32")


def preset_network(preset):
    model = small_network(preset)
    return model, pictures(model.input_shape[1:])


def values(model, images, **options):
    target = Target(model, **options)
    y = keras.ops.convert_to_numpy(target(keras.ops.convert_to_tensor(images)))
    return target.values(y)


def test_one_convolution_is_the_transposed_convolution_of_the_masked_map():
    # Of this size every unit fires.
    bias = keras.initializers.Constant(20.0)
    conv = GroupedConv2D(
        4, 3, 2, activation="relu", bias_initializer=bias, name="conv"
    )
    model = chain(conv)
    images = pictures()
    found = deconvnet(model, images, "conv", unit=1, position=(2, 3))
    activation = values(model, images, layer="conv", unit=1, position=(2, 3))
    kernel = keras.ops.convert_to_numpy(conv.kernel)
    wanted = np.zeros_like(images)
    wanted[:, 4:7, 6:9] = kernel[..., 1]
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    # The paper begins with the activation in place of 1.
    assert activation.min() > 0
    masked = np.zeros((2, 5, 5, 4), "float32")
    masked[:, 2, 3, 1] = activation
    transposed = keras.ops.conv_transpose(
        masked, conv.kernel, strides=2, padding="valid"
    )
    transposed = keras.ops.convert_to_numpy(transposed)[:, :12, :12]
    padded = np.zeros_like(images)
    padded[:, : transposed.shape[1], : transposed.shape[2]] = transposed
    np.testing.assert_allclose(
        activation[:, None, None, None] * found, padded, atol=1e-4
    )


def test_without_relu_all_are_the_gradient():
    model = chain(
        GroupedConv2D(4, 3, name="a"),
        keras.layers.MaxPooling2D(3, 2),
        GroupedConv2D(4, 3, padding="same", activation="tanh", name="b"),
    )
    images = pictures()
    wanted = gradient(model, images, "b", 2)
    for method in (deconvnet, guided_backpropagation):
        np.testing.assert_array_equal(method(model, images, "b", 2), wanted)


def test_guided_is_deconvnet_where_the_input_was_positive():
    conv = GroupedConv2D(3, 1, name="conv")
    model = chain(
        keras.layers.ReLU(name="relu"),
        conv,
    )
    images = pictures()
    projected = deconvnet(model, images, "conv", 1, (5, 6))
    guided = guided_backpropagation(model, images, "conv", 1, (5, 6))
    np.testing.assert_array_equal(guided, projected * (images > 0))
    kernel = keras.ops.convert_to_numpy(conv.kernel)[0, 0, :, 1]
    np.testing.assert_allclose(
        projected[:, 5, 6], [np.maximum(kernel, 0)] * 2, atol=1e-6
    )
    plain = gradient(model, images, "conv", 1, (5, 6))
    np.testing.assert_allclose(
        plain[:, 5, 6], kernel * (images[:, 5, 6] > 0), atol=1e-6
    )


def test_overlapping_windows_are_summed():
    images = np.zeros((1, 5, 5, 1), "float32")
    # The maximum of all four windows of 3 x 3 at a stride of 2.
    images[0, 2, 2] = 1
    ones = keras.initializers.Ones()
    model = chain(
        CeilMaxPooling2D(3, 2),
        GroupedConv2D(1, 2, kernel_initializer=ones, name="sum"),
        shape=(5, 5, 1),
    )
    for method in SENT_BACK:
        found = method(model, images, "sum", 0)
        assert found[0, 2, 2, 0] == 4 and found.sum() == 4


def test_lrn_passes_the_signal_or_its_derivative():
    conv = GroupedConv2D(6, 3, name="conv")
    norm = LocalResponseNormalization(alpha=1.0, groups=2, name="norm")
    model = chain(conv, norm)
    images = pictures()
    place = {"layer": "norm", "unit": 4, "position": (1, 2)}
    identity = deconvnet(model, images, **place)
    np.testing.assert_array_equal(
        identity, deconvnet(model, images, "conv", 4, (1, 2))
    )
    derivative = deconvnet(model, images, **place, lrn="derivative")
    np.testing.assert_array_equal(derivative, gradient(model, images, **place))
    assert np.abs(derivative - identity).max() > 0.01
    # Half a step to either side gives the derivative as well.
    step = np.zeros_like(images)
    step[:, 2, 3, 1] = 1e-2
    slope = values(model, images + step, **place)
    slope = (slope - values(model, images - step, **place)) / 2e-2
    np.testing.assert_allclose(derivative[:, 2, 3, 1], slope, atol=1e-3)


@pytest.mark.parametrize("preset", ["paper", "code_2012", "cifar_13"])
def test_nothing_outside_of_the_receptive_field(preset):
    model, images = preset_network(preset)
    name = "conv2"
    field = receptive_fields(model)[name]
    for position in ((0, 0), (1, 2)):
        top, left, bottom, right = field.window(*position)
        inside = np.zeros(images.shape[1:3], bool)
        inside[max(top, 0) : bottom, max(left, 0) : right] = True
        assert not inside.all()
        for method in SENT_BACK:
            found = method(model, images, name, None, position)
            assert np.abs(found[:, inside]).max() > 0
            assert not found[:, ~inside].any()


@pytest.mark.parametrize("preset", ["code_2012", "cifar_18"])
def test_integrated_gradients_add_up_to_the_difference(preset):
    model, images = preset_network(preset)
    found = integrated_gradients(model, images, unit=4, steps=64)
    start = np.zeros_like(images)
    gain = values(model, images, unit=4) - values(model, start, unit=4)
    assert np.abs(gain).max() > 1e-3
    np.testing.assert_allclose(
        found.sum(axis=(1, 2, 3)), gain, atol=0.02 * np.abs(gain).max()
    )


def test_the_neutral_image_is_the_mean_that_is_subtracted():
    model = build(small("paper"), include_preprocessing=True)
    images = np.random.default_rng(0).uniform(0, 255, (1, 99, 99, 3))
    mean = model.layers[1].mean
    found = integrated_gradients(model, images, unit=1, steps=2)
    given = integrated_gradients(model, images, unit=1, steps=2, baseline=mean)
    np.testing.assert_array_equal(found, given)
    black = integrated_gradients(model, images, unit=1, steps=2, baseline=0)
    assert np.abs(found - black).max() > 0.1 * np.abs(found).max()


def test_defaults_are_the_most_active_class_and_place():
    model, images = preset_network("paper")
    y = keras.ops.convert_to_numpy(model(images))
    best = y.argmax(axis=1)
    np.testing.assert_array_equal(
        gradient(model, images), gradient(model, images, "fc8", best)
    )
    # The softmax is left out, so its layer means the same.
    np.testing.assert_array_equal(
        gradient(model, images), gradient(model, images, "prob", best)
    )
    conv5 = keras.Model(model.input, model.get_layer("conv5").output)(images)
    conv5 = keras.ops.convert_to_numpy(conv5)[..., 3]
    place = np.unravel_index(conv5[0].argmax(), conv5[0].shape)
    np.testing.assert_array_equal(
        gradient(model, images[:1], "conv5", 3),
        gradient(model, images[:1], "conv5", 3, place),
    )


def test_a_softmax_that_belongs_to_a_layer_is_left_out():
    dense = keras.layers.Dense(4, activation="softmax", name="classes")
    model = chain(keras.layers.Flatten(), dense)
    found = gradient(model, pictures(), unit=2)
    kernel = keras.ops.convert_to_numpy(dense.kernel)[:, 2]
    np.testing.assert_allclose(
        found, [kernel.reshape(12, 12, 3)] * 2, atol=1e-6
    )
    # The model is as it was.
    assert dense.activation is keras.activations.softmax
    sums = keras.ops.convert_to_numpy(model(pictures())).sum(axis=1)
    np.testing.assert_allclose(sums, 1, atol=1e-5)


def test_a_model_within_a_model():
    inner = keras.Model(*_ends(build(small("owt"), include_top=False)))
    image = keras.Input(inner.input_shape[1:])
    x = keras.layers.Flatten()(inner(image))
    model = keras.Model(image, keras.layers.Dense(3, name="new")(x))
    images = pictures(inner.input_shape[1:])
    for method in SENT_BACK:
        np.testing.assert_allclose(
            method(model, images, "conv2", 3, (1, 1)),
            method(inner, images, "conv2", 3, (1, 1)),
            atol=1e-6,
        )
    assert np.abs(gradient(model, images, unit=2)).max() > 0


def _ends(model):
    return model.input, model.output


def test_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        narrow, images = preset_network("paper")
    finally:
        keras.config.set_dtype_policy("float32")
    wide, _ = preset_network("paper")
    found, wanted = (deconvnet(m, images, unit=1) for m in (narrow, wide))
    cosine = (found * wanted).sum() / np.sqrt(
        (found**2).sum() * (wanted**2).sum()
    )
    assert found.dtype == "float32" and cosine > 0.95


@pytest.mark.parametrize(
    "options, match",
    [
        ({"layer": "conv9"}, r"`layer` must be the name .*conv1.*'conv9'"),
        ({"unit": 10}, "`unit` must be in 0 to 9, the units of 'fc8'.*=10"),
        ({"unit": -1}, "`unit` must be in 0 to 9"),
        ({"unit": 0.5}, "`unit` must be in 0 to 9.*one integer"),
        ({"unit": [1, 2, 3]}, "one for each image. Received: 3 for 2"),
        ({"position": (0, 0)}, "`position` must be `None` in 'fc8'"),
        (
            {"layer": "conv1", "position": (23, 0)},
            r"the maps of 'conv1', 23 x 23. Received: position=\(23, 0\)",
        ),
    ],
)
def test_what_is_not_there_is_refused(options, match):
    model, images = preset_network("paper")
    for method in METHODS:
        with pytest.raises(ValueError, match=match):
            method(model, images, **options)


def test_other_arguments_are_refused():
    model, images = preset_network("paper")
    with pytest.raises(ValueError, match="`lrn` must be one of.*'none'"):
        deconvnet(model, images, lrn="none")
    with pytest.raises(ValueError, match="`images` must have shape"):
        gradient(model, images[0])
    images[0, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="`images` must be finite"):
        gradient(model, images)
    images[0, 0, 0, 0] = 0
    for steps in (0, 2.5, True):
        with pytest.raises(ValueError, match="`steps` must be a positive int"):
            integrated_gradients(model, images, steps=steps)
    with pytest.raises(ValueError, match=r"one number, a color, or an image"):
        integrated_gradients(model, images, baseline=np.zeros((5, 5, 3)))
    with pytest.raises(ValueError, match="neutral image must be finite"):
        integrated_gradients(model, images, baseline=np.nan)


def test_other_models_are_refused():
    class Subclassed(keras.Model):
        def call(self, x):
            return x

    model = Subclassed()
    model(pictures())
    with pytest.raises(ValueError, match="`model` must be a graph of layers"):
        gradient(model, pictures())
    shared = GroupedConv2D(3, 3, padding="same", name="twice")
    image = keras.Input((12, 12, 3))
    end = keras.layers.Dense(2, name="end")
    model = keras.Model(
        image, end(keras.layers.Flatten()(shared(shared(image))))
    )
    with pytest.raises(ValueError, match="'flatten.*' must be used once.*shar"):
        gradient(model, pictures())
