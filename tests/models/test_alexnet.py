import dataclasses
import math

import keras
import numpy as np
import pytest

from keras_alexnet import AlexNet
from keras_alexnet.models import CAFFE
from keras_alexnet.models import OWT
from keras_alexnet.models import PAPER
from keras_alexnet.models import multiply_adds
from keras_alexnet.models import neurons
from keras_alexnet.models.presets import IMAGENET_ARCHITECTURES

TINY = dataclasses.replace(
    PAPER, filters=(8, 16, 24, 24, 16), fc_units=(32, 32)
)
SMALL = {"architecture": TINY, "input_shape": (64, 64, 3), "classes": 5}


def images(*shape, scale=60.0):
    return (scale * np.random.default_rng(0).normal(size=shape)).astype("f")


def test_shape_table_of_the_paper():
    model = AlexNet()
    shapes = {
        layer.name: layer.output.shape[1:]
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
    }
    assert shapes == {
        "conv1": (55, 55, 96),
        "norm1": (55, 55, 96),
        "pool1": (27, 27, 96),
        "conv2": (27, 27, 256),
        "norm2": (27, 27, 256),
        "pool2": (13, 13, 256),
        "conv3": (13, 13, 384),
        "conv4": (13, 13, 384),
        "conv5": (13, 13, 256),
        "pool5": (6, 6, 256),
        "flatten": (9216,),
        "fc6": (4096,),
        "drop6": (4096,),
        "fc7": (4096,),
        "drop7": (4096,),
        "fc8": (1000,),
        "prob": (1000,),
    }
    assert model.input_shape == (None, 224, 224, 3)
    # Section 3.5: kernels of 11x11x3, 5x5x48, 3x3x256, 3x3x192, 3x3x192.
    assert [model.get_layer(f"conv{i}").kernel.shape for i in range(1, 6)] == [
        (11, 11, 3, 96),
        (5, 5, 48, 256),
        (3, 3, 256, 384),
        (3, 3, 192, 384),
        (3, 3, 192, 256),
    ]
    assert neurons(model) == {
        "conv1": 290_400,
        "conv2": 186_624,
        "conv3": 64_896,
        "conv4": 64_896,
        "conv5": 43_264,
        "fc6": 4096,
        "fc7": 4096,
        "fc8": 1000,
    }
    assert multiply_adds(model) == {
        "conv1": 105_415_200,
        "conv2": 223_948_800,
        "conv3": 149_520_384,
        "conv4": 112_140_288,
        "conv5": 74_760_192,
        "fc6": 37_748_736,
        "fc7": 16_777_216,
        "fc8": 4_096_000,
    }


@pytest.mark.parametrize(
    "architecture, count",
    [
        ("paper", 60_965_224),
        ("code_2012", 60_965_224),
        ("caffe", 60_965_224),
        ("caffenet", 60_965_224),
        (dataclasses.replace(PAPER, columns=1), 62_378_344),
        ("owt", 61_100_840),
        ("one_gpu", 59_798_312),
    ],
)
def test_parameters(architecture, count):
    assert AlexNet(architecture=architecture).count_params() == count


def test_six_conv_layers():
    model = AlexNet(architecture="six_conv")
    assert model.get_layer("conv6").kernel.shape == (3, 3, 256, 256)
    assert model.get_layer("conv6").output.shape == (None, 6, 6, 256)
    assert model.count_params() == 60_965_224 + 256 * 9 * 256 + 256


def test_order_of_the_2012_code():
    names = [layer.name for layer in AlexNet(architecture="code_2012").layers]
    assert names[1:10] == [
        "conv1",
        "norm1",
        "pool1",
        "relu1",
        "conv2",
        "norm2",
        "spatial_norm2",
        "pool2",
        "conv3",
    ]
    assert names[11:14] == ["conv5", "pool5", "relu5"]


def torch_weights(torch_layer, layer):
    import torch

    kernel, bias = map(keras.ops.convert_to_numpy, layer.weights)
    axes = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
    torch_layer.weight.data = torch.tensor(kernel.transpose(axes).copy())
    torch_layer.bias.data = torch.tensor(bias)


def torch_twin(model, architecture):
    """The same network built from PyTorch's layers, with its weights."""
    from torch import nn

    ceil = architecture.pool_rounding == "ceil"
    normalized = "norm" in architecture.stages[0]
    steps, channels = [], 3
    plan = (
        (11, 4, {"paper": 0, "caffe": 0, "owt": 2}[architecture.name], 1),
        (5, 1, 2, architecture.columns),
        (3, 1, 1, 1),
        (3, 1, 1, architecture.columns),
        (3, 1, 1, architecture.columns),
    )
    if architecture.name == "paper":
        steps.append(nn.ZeroPad2d((0, 3, 0, 3)))
    for number, (kernel, stride, padding, groups) in enumerate(plan, 1):
        filters = architecture.filters[number - 1]
        conv = nn.Conv2d(
            channels, filters, kernel, stride, padding, groups=groups
        )
        torch_weights(conv, model.get_layer(f"conv{number}"))
        steps += [conv, nn.ReLU()]
        channels = filters
        if number in (1, 2) and normalized:
            # PyTorch divides alpha by the size.
            alpha = architecture.lrn_alpha
            if architecture.lrn_convention == "sum":
                alpha *= architecture.lrn_n
            lrn = nn.LocalResponseNorm(
                architecture.lrn_n, alpha, 0.75, architecture.lrn_k
            )
            steps.append(
                lrn if architecture.lrn_across_columns else PerColumn(lrn)
            )
        if number in (1, 2, 5):
            steps.append(nn.MaxPool2d(3, 2, ceil_mode=ceil))
    steps.append(ChannelsLastFlatten())
    for number in (6, 7, 8):
        kernel = model.get_layer(f"fc{number}").kernel
        linear = nn.Linear(*kernel.shape)
        torch_weights(linear, model.get_layer(f"fc{number}"))
        steps += [linear] + ([nn.ReLU()] if number < 8 else [])
    return nn.Sequential(*steps)


class PerColumn:
    def __new__(cls, lrn):
        import torch

        class Module(torch.nn.Module):
            def forward(self, x):
                return torch.cat([lrn(half) for half in x.chunk(2, 1)], 1)

        return Module()


class ChannelsLastFlatten:
    def __new__(cls):
        import torch

        class Module(torch.nn.Module):
            def forward(self, x):
                return x.permute(0, 2, 3, 1).flatten(1)

        return Module()


@pytest.mark.parametrize("architecture", [CAFFE, PAPER, OWT], ids=str)
def test_forward_pass_equals_pytorch(architecture):
    torch = pytest.importorskip("torch", reason="PyTorch is a peer")
    narrow = dataclasses.replace(
        architecture,
        filters=(24, 64, 96, 96, 64),
        fc_units=(256, 256),
        initial_stds=("he",) * 8,
    )
    size = narrow.input_size
    model = AlexNet(
        architecture=narrow,
        classes=50,
        input_shape=(size, size, 3),
        classifier_activation=None,
    )
    for layer in model.layers:
        if layer.weights:
            layer.weights[1].assign(images(layer.weights[1].shape[0]) / 60)
    x = images(2, size, size, 3)
    with torch.no_grad():
        want = torch_twin(model, narrow)(
            torch.tensor(x.transpose(0, 3, 1, 2).copy())
        ).numpy()
    got = keras.ops.convert_to_numpy(model(x))
    assert np.abs(want).max() > 1
    np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max())


@pytest.mark.parametrize("preset", IMAGENET_ARCHITECTURES)
def test_every_preset_runs_and_saves(preset, tmp_path):
    full = IMAGENET_ARCHITECTURES[preset]
    narrow = dataclasses.replace(
        full,
        filters=tuple(width // 8 for width in full.filters),
        fc_units=(64, 64),
    )
    model = AlexNet(
        architecture=narrow,
        input_shape=(67, 67, 3),
        classes=4,
        include_preprocessing=True,
    )
    x = np.random.default_rng(0).uniform(0, 255, (2, 67, 67, 3)).astype("f")
    y = keras.ops.convert_to_numpy(model(x))
    np.testing.assert_allclose(y.sum(axis=1), 1.0, atol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(loaded(x)), y)


@pytest.mark.parametrize("cross", [(), ("fc6",), ("conv2", "fc7")])
def test_private_fully_connected_layers_keep_to_their_column(cross):
    architecture = dataclasses.replace(TINY, cross=cross)
    model = AlexNet(
        include_top=True,
        architecture=architecture,
        input_shape=(64, 64, 3),
        classes=3,
    )
    features = keras.Model(
        model.get_layer("conv1").output, model.get_layer("drop7").output
    )
    maps = np.abs(images(1, 15, 15, 8))
    silenced = maps.copy()
    silenced[..., 4:] = 0
    a, b = (
        keras.ops.convert_to_numpy(features(x))[0] for x in (maps, silenced)
    )
    first_column_changed = bool(np.abs(a[:16] - b[:16]).max() > 0)
    assert first_column_changed == bool(cross)
    assert np.abs(a[16:] - b[16:]).max() > 0
    assert a.shape == (32,)


def test_initialization_of_the_paper():
    model = AlexNet()
    for name, bias in zip(
        PAPER.layer_names, (0, 1, 0, 1, 1, 1, 1, 0), strict=True
    ):
        kernel, constant = model.get_layer(name).get_weights()
        assert kernel.std() == pytest.approx(0.01, rel=0.02)
        assert abs(kernel.mean()) < 5 * 0.01 / math.sqrt(kernel.size)
        np.testing.assert_array_equal(constant, bias)


def test_he_and_torch_initialization():
    he = dataclasses.replace(
        PAPER, initial_stds=("he",) * 8, initial_biases=(0.0,) * 8
    )
    kernel = AlexNet(architecture=he).get_layer("conv2").kernel
    fan_in = 5 * 5 * 48
    std = np.std(keras.ops.convert_to_numpy(kernel))
    assert std == pytest.approx(math.sqrt(2 / fan_in), rel=0.02)
    kernel, bias = AlexNet(architecture=OWT).get_layer("fc6").get_weights()
    assert np.abs(kernel).max() == pytest.approx(1 / 96, rel=1e-3)
    assert kernel.std() == pytest.approx(1 / 96 / math.sqrt(3), rel=0.01)
    assert 0.9 / 96 < np.abs(bias).max() <= 1 / 96


def test_preprocessing_takes_raw_rgb():
    options = {
        **SMALL,
        "architecture": dataclasses.replace(
            TINY, channel_order="bgr", mean="color", pixel_mean=(1.0, 2.0, 3.0)
        ),
    }
    raw = AlexNet(include_preprocessing=True, **options)
    plain = AlexNet(**options)
    plain.set_weights(raw.get_weights()[1:])
    x = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("f")
    centered = (x - np.float32([1, 2, 3]))[..., ::-1]
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(raw(x)),
        keras.ops.convert_to_numpy(plain(centered)),
        atol=1e-6,
    )


def test_mean_image_unless_the_size_is_open():
    fixed = AlexNet(include_preprocessing=True, **SMALL)
    assert fixed.get_layer("preprocessing").offset.shape == (64, 64, 3)
    open_size = AlexNet(
        include_top=False,
        include_preprocessing=True,
        architecture=TINY,
        input_shape=(None, None, 3),
    )
    assert open_size.get_layer("preprocessing").offset.shape == (1, 1, 3)
    assert open_size(images(1, 70, 80, 3)).shape == (1, 2, 2, 16)


@pytest.mark.parametrize(
    "pooling, shape",
    [(None, (2, 1, 1, 16)), ("avg", (2, 16)), ("max", (2, 16))],
)
def test_without_the_top(pooling, shape):
    model = AlexNet(
        include_top=False,
        pooling=pooling,
        architecture=TINY,
        input_shape=(64, 64, 3),
    )
    assert model(images(2, 64, 64, 3)).shape == shape


def test_input_tensor():
    image = keras.Input((80, 80, 3))
    smaller = keras.layers.CenterCrop(64, 64)(image)
    model = AlexNet(input_tensor=smaller, architecture=TINY, classes=5)
    assert model.input_shape == (None, 80, 80, 3)
    assert model(images(1, 80, 80, 3)).shape == (1, 5)


def test_weights_file(tmp_path):
    path = tmp_path / "alexnet.weights.h5"
    model = AlexNet(**SMALL)
    model.save_weights(path)
    keras.utils.set_random_seed(1)
    again = AlexNet(weights=path, **SMALL)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_ends_in_float32(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = AlexNet(include_preprocessing=True, **SMALL)
    finally:
        keras.config.set_dtype_policy("float32")
    y = model(images(2, 64, 64, 3))
    assert keras.backend.standardize_dtype(y.dtype) == "float32"
    assert model.get_layer("conv5").compute_dtype == policy[6:]
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(y).sum(axis=1), 1.0, atol=1e-5
    )


def test_learns_a_tiny_task():
    he = dataclasses.replace(
        TINY, initial_stds=("he",) * 8, initial_biases=(0.0,) * 8, dropout=0.0
    )
    model = AlexNet(architecture=he, input_shape=(48, 48, 3), classes=2)
    x = images(16, 48, 48, 3, scale=1.0)
    y = np.arange(16) % 2
    x[y == 1, :, :24] += 2.0
    model.compile(
        "adam", "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(x, y, epochs=12, batch_size=8, verbose=0)
    assert model.evaluate(x, y, verbose=0)[1] == 1.0


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"weights": "absent.h5"}, "path of a weights file.*'absent.h5'"),
        ({"pooling": "mean"}, "`pooling` must be .* Received: .*'mean'"),
        ({"weights": ["net.h5"]}, r"path of a weights file.*\['net.h5'\]"),
        (
            {"weights": "imagenet", "classifier_activation": "relu"},
            "`classifier_activation` must be `None` or \"softmax\".*'relu'",
        ),
        ({"classes": 0}, "`classes` must be a positive integer.*classes=0"),
        ({"classes": "ten"}, "`classes` must be .*classes='ten'"),
        ({"classes": True}, "`classes` must be .*classes=True"),
        ({"architecture": "vgg"}, "`architecture` must be one of"),
        ({"classes": 10.0}, r"`classes` must be .*classes=10\.0"),
        ({"input_shape": 224}, r"such as \(224, 224, 3\).*input_shape=224"),
        ({"input_shape": (224, 224)}, "a tuple of three integers"),
        (
            {"input_shape": (3, 224, 224)},
            r"must be \(height, width, channels\).*\(3, 224, 224\)",
        ),
        (
            {"input_shape": (None, None, 3)},
            "`fc6`, the input size must be fixed",
        ),
        ({"input_shape": (35, 64, 3)}, "at least 36 x 36 pixels.*(35, 64, 3)"),
        (
            {"input_shape": (64, 64, 1), "include_preprocessing": True},
            "RGB images",
        ),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        AlexNet(**arguments)
