import dataclasses
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import predict
from small_networks import small

from keras_alexnet import AlexNet
from keras_alexnet.layers import LocalResponseNormalization
from keras_alexnet.models import Architecture
from keras_alexnet.models import Network
from keras_alexnet.models import load_network

CHANGED = small("code_2012", lrn_n=9, paddings=(1, "same", 1, "same", "same"))


@pytest.fixture(scope="module")
def network():
    return build(CHANGED)


def images(count=2):
    return np.random.default_rng(0).normal(0, 60, (count, 99, 99, 3))


def test_it_is_a_functional_model(network):
    assert isinstance(network, Network)
    assert isinstance(network, keras.Model)
    assert network.architecture == CHANGED
    assert network.get_layer("fc7").output.shape == (None, 24)


@pytest.mark.parametrize(
    "copy",
    [
        keras.models.clone_model,
        lambda network: type(network).from_config(network.get_config()),
        lambda network: Network.from_config(network.get_config()),
    ],
    ids=["clone_model", "from_config", "from_config of Network"],
)
def test_copies_keep_the_architecture(network, copy):
    other = copy(network)
    assert isinstance(other, Network)
    assert other.architecture == CHANGED
    other.set_weights(network.get_weights())
    x = images()
    np.testing.assert_array_equal(predict(other, x), predict(network, x))


def test_a_file_keeps_the_architecture(network, tmp_path):
    network.save(tmp_path / "net.keras")
    loaded = keras.saving.load_model(tmp_path / "net.keras")
    assert loaded.architecture == CHANGED
    assert load_network(tmp_path / "net.keras").architecture == CHANGED
    # Tuples have come back from JSON's lists.
    assert hash(loaded.architecture) == hash(CHANGED)


def test_two_architectures_in_one_process_do_not_mix():
    first, second = build(small("caffe")), build(small("owt"))
    assert first.architecture.name == "caffe"
    assert keras.models.clone_model(first).architecture.name == "caffe"
    assert second.architecture.name == "owt"


def test_parts_of_it_are_ordinary_models(network):
    part = keras.Model(network.input, network.get_layer("fc7").output)
    assert not hasattr(part, "architecture")


def test_files_of_the_first_version_load(network, tmp_path):
    """They hold Keras's own functional models."""
    plain = keras.Model(network.input, network.output)
    plain.save(tmp_path / "old.keras")
    loaded = load_network(tmp_path / "old.keras")
    x = images()
    np.testing.assert_array_equal(predict(loaded, x), predict(network, x))


def test_an_architecture_is_saved_by_its_fields():
    config = keras.saving.serialize_keras_object(CHANGED)
    assert config["registered_name"] == "keras_alexnet>Architecture"
    assert keras.saving.deserialize_keras_object(config) == CHANGED
    assert Architecture.from_config(CHANGED.get_config()) == CHANGED
    assert dataclasses.asdict(CHANGED) == CHANGED.get_config()


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf2onnx reads its graphs"
)
def test_it_is_exported_at_once(tmp_path):
    pytest.importorskip("tf2onnx", reason="Keras exports to ONNX with it")
    runtime = pytest.importorskip("onnxruntime")
    network = build(small("paper"))
    path = str(tmp_path / "net.onnx")
    network.export(path, format="onnx", verbose=False)
    session = runtime.InferenceSession(path)
    x = images().astype("float32")
    (name,) = (entry.name for entry in session.get_inputs())
    (found,) = session.run(None, {name: x})
    np.testing.assert_allclose(found, predict(network, x), atol=1e-5)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="others compile all of it"
)
def test_only_its_own_predictions_are_compiled(tmp_path, monkeypatch):
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        pytest.skip("about CPUs")
    # 45 x 45 x 8 numbers are enough to be worth compiling.
    model = build(small("one_gpu", input_size=187))
    model.compile(loss="sparse_categorical_crossentropy")
    layer = LocalResponseNormalization
    choose, chosen = layer._fast_forward, []

    def spy(self, x, training):
        forward = choose(self, x, training)
        chosen.append(forward is self._compiled_forward)
        return forward

    monkeypatch.setattr(layer, "_fast_forward", spy)
    side = model.architecture.input_size
    x = np.ones((2, side, side, 3), "float32")
    told = {}
    for name, run in {
        "predict": lambda: model.predict_on_batch(x),
        "evaluate": lambda: model.test_on_batch(x, np.zeros(2)),
        "call": lambda: model(x),
        "export": lambda: model.export(tmp_path / "model", verbose=False),
    }.items():
        chosen.clear()
        run()
        told[name] = any(chosen)
    assert told == {
        "predict": True,
        "evaluate": True,
        "call": False,
        "export": False,
    }


def test_one_import_knows_all_that_a_file_needs(tmp_path):
    """What training saves is loaded by a process that imports no more."""
    from keras_alexnet.training import AlexNetSGD
    from keras_alexnet.training import TopKError

    model = build(small("paper"), include_preprocessing=True)
    model.compile(
        AlexNetSGD(multipliers={"fc8": 10}),
        "sparse_categorical_crossentropy",
        metrics=[TopKError(1)],
    )
    x = np.zeros((2, 99, 99, 3), "float32")
    model.train_on_batch(x, np.zeros(2, "int32"))
    model.save(tmp_path / "net.keras")
    code = (
        "import sys, keras, keras_alexnet;"
        "model = keras.saving.load_model(sys.argv[1]);"
        "print(model.architecture.name, type(model.optimizer).__name__)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "net.keras"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    ).stdout
    assert printed.split() == ["paper", "AlexNetSGD"]


def test_dropout_works_in_training():
    """Keras passes `training` on only where `call` names it."""
    model = AlexNet(input_shape=(64, 64, 3), classes=10)
    x = np.random.default_rng(0).normal(0, 50, (2, 64, 64, 3))

    def run(**options):
        return keras.ops.convert_to_numpy(model(x, **options))

    assert (run(training=True) != run(training=True)).any()
    assert (run() == run()).all()
    # Once more by `fit`, whose loss would else be that of `evaluate`.
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    y = np.array([0, 1])
    losses = {model.fit(x, y, verbose=0).history["loss"][0] for _ in range(3)}
    assert len(losses) == 3


def test_pickled_and_copied():
    model = build(small("paper"))
    again = pickle.loads(pickle.dumps(model))
    assert again.architecture == model.architecture
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
