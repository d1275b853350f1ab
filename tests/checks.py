"""What every layer of the package must do."""

import inspect

import keras
import numpy as np


def check_layer(layer_class, arguments, x, tmp_path):
    """Config honesty, shapes, saving, mixed precision."""
    layer = layer_class(**arguments)
    config = layer.get_config()
    own = inspect.signature(layer_class.__init__).parameters
    missing = set(own) - set(config) - {"self", "kwargs"}
    assert not missing, f"get_config() lacks {missing}"
    y = keras.ops.convert_to_numpy(layer(x))
    assert layer.get_config() == config, "the config changed by the call"
    assert layer.compute_output_shape(x.shape) == y.shape

    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, layer(inputs))
    path = tmp_path / "layer.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(loaded(x)),
        keras.ops.convert_to_numpy(model(x)),
    )
    for policy in ("mixed_float16", "mixed_bfloat16"):
        mixed = layer_class(**{**arguments, "dtype": policy})
        dtype = keras.backend.standardize_dtype(mixed(x).dtype)
        assert dtype == policy.removeprefix("mixed_")
    return y


def value_and_gradient(layer, x, upstream):
    """Output of a layer and gradient of sum(output * upstream) wrt `x`."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        x = tf.convert_to_tensor(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        gradient = tape.gradient(y, x, tf.cast(upstream, y.dtype))
    elif backend == "jax":
        import jax

        y, pull = jax.vjp(layer, jax.numpy.asarray(x))
        gradient = pull(jax.numpy.asarray(upstream, y.dtype))[0]
    else:
        import torch

        x = torch.tensor(x, requires_grad=True)
        y = layer(x)
        y.backward(torch.tensor(upstream, dtype=y.dtype))
        gradient = x.grad
    return keras.ops.convert_to_numpy(y), keras.ops.convert_to_numpy(gradient)
