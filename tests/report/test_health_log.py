import io
import sys

import keras
import numpy as np
import pytest

event_accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator"
)
image_file = pytest.importorskip("PIL.Image")

from small_networks import build  # noqa: E402
from small_networks import small  # noqa: E402
from small_networks import small_inception  # noqa: E402

from keras_alexnet.models import CIFAR_26  # noqa: E402
from keras_alexnet.report import HealthLog  # noqa: E402
from keras_alexnet.report.validation_part import validation_part  # noqa: E402
from keras_alexnet.training import AlexNetSGD  # noqa: E402


def read(folder):
    found = event_accumulator.EventAccumulator(
        str(folder), {"tensors": 0, "images": 0}
    )
    found.Reload()
    return found


def values(found, tag):
    from tensorboard.util import tensor_util

    return [
        tensor_util.make_ndarray(event.tensor_proto)
        for event in found.Tensors(tag)
    ]


def trained(architecture, directory, epochs=2, **options):
    size = architecture.input_size
    model = build(architecture, include_preprocessing=True)
    model.compile(
        AlexNetSGD(0.01, multipliers={"conv1": 0.5}),
        "sparse_categorical_crossentropy",
    )
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (12, size, size, 3)).astype("float32")
    labels = np.arange(12) % 10
    log = HealthLog(directory, [(images, labels)], **options)
    model.fit(
        images,
        labels,
        epochs=epochs,
        batch_size=6,
        callbacks=[log],
        verbose=0,
    )
    return model, images, labels


@pytest.mark.parametrize("architecture", [small("paper"), CIFAR_26])
def test_what_is_written(architecture, tmp_path):
    names = [f"<{letter}>" for letter in "abcdefghij"]
    model, images, labels = trained(
        architecture,
        tmp_path,
        class_names=names,
        hparams={"learning_rate": 0.01, "milestones": (0.5,)},
        worst=3,
    )
    found = read(tmp_path / "health")
    tags = set(found.Tags()["tensors"])
    weights = [variable.path for variable in model.trainable_variables]
    for kind in ("weights", "mean_weight", "mean_update"):
        assert {f"{kind}/{path}" for path in weights} <= tags
    assert "update_ratio/conv1/kernel" in tags
    kernel = model.get_layer("conv1").kernel
    assert values(found, "mean_weight/conv1/kernel")[-1] == pytest.approx(
        np.abs(keras.ops.convert_to_numpy(kernel)).mean(), rel=1e-5
    )
    assert values(found, "learning_rate/conv1")[0] == pytest.approx(0.005)
    assert values(found, "learning_rate/biases")[0] == pytest.approx(0.02)
    # In one of the two the ReLU comes after the pooling.
    first = "conv1" if "dead_units/conv1" in tags else "relu1"
    dead = values(found, f"dead_units/{first}")
    assert len(dead) == 2 and all(0 <= share <= 1 for share in dead)
    assert f"answers/{first}" in tags and "epoch/loss" in tags
    columns = architecture.columns
    assert {f"kernels/column {i}" for i in range(columns)} <= tags
    # TensorBoard's images: width, height, and one file each.
    width, height, *files = values(found, "worst answers")[-1]
    assert (int(width), int(height), len(files)) == (224, 240, 3)
    assert image_file.open(io.BytesIO(files[0])).size == (224, 240)
    assert any(tag.startswith("_hparams_/") for tag in tags)


def test_the_change_is_that_of_the_last_step(tmp_path):
    """By hand: a weight that moves by 0.5 in each step."""
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, name="d")]
    )
    model.layers[0].kernel.assign([[4.0]])
    # The gradient of mean(w * x) is 1.
    model.compile(
        keras.optimizers.SGD(0.5), lambda y_true, y_pred: y_pred * 1.0
    )
    x = np.ones((4, 1))
    log = HealthLog(tmp_path)
    model.fit(x, x, batch_size=2, epochs=2, callbacks=[log], verbose=0)
    found = read(tmp_path / "health")
    (name,) = [t for t in found.Tags()["tensors"] if t.startswith("mean_u")]
    assert values(found, name) == pytest.approx([0.5, 0.5])
    ratio = name.replace("mean_update", "update_ratio")
    assert values(found, ratio) == pytest.approx([0.5 / 3, 0.5 / 2])


def test_the_worst_come_first():
    from keras_alexnet.report.validation_part import validation_part

    image = keras.Input((1, 1, 3))
    model = keras.Model(
        image, keras.layers.Softmax()(keras.layers.Flatten()(image))
    )
    logits = np.array([[5, 0, 0], [9, 0, 0], [0, 9, 0], [7, 0, 0]], "float32")
    data = [(logits[:, None, None], np.array([1, 2, 1, 0]))]
    part = validation_part(model, data, most=10, worst=5, probed=2)
    assert [label[0] for label in part.labels] == [0, 0]
    assert [label[2] for label in part.labels] == [2, 1]
    assert part.n == 4 and len(part.probe) == 2
    part = validation_part(model, data * 3, most=6, worst=1, probed=9)
    assert part.n == 6 and len(part.images) == 1 and len(part.probe) == 6
    with pytest.raises(ValueError, match="`validation_data` must have"):
        validation_part(model, [], 1, 1, 1)


@pytest.mark.parametrize("name", ["worst", "most"])
@pytest.mark.parametrize("value", [0, 2.5, "all"])
def test_wrong_arguments(name, value, tmp_path):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive"):
        HealthLog(tmp_path, **{name: value})


def test_without_tensorboard(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboard.plugins.hparams", None)
    with pytest.raises(ImportError, match=r"keras-alexnet\[examples\]"):
        HealthLog(tmp_path)


def test_a_network_with_auxiliary_classifiers():
    model = build(small_inception(), auxiliary=True)
    assert len(model.outputs) > 1
    images = np.zeros((4, *model.input_shape[1:]), "float32")
    found = validation_part(model, [(images, np.arange(4))], 4, 2, 1)
    assert found.n == 4 and len(found.images) <= 2
