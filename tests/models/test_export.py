"""Exported networks compute what the networks compute."""

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import predict
from small_networks import small

from keras_alexnet.models.presets import IMAGENET_ARCHITECTURES

if keras.backend.backend() != "tensorflow":
    pytest.skip(
        "SavedModel and TFLite are TensorFlow's", allow_module_level=True
    )

import tensorflow as tf  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    # TensorFlow 2.21 still has it, and LiteRT is one more package.
    r"ignore:\s*Warning. tf.lite.Interpreter:UserWarning"
)

# Wide enough for TFLite to quantize all kernels: those of 1024 numbers.
WIDTHS = {"filters": (16, 32, 64, 64, 32), "fc_units": (48, 64)}


def run_onnx(model, path, x):
    pytest.importorskip("tf2onnx", reason="Keras exports to ONNX with it")
    runtime = pytest.importorskip("onnxruntime")
    path = f"{path}.onnx"
    model.export(path, format="onnx", verbose=False)
    session = runtime.InferenceSession(path)
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    return y


def run_saved_model(model, path, x):
    model.export(path, format="tf_saved_model", verbose=False)
    loaded = tf.saved_model.load(path)
    return loaded.serve(x).numpy()


def run_tflite(model, path, x, **options):
    path = f"{path}.tflite"
    model.export(path, format="litert", verbose=False, **options)
    interpreter = tf.lite.Interpreter(path)
    (image,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(image["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(image["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def run_tflite_int8(model, path, x):
    return run_tflite(model, path, x, optimizations=[tf.lite.Optimize.DEFAULT])


EXPORTS = [
    (run_onnx, 1e-5),
    (run_saved_model, 1e-5),
    (run_tflite, 1e-5),
    # Weights of 8 bits: half a step of 127 in each, which averages out.
    (run_tflite_int8, 0.03),
]
# These two have every layer between them.
FAST = ("caffe", "code_2012")


@pytest.mark.parametrize(
    "preset",
    [
        pytest.param(name, marks=() if name in FAST else pytest.mark.slow)
        for name in IMAGENET_ARCHITECTURES
    ],
)
@pytest.mark.parametrize(
    "run, tolerance", EXPORTS, ids=["onnx", "saved_model", "tflite", "int8"]
)
def test_exports_agree(preset, run, tolerance, tmp_path):
    # 98 pixels: windows hang over the edge where sizes are rounded up.
    widths = dict(WIDTHS)
    if preset == "six_conv":
        widths["filters"] += (32,)
    architecture = small(preset, input_size=98, **widths)
    model = build(architecture, classifier_activation=None)
    x = np.random.default_rng(0).normal(0, 60, (2, 98, 98, 3))
    x = x.astype("float32")
    wanted = predict(model, x)
    found = run(model, str(tmp_path / "net"), x)
    assert wanted.std() > 0.01 * np.abs(wanted).max()
    assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()


def test_quantized_files_are_a_quarter(tmp_path):
    model = build(small("caffe", **WIDTHS))
    x = np.zeros((1, 99, 99, 3), "float32")
    run_tflite_int8(model, str(tmp_path / "net"), x)
    size = (tmp_path / "net.tflite").stat().st_size
    assert size < 0.35 * 4 * model.count_params()


def test_preprocessing_is_exported(tmp_path):
    model = build(small("caffe"), include_preprocessing=True)
    x = np.random.default_rng(0).integers(0, 256, (2, 99, 99, 3))
    x = x.astype("float32")
    found = run_tflite(model, str(tmp_path / "net"), x)
    np.testing.assert_allclose(found, predict(model, x), rtol=1e-5, atol=1e-7)
