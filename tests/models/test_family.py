"""ZFNet, VGG's networks and pytorchcv's AlexNet, beside other software."""

import dataclasses

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import predict

from keras_alexnet.columns.conversion import has_columns
from keras_alexnet.models import VGG
from keras_alexnet.models import VGG_A
from keras_alexnet.models import VGG_C
from keras_alexnet.models import VGG_D
from keras_alexnet.models import ZFNET
from keras_alexnet.models import AlexNet
from keras_alexnet.models import ZFNet
from keras_alexnet.models import multiply_adds
from keras_alexnet.models import sizes
from keras_alexnet.models import with_all_pooling
from keras_alexnet.models import with_width
from keras_alexnet.models import without_conv
from keras_alexnet.models.difference import different_computations
from keras_alexnet.models.family_presets import FAMILY_ARCHITECTURES
from keras_alexnet.weights.kernel_layouts import to_outputs_first


@pytest.mark.parametrize(
    "name, parameters, operations",
    [
        # 7 * 7 * 3 * 96 * 110 * 110 = 170,755,200 in conv1, and so on by
        # hand; pytorchcv's tests give the same parameters.
        ("zfnet", 62_357_608, 1_168_032_896),
        ("zfnet_512", 107_627_624, 2_476_704_896),
        # Table 2 of VGG's paper has 133, 133, 134, 138 and 144 million.
        ("vgg_a", 132_863_336, 7_609_090_048),
        ("vgg_a_lrn", 132_863_336, 7_609_090_048),
        ("vgg_b", 133_047_848, 11_308_466_176),
        ("vgg_c", 133_638_952, 11_770_888_192),
        ("vgg_d", 138_357_544, 15_470_264_320),
        ("vgg_e", 143_667_240, 19_632_062_464),
        ("alexnet_ptcv", 62_378_344, 1_131_457_664),
    ],
)
def test_parameters_and_multiply_adds(name, parameters, operations):
    model = AlexNet(architecture=name)
    assert model.count_params() == parameters
    assert sum(multiply_adds(model).values()) == operations


def test_sizes_of_figure_3_of_zeiler_and_fergus():
    found = list(dict.fromkeys(sizes(ZFNET).values()))
    assert found == [110, 55, 26, 13, 6]


def test_layers_have_the_names_of_the_authors_files():
    model = build(with_width(VGG_C, 1 / 32), input_shape=(32, 32, 3))
    # VGG_ILSVRC_16_layers_deploy.prototxt, without its ReLUs.
    names = """conv1_1 conv1_2 pool1 conv2_1 conv2_2 pool2 conv3_1 conv3_2
        conv3_3 pool3 conv4_1 conv4_2 conv4_3 pool4 conv5_1 conv5_2 conv5_3
        pool5 flatten fc6 drop6 fc7 drop7 fc8 prob"""
    assert [x.name for x in model.layers[1:]] == names.split()
    assert model.get_layer("conv3_3").kernel_size == (1, 1)
    assert model.get_layer("conv3_2").kernel_size == (3, 3)


@pytest.mark.parametrize("preset", FAMILY_ARCHITECTURES)
def test_everything_of_a_network_survives_a_file(preset, tmp_path):
    full = FAMILY_ARCHITECTURES[preset]
    small = with_width(full, 1 / 32)
    model = build(small, input_shape=(64, 64, 3))
    x = np.random.default_rng(0).normal(0, 50, (1, 64, 64, 3))
    model.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras", compile=False)
    assert loaded.architecture == small
    np.testing.assert_array_equal(predict(loaded, x), predict(model, x))
    assert not different_computations(full, small)


def test_public_functions_build_what_they_say():
    zfnet = ZFNet(False, pooling="avg", input_shape=(64, 64, 3))
    assert (zfnet.name, zfnet.output_shape) == ("zfnet", (None, 256))
    assert zfnet.architecture == ZFNET
    vgg = VGG(False, pooling="max", input_shape=(64, 64, 3))
    assert (vgg.name, vgg.output_shape) == ("vgg", (None, 512))
    assert vgg.architecture == VGG_D
    with pytest.raises(ValueError, match="one of paper.*Received.*'vgg_f'"):
        VGG(architecture="vgg_f")


@pytest.mark.parametrize("preset, name", [("vgg_d", "VGG16")])
def test_vgg_equals_keras_applications(preset, name):
    compare_with_keras(preset, name)


@pytest.mark.slow
def test_vgg_e_equals_keras_applications():
    compare_with_keras("vgg_e", "VGG19")


def compare_with_keras(preset, name):
    """Equal random weights give equal outputs, after every pooling too."""
    options = {"input_shape": (64, 64, 3), "classes": 10}
    theirs = getattr(keras.applications, name)(weights=None, **options)
    ours = AlexNet(architecture=preset, **options)
    ours.set_weights(theirs.get_weights())
    x = np.random.default_rng(1).normal(0, 60, (2, 64, 64, 3))
    pools = [f"pool{i}" for i in range(1, 6)]
    found = keras.Model(
        ours.input, [ours.get_layer(p).output for p in pools] + [ours.output]
    ).predict_on_batch(x)
    wanted = keras.Model(
        theirs.input,
        [theirs.get_layer(f"block{p[-1]}_pool").output for p in pools]
        + [theirs.output],
    ).predict_on_batch(x)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max())


# The layers of each network as PyTorch would have them, from the papers'
# tables: filters and window of a convolution, "P" a pooling, "L" the norm.
VGG_B_LAYERS = "64 64 P 128 128 P 256 256 P 512 512 P 512 512 P"
TABLES = {
    "vgg_a": "64 P 128 P 256 256 P 512 512 P 512 512 P",
    "vgg_a_lrn": "64 L P 128 P 256 256 P 512 512 P 512 512 P",
    "vgg_b": VGG_B_LAYERS,
    "zfnet": "96/7/2 P L 256/5/2 P L 384 384 256 P",
    "zfnet_512": "96/7/2 P L 256/5/2 P L 512 1024 512 P",
    "alexnet_ptcv": "96/11/4 L P 256 L P 384 384 256 P",
}
# LRN's alpha for PyTorch, which divides it by n.
ALPHAS = {"alexnet_ptcv": 1e-4}
SHARE = 32


def in_torch(torch, preset, x, layers):
    """What a chain of PyTorch's layers computes, with equal weights."""
    vgg = preset.startswith("vgg")
    kernels = iter(layers.values())
    x = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    for word in TABLES[preset].split():
        if word == "P":
            size = 2 if vgg else 3
            x = torch.nn.MaxPool2d(size, 2, ceil_mode=True)(x)
        elif word == "L":
            alpha = ALPHAS.get(preset, 5e-4)
            x = torch.nn.LocalResponseNorm(5, alpha=alpha, k=2.0)(x)
        else:
            kernel, bias = (torch.tensor(a) for a in next(kernels))
            filters, _, window = word.partition("/")
            assert len(bias) == int(filters) // SHARE
            size, _, stride = window.partition("/")
            stride = int(stride or 1)
            side = kernel.shape[-1]
            if window:
                assert side == int(size)
                # One more pixel where the windows do not come out even.
                rest = (x.shape[-1] - side) % stride
                ceil = rest and preset != "alexnet_ptcv"
                x = torch.nn.functional.pad(x, (0, ceil, 0, ceil))
            pad = 0 if window else side // 2
            x = torch.conv2d(x, kernel, bias, stride, pad).relu()
    x = x.flatten(1)
    for kernel, bias in kernels:
        x = torch.nn.functional.linear(
            x.relu(), *map(torch.tensor, (kernel, bias))
        )
    return x.softmax(1).numpy()


@pytest.mark.parametrize("preset", TABLES)
def test_outputs_equal_those_of_pytorch(preset):
    torch = pytest.importorskip("torch")
    small = with_width(FAMILY_ARCHITECTURES[preset], 1 / SHARE)
    count = len(small.layer_names)
    small = dataclasses.replace(
        small,
        # With these every layer has something to say.
        initial_stds=("he",) * (count - 1) + (1e-3,),
        initial_biases=(0.1,) * count,
    )
    # 96 at a stride of 2 leaves a rest in ZFNet's first layers.
    model = build(small, input_shape=(96, 96, 3))
    x = np.random.default_rng(0).normal(0, 50, (2, 96, 96, 3))
    x = x.astype("float32")
    layers = to_outputs_first(
        {
            name: model.get_layer(name).get_weights()
            for name in small.layer_names
        }
    )
    wanted = in_torch(torch, preset, x, layers)
    assert wanted.std() > 1e-3
    np.testing.assert_allclose(predict(model, x), wanted, atol=1e-5)


def test_vgg_in_two_columns():
    crossing = ("conv3_1", "fc6", "fc7")
    divided = dataclasses.replace(
        with_width(VGG_A, 1 / 32), columns=2, cross=crossing
    )
    assert divided.groups("conv1_1") == 1
    assert divided.groups("conv2_1") == 2
    model = build(divided, input_shape=(64, 64, 3))
    assert not has_columns(model)
    assert model.get_layer("conv2_1").kernel.shape == (3, 3, 1, 4)
    assert model.get_layer("conv3_1").kernel.shape == (3, 3, 4, 8)


def test_pooling_is_named_after_its_block_or_layer():
    names = sizes(with_all_pooling(VGG_A), 2048)
    assert [name for name in names if "pool" in name] == [
        *("pool1", "pool2", "pool3_1", "pool3", "pool4_1", "pool4"),
        *("pool5_1", "pool5"),
    ]


def test_a_layer_taken_out_leaves_a_smaller_block():
    assert without_conv(VGG_D, 3).blocks == (2, 1, 3, 3, 3)
    assert without_conv(VGG_D, 3).filters[:3] == (64, 64, 128)
    assert without_conv(VGG_A, 1).blocks == (1, 2, 2, 2)
    shallow = without_conv(VGG_A, 4)
    assert shallow.conv_names[:4] == (
        "conv1_1",
        "conv2_1",
        "conv3_1",
        "conv4_1",
    )
    assert sizes(shallow)["pool5"] == 7


@pytest.mark.parametrize("blocks", [(5, 0), (1, 1), (4.0,), ("x",)])
def test_impossible_blocks(blocks):
    with pytest.raises(ValueError, match="`blocks` must be empty, or of pos"):
        dataclasses.replace(ZFNET, blocks=blocks)
