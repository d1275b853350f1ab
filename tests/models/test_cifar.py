import dataclasses

import keras
import numpy as np
import pytest

from keras_alexnet.models import CIFARNet
from keras_alexnet.models import multiply_adds
from keras_alexnet.models import neurons
from keras_alexnet.models import save_weights
from keras_alexnet.models import sizes
from keras_alexnet.models.cifar_presets import CIFAR_11
from keras_alexnet.models.cifar_presets import CIFAR_13
from keras_alexnet.models.cifar_presets import CIFAR_18
from keras_alexnet.models.cifar_presets import CIFAR_ARCHITECTURES
from keras_alexnet.models.difference import different_computations
from keras_alexnet.models.without_conv import without_conv
from keras_alexnet.training.cifar_recipes import CIFAR_RECIPES


@pytest.mark.parametrize(
    "name, parameters, operations",
    [
        # 5 * 5 * 3 * 32 + 32 = 2,432 and so on, by hand for the 19 % net;
        # those of the last two are in TensorFlow's tutorial as well.
        ("cifar_26", 145_578, 12_354_176),
        ("cifar_19", 89_578, 12_298_240),
        ("cifar_18", 89_578, 12_298_240),
        ("cifar_13", 1_116_490, 18_517_248),
        ("cifar_11", 2_112_970, 19_512_576),
    ],
)
def test_sizes_of_the_networks(name, parameters, operations):
    model = CIFARNet(architecture=name)
    assert model.count_params() == parameters
    assert sum(multiply_adds(model).values()) == operations


def test_neurons_of_the_unshared_layers():
    found = neurons(CIFARNet(architecture="cifar_11"))
    assert found["conv3"] == 6 * 6 * 64
    assert found["conv4"] == 6 * 6 * 32


@pytest.mark.parametrize("preset", CIFAR_ARCHITECTURES)
def test_pixels_per_side(preset):
    architecture = CIFAR_ARCHITECTURES[preset]
    found = list(sizes(architecture).values())
    if architecture.input_size == 24:
        assert found == [24, 12, 12, 6, 6, 6]
    else:
        assert found == [32, 16, 16, 8, 8, 4]


@pytest.mark.parametrize("preset", CIFAR_ARCHITECTURES)
def test_initial_weights(preset):
    architecture = CIFAR_ARCHITECTURES[preset]
    model = CIFARNet(architecture=preset)
    for name, std in zip(
        architecture.layer_names, architecture.initial_stds, strict=True
    ):
        kernel, bias = model.get_layer(name).get_weights()
        assert kernel.std() == pytest.approx(std, rel=0.1), name
        assert not bias.any()


@pytest.mark.parametrize(
    "preset, order",
    [
        # example-layers/layers-18pct.cfg.
        (
            "cifar_18",
            "conv1 pool1 relu1 spatial_norm1 conv2 pool2 spatial_norm2 "
            "conv3 pool3 flatten fc6 prob",
        ),
        # layers-cifar10-11pct.cfg: "rnorm2" stands before "pool2".
        (
            "cifar_11",
            "conv1 pool1 norm1 conv2 norm2 pool2 conv3 conv4 flatten fc6 prob",
        ),
    ],
)
def test_order_of_the_layers(preset, order):
    model = CIFARNet(architecture=preset)
    assert [layer.name for layer in model.layers[1:]] == order.split()


def torch_outputs(model, architecture, x):
    """What the layers say in PyTorch, which has all of them but one."""
    torch = pytest.importorskip("torch", reason="PyTorch is a peer")
    functional = torch.nn.functional

    def unfold(x, kernel, bias):
        windows = functional.unfold(x, 3, padding=1)
        windows = windows.reshape(len(x), -1, 9, windows.shape[-1])
        windows = windows.transpose(1, 2).reshape(
            len(x), -1, bias[..., 0].numel()
        )
        y = torch.einsum("bkp,pkf->bfp", windows, kernel)
        return y.reshape(len(x), -1, *bias.shape[:2]) + bias.permute(2, 0, 1)

    def within(x):
        mean = functional.avg_pool2d(x**2, 3, 1, 1, count_include_pad=True)
        return x * (1 + 5e-5 * mean) ** -0.75

    def pool(x, name):
        if name in architecture.average_pools:
            return functional.avg_pool2d(
                x, 3, 2, ceil_mode=True, count_include_pad=False
            )
        return functional.max_pool2d(x, 3, 2, ceil_mode=True)

    x = torch.tensor(x.transpose(0, 3, 1, 2).copy())
    for index, name in enumerate(architecture.conv_names):
        kernel, bias = map(torch.tensor, model.get_layer(name).get_weights())
        if name in architecture.unshared:
            x = unfold(x, kernel, bias)
        else:
            x = functional.conv2d(
                x, kernel.permute(3, 2, 0, 1), bias, padding="same"
            )
        for stage in architecture.stages[index]:
            if stage == "activation":
                x = functional.relu(x)
            elif stage == "pool":
                x = pool(x, name)
            elif stage == "spatial_norm":
                x = within(x)
            else:
                x = functional.local_response_norm(x, 9, 1e-3, 0.75, 1.0)
    kernel, bias = map(torch.tensor, model.get_layer("fc6").get_weights())
    flat = x.permute(0, 2, 3, 1).reshape(len(x), -1)
    return functional.softmax(flat @ kernel + bias, dim=1).numpy()


@pytest.mark.parametrize("architecture", [CIFAR_18, CIFAR_13, CIFAR_11])
def test_matches_pytorch(architecture):
    # Large enough for the norms to have something to do.
    count = len(architecture.layer_names)
    louder = dataclasses.replace(
        architecture,
        initial_stds=("he",) * (count - 1) + (0.005,),
        initial_biases=(0.1,) * count,
    )
    model = CIFARNet(architecture=louder)
    size = architecture.input_size
    x = np.random.default_rng(0).normal(0, 60, (2, size, size, 3))
    x = x.astype("float32")
    want = torch_outputs(model, architecture, x)
    assert want.std() > 0.01
    got = keras.ops.convert_to_numpy(model(x))
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_preprocessing_and_classes():
    model = CIFARNet(
        classes=3, input_shape=(28, 28, 3), include_preprocessing=True
    )
    assert model.get_layer("preprocessing").per_pixel
    assert model.output_shape == (None, 3)


def test_keras_files(tmp_path):
    model = CIFARNet(architecture="cifar_11")
    x = np.random.default_rng(0).normal(0, 60, (2, 24, 24, 3))
    want = keras.ops.convert_to_numpy(model(x))
    model.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(loaded(x)), want)
    model.save_weights(tmp_path / "net.weights.h5")
    other = CIFARNet(
        architecture="cifar_11", weights=tmp_path / "net.weights.h5"
    )
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(other(x)), want)


def test_a_shared_convolution_is_another_function():
    shared = dataclasses.replace(CIFAR_13, unshared=("conv3",))
    assert different_computations(shared, CIFAR_13) == [
        "unshared weights of conv4: False, not True"
    ]
    average = dataclasses.replace(CIFAR_13, average_pools=("conv1",))
    assert different_computations(average, CIFAR_13) == [
        "averages behind conv1: True, not False"
    ]


def test_a_convolution_less():
    shallow = without_conv(CIFAR_13, 3)
    assert shallow.unshared == ("conv3",)
    pooled = dataclasses.replace(CIFAR_13, average_pools=("conv2",))
    # The third takes the second's place, its pooling included.
    shallow = without_conv(pooled, 2)
    assert shallow.unshared == ("conv2", "conv3")
    assert shallow.average_pools == ("conv2",)
    assert len(CIFARNet(architecture=shallow).output_shape) == 2


@pytest.mark.parametrize("recipe", CIFAR_RECIPES)
def test_recipes_name_layers_that_exist(recipe):
    name = recipe.removesuffix("_crops")
    model = CIFARNet(architecture=name)
    CIFAR_RECIPES[recipe].optimizer().build(model.trainable_variables)


def test_the_authors_schedules():
    thirteen, eleven = CIFAR_RECIPES["cifar_13"], CIFAR_RECIPES["cifar_11"]
    for recipe, want in ((thirteen, [140, 150]), (eleven, [500, 510])):
        epochs = [share * recipe.epochs for share in recipe.milestones]
        assert epochs == pytest.approx(want)
    assert dict(eleven.weight_decays)["fc6"] == 0.01
    assert thirteen.weight_decay == 0
    assert thirteen.augmentation(CIFAR_13) == {
        "batch_size": 128,
        "crop": "random",
        "flip": True,
        "color": False,
        "resize": 32,
    }


@pytest.mark.parametrize(
    "milestones", [(0.5, 0.2), (0.0, 0.5), (0.5, 1.0), (2.0,)]
)
def test_milestones_that_do_not_rise(milestones):
    with pytest.raises(ValueError, match="`milestones` must be rising shares"):
        dataclasses.replace(CIFAR_RECIPES["cifar_13"], milestones=milestones)


@pytest.mark.parametrize("ending", [".weights.h5", ".safetensors"])
def test_classes_are_those_of_the_file(ending, tmp_path):
    path = tmp_path / f"net{ending}"
    model = CIFARNet(classes=7, architecture="cifar_26")
    save_weights(model, path)
    again = CIFARNet(weights=path, architecture="cifar_26")
    assert again.output_shape == (None, 7)
    # Keras's own files do not say it.
    path = tmp_path / "plain.weights.h5"
    model = CIFARNet(architecture="cifar_26")
    keras.Model(model.input, model.output).save_weights(path)
    again = CIFARNet(weights=path, architecture="cifar_26")
    assert again.output_shape == (None, 10)
