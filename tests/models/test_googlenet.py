"""GoogLeNet, beside Caffe's numbers and PyTorch's layers."""

import dataclasses

import keras
import numpy as np
import pytest
from small_networks import predict

from keras_alexnet.models import GOOGLENET
from keras_alexnet.models import AlexNet
from keras_alexnet.models import GoogLeNet
from keras_alexnet.models import InceptionArchitecture
from keras_alexnet.models import build_network
from keras_alexnet.models import load_weights
from keras_alexnet.models import multiply_adds
from keras_alexnet.models import save_weights
from keras_alexnet.models import sizes
from keras_alexnet.models import with_width
from keras_alexnet.models import without_auxiliary
from keras_alexnet.models import without_norms
from keras_alexnet.models.difference import different_computations
from keras_alexnet.weights.kernel_layouts import conv_to_oihw
from keras_alexnet.weights.kernel_layouts import dense_to_oi

# Two modules of each size, an eighth as wide; 80 pixels leave 5 x 5 in 4a.
SMALL = with_width(
    dataclasses.replace(
        GOOGLENET,
        modules=tuple(
            m for m in GOOGLENET.modules if m[0] not in ("4b", "4c", "4e", "5b")
        ),
        pools_after=("3b", "4d"),
    ),
    1 / 8,
)
SIZE = 80


def small(auxiliary=False, seed=1, **options):
    keras.utils.set_random_seed(seed)
    options = {"input_shape": (SIZE, SIZE, 3), "classes": 10, **options}
    return GoogLeNet(architecture=SMALL, auxiliary=auxiliary, **options)


def images(count=2):
    x = np.random.default_rng(0).normal(0, 50, (count, SIZE, SIZE, 3))
    return x.astype("float32")


def test_parameters_and_multiply_adds():
    # The prototxt's layers, counted by hand; the paper's Table 1 rounds.
    model = GoogLeNet()
    assert model.count_params() == 6_998_552
    assert sum(multiply_adds(model).values()) == 1_582_671_872
    model = GoogLeNet(auxiliary=True)
    assert model.count_params() == 13_378_280
    assert round(sum(multiply_adds(model).values()) / 1e9, 3) == 1.591


def test_shapes_of_table_1():
    model = GoogLeNet(include_top=False)
    found = {
        layer.name: tuple(layer.output.shape[1:]) for layer in model.layers
    }
    for name, want in {
        "conv1_7x7_s2": (112, 112, 64),
        "pool1_3x3_s2": (56, 56, 64),
        "conv2_norm2": (56, 56, 192),
        "pool2_3x3_s2": (28, 28, 192),
        "inception_3a_output": (28, 28, 256),
        "inception_3b_output": (28, 28, 480),
        "inception_4a_output": (14, 14, 512),
        "inception_4d_output": (14, 14, 528),
        "inception_4e_output": (14, 14, 832),
        "inception_5a_output": (7, 7, 832),
        "inception_5b_output": (7, 7, 1024),
    }.items():
        assert found[name] == want, name


def test_layers_with_weights_have_the_names_that_the_architecture_says():
    model = small(auxiliary=True)
    found = {w.path.split("/")[0] for w in model.weights}
    assert found == set(SMALL.layer_names)
    plain = {w.path.split("/")[0] for w in small().weights}
    assert {name[:5] for name in found - plain} == {"loss1", "loss2"}
    assert not any(name[:5] in ("loss1", "loss2") for name in plain)


def test_outputs_equal_those_of_pytorch():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    model = small(auxiliary=True)

    def weights(name):
        kernel, bias = model.get_layer(name).get_weights()
        turn = conv_to_oihw if kernel.ndim == 4 else dense_to_oi
        return torch.tensor(turn(kernel).copy()), torch.tensor(bias + 0)

    def conv(x, name, stride=1):
        kernel, bias = weights(name)
        pad = kernel.shape[-1] // 2
        return torch.conv2d(x, kernel, bias, stride, pad).relu()

    def pool(x):
        return functional.max_pool2d(x, 3, 2, ceil_mode=True)

    def norm(x):
        return functional.local_response_norm(x, 5, 1e-4, 0.75, 1.0)

    def head(x, name):
        x = conv(functional.avg_pool2d(x, 5, 3), f"{name}_conv")
        kernel, bias = model.get_layer(f"{name}_fc").get_weights()
        kernel = torch.tensor(dense_to_oi(kernel, x.shape[1]).copy())
        x = functional.linear(x.flatten(1), kernel, torch.tensor(bias)).relu()
        return functional.linear(x, *weights(f"{name}_classifier")).softmax(1)

    x = torch.from_numpy(images().transpose(0, 3, 1, 2).copy())
    x = norm(pool(conv(x, "conv1_7x7_s2", 2)))
    x = conv(conv(x, "conv2_3x3_reduce"), "conv2_3x3")
    x = pool(norm(x))
    wanted = []
    for module in SMALL.module_names:
        name = f"inception_{module}"
        x = torch.cat(
            [
                conv(x, f"{name}_1x1"),
                conv(conv(x, f"{name}_3x3_reduce"), f"{name}_3x3"),
                conv(conv(x, f"{name}_5x5_reduce"), f"{name}_5x5"),
                conv(functional.max_pool2d(x, 3, 1, 1), f"{name}_pool_proj"),
            ],
            dim=1,
        )
        if module in ("4a", "4d"):
            wanted.append(head(x, f"loss{len(wanted) + 1}"))
        if module in ("3b", "4d"):
            x = pool(x)
    x = functional.linear(x.mean((2, 3)), *weights("loss3_classifier"))
    wanted.insert(0, x.softmax(1))
    found = model(images())
    assert len(found) == 3
    for a, b in zip(found, wanted, strict=True):
        assert b.numpy().std() > 1e-3
        np.testing.assert_allclose(a, b.numpy(), atol=2e-5)


def test_xavier_is_that_of_caffe():
    kernel = GoogLeNet().get_layer("inception_5b_3x3").kernel
    bound = np.sqrt(3 / (3 * 3 * 192))
    values = np.abs(keras.ops.convert_to_numpy(kernel))
    assert 0.99 * bound < values.max() <= bound
    assert abs(values.mean() - bound / 2) < 0.01 * bound
    bias = small().get_layer("inception_3a_1x1").bias
    assert set(keras.ops.convert_to_numpy(bias).tolist()) == {np.float32(0.2)}


def test_the_losses_are_added_with_their_weights():
    model = small(auxiliary=True)
    model.compile(
        "sgd", "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    x, y = images(4), np.array([1, 2, 3, 4])
    outputs = [keras.ops.convert_to_numpy(p) for p in model(x)]
    nats = [float(-np.log(p[np.arange(4), y]).mean()) for p in outputs]
    found = float(model.compute_loss(y=y, y_pred=model(x), training=True))
    assert found == pytest.approx(nats[0] + 0.3 * (nats[1] + nats[2]), rel=1e-5)
    # Only the first output is measured.
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert loss == pytest.approx(nats[0], rel=1e-5)
    assert accuracy == (outputs[0].argmax(1) == y).mean()


def test_training_reaches_the_auxiliary_classifiers():
    model = small(auxiliary=True)
    names = ("loss1_classifier", "loss2_conv")
    before = [model.get_layer(name).get_weights()[0] for name in names]
    model.compile(
        "sgd", "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    history = model.fit(images(4), np.arange(4), epochs=1, verbose=0).history
    assert set(history) == {"loss", "accuracy"}
    for name, kernel in zip(names, before, strict=True):
        after = model.get_layer(name).get_weights()[0]
        assert not np.array_equal(after, kernel), name


def test_keras_own_way_with_three_losses_works_too():
    model = small(auxiliary=True)
    model.compile(
        "sgd",
        ["sparse_categorical_crossentropy"] * 3,
        loss_weights=[1, 0.3, 0.3],
    )
    y = np.arange(2)
    loss = model.evaluate(images(), [y, y, y], verbose=0, return_dict=True)
    parts = [
        -np.log(keras.ops.convert_to_numpy(p)[y, y]).mean()
        for p in model(images())
    ]
    wanted = parts[0] + 0.3 * (parts[1] + parts[2])
    assert loss["loss"] == pytest.approx(wanted, rel=1e-4)


def test_files_with_and_without_auxiliary_classifiers(tmp_path):
    model = small(auxiliary=True)
    model.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras", compile=False)
    assert loaded.architecture == SMALL
    for a, b in zip(loaded(images()), model(images()), strict=True):
        np.testing.assert_array_equal(a, b)
    plain = small(seed=2)
    plain.save_weights(tmp_path / "net.weights.h5")
    other = small(seed=3)
    load_weights(other, tmp_path / "net.weights.h5")
    np.testing.assert_array_equal(
        predict(other, images()), predict(plain, images())
    )
    built = GoogLeNet(
        weights=tmp_path / "net.weights.h5", input_shape=(SIZE, SIZE, 3)
    )
    assert built.architecture == dataclasses.replace(SMALL, input_size=SIZE)
    np.testing.assert_array_equal(
        predict(built, images()), predict(plain, images())
    )
    changed = GoogLeNet(
        architecture=dataclasses.replace(SMALL, norms=()),
        input_shape=(SIZE, SIZE, 3),
        classes=10,
    )
    with pytest.raises(ValueError, match="norms: .*, not ()"):
        load_weights(changed, tmp_path / "net.weights.h5")


def test_auxiliary_classifiers_are_left_out_for_prediction():
    model = small(auxiliary=True)
    plain = without_auxiliary(model)
    assert plain.architecture == SMALL
    assert plain.count_params() == small().count_params()
    np.testing.assert_array_equal(
        predict(plain, images()), keras.ops.convert_to_numpy(model(images())[0])
    )
    assert without_auxiliary(plain) is plain


def test_any_size_without_auxiliary_classifiers():
    model = GoogLeNet(
        architecture=SMALL, input_shape=(None, None, 3), classes=10
    )
    assert predict(model, images()).shape == (2, 10)
    assert predict(model, images()[:, :33, :50]).shape == (2, 10)


@pytest.mark.parametrize("architecture", [GOOGLENET.scaled(1 / 64), SMALL])
def test_the_smallest_image(architecture):
    small = {"architecture": architecture, "include_top": False}
    # Four poolings at strides of 2, each rounding up, after a stride of 2.
    model = GoogLeNet(input_shape=(31, 31, 3), **small)
    assert model.output_shape[1:3] == (1, 1)
    with pytest.raises(ValueError, match="at least 31 x 31 pixels"):
        GoogLeNet(input_shape=(30, 30, 3), **small)


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_trained_with_auxiliary_classifiers_for_prediction(ending, tmp_path):
    trained = small(auxiliary=True, include_preprocessing=True)
    trained.get_layer("preprocessing").set_mean([1.0, 2.0, 3.0])
    path = tmp_path / f"net{ending}"
    save_weights(trained, path)
    x = images()
    wanted = keras.ops.convert_to_numpy(trained(x)[0])
    for model in (
        small(seed=2, include_preprocessing=True),
        GoogLeNet(weights=path, include_preprocessing=True),
    ):
        assert model.input_shape[1:] == (SIZE, SIZE, 3)
        load_weights(model, path)
        np.testing.assert_allclose(predict(model, x), wanted, atol=1e-6)
    other = small(classes=4)
    before = other.get_weights()
    with pytest.raises(ValueError, match="10 classes with auxiliary.* 4 class"):
        load_weights(other, path)
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_norms():
    plain = dataclasses.replace(SMALL, norms=())
    names = [
        layer.name
        for layer in GoogLeNet(architecture=plain, classes=10).layers
        if "norm" in layer.name
    ]
    assert not names
    assert different_computations(SMALL, plain)
    assert not different_computations(SMALL, with_width(SMALL, 2))
    assert different_computations(SMALL, AlexNet(False).architecture) == [
        "kind: InceptionArchitecture, not Architecture"
    ]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"input_shape": (78, 78, 3)}, "at least 79 x 79 pixels.*leave 4"),
        ({"input_shape": (None, None, 3)}, "the input size must be fixed"),
        ({"include_top": False}, "`auxiliary=True` needs `include_top=True`"),
        ({"pooling": "sum"}, "`pooling` must be"),
        ({"classes": 0}, "`classes` must be a positive integer"),
    ],
)
def test_impossible_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        small(auxiliary=True, **options)


def test_other_kinds_of_architectures_are_refused():
    with pytest.raises(TypeError, match="an `InceptionArchitecture` here"):
        GoogLeNet(architecture="paper")
    with pytest.raises(TypeError, match="`build_network` builds every kind"):
        AlexNet(architecture="googlenet")
    model = build_network(SMALL, classes=3, input_shape=(64, 64, 3))
    assert model.output_shape == (None, 3)


def test_what_needs_a_chain_of_layers_says_so():
    with pytest.raises(AttributeError, match="no `conv_names`. A GoogLeNet is"):
        sizes(GOOGLENET)
    with pytest.raises(AttributeError, match="takes an `Architecture`"):
        without_norms(GOOGLENET)
    assert not hasattr(GOOGLENET, "stages")
    assert GOOGLENET.columns == 1


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"norms": ("norm3",)}, "`norms` must be of"),
        ({"auxiliary_dropout": 1.5}, r"`auxiliary_dropout` must be in \[0"),
        ({"stem": (64, 64)}, "`stem` must have three"),
        ({"modules": (("3a", 1),)}, "`modules` must hold a name and six"),
        ({"pools_after": ("6a",)}, "`pools_after` must name modules"),
        ({"auxiliary_after": ("6a",)}, "`auxiliary_after` must name modul"),
        ({"auxiliary_after": ("3a", "4a", "4d")}, "must name two modules at"),
        ({"initialization": "torch"}, "`initialization` must be one of"),
        ({"lrn_convention": "avg"}, "`lrn_convention` must be one of"),
        ({"channel_order": "gbr"}, "`channel_order` must be one of"),
    ],
)
def test_impossible_architectures(changes, message):
    with pytest.raises(ValueError, match=message):
        InceptionArchitecture(**changes)
