import keras
import numpy as np
import pytest
from checks import check_layer
from checks import value_and_gradient
from reference import local_response_normalization
from reference import spatial_response_normalization

from keras_alexnet.layers import LocalResponseNormalization

needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="needs TensorFlow"
)


def images(*shape, scale=30.0):
    rng = np.random.default_rng(0)
    return (scale * rng.normal(size=shape)).astype("float32")


@pytest.mark.parametrize("convention", ["sum", "mean"])
@pytest.mark.parametrize(
    "k, n, alpha, beta, groups",
    [
        (2.0, 5, 1e-4, 0.75, 1),
        (2.0, 5, 1e-2, 0.75, 2),
        (1.0, 1, 1e-2, 0.5, 1),
        (0.25, 4, 1e-2, 1.0, 3),
        (2.0, 6, 1e-2, 0.3, 1),
        (2.0, 40, 1e-2, 0.75, 1),
        (2.0, 23, 1e-2, 0.75, 2),
    ],
)
def test_matches_the_definition(k, n, alpha, beta, groups, convention):
    x = images(2, 3, 4, 12)
    layer = LocalResponseNormalization(
        k, n, alpha, beta, convention=convention, groups=groups
    )
    want = local_response_normalization(
        x, k, n, alpha, beta, convention, groups
    )
    np.testing.assert_allclose(layer(x), want, rtol=2e-5)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 11])
@pytest.mark.parametrize("convention", ["sum", "mean"])
def test_within_channel_matches_the_definition(n, convention):
    x = images(2, 6, 7, 3)
    layer = LocalResponseNormalization(
        1.0, n, 1e-3, 0.75, convention=convention, region="within_channel"
    )
    want = spatial_response_normalization(x, 1.0, n, 1e-3, 0.75, convention)
    np.testing.assert_allclose(layer(x), want, rtol=2e-5)


@pytest.mark.parametrize("region", ["across_channels", "within_channel"])
@pytest.mark.parametrize("n", [4, 5])
def test_channels_first_is_the_transpose(region, n):
    x = images(2, 5, 6, 8)
    options = {"alpha": 1e-2, "n": n, "region": region}
    last = LocalResponseNormalization(data_format="channels_last", **options)
    first = LocalResponseNormalization(data_format="channels_first", **options)
    y = keras.ops.convert_to_numpy(first(x.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(
        y.transpose(0, 2, 3, 1), last(x), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n": 4},
        {"n": 30, "groups": 2},
        {"beta": 0.3},
        {"region": "within_channel", "n": 4},
        {"data_format": "channels_first"},
    ],
)
def test_gradient_matches_finite_differences(options):
    # The definition in float64 at x ± h; h balances truncation and rounding.
    options = {"alpha": 1e-2, **options}
    x = images(2, 4, 4, 8, scale=10.0)
    upstream = images(*x.shape, scale=1.0)
    layer = LocalResponseNormalization(dtype="float64", **options)
    if keras.backend.backend() == "jax":
        pytest.importorskip("jax")
        layer = LocalResponseNormalization(**options)
        double, tolerance = x, 2e-2
    else:
        double, tolerance = x.astype("float64"), 1e-6
    _, gradient = value_and_gradient(layer, double, upstream)
    h = 1e-4 if double.dtype == np.float64 else 1e-1
    rng = np.random.default_rng(1)
    for index in rng.integers(x.size, size=12):
        step = np.zeros(x.size, double.dtype)
        step[index] = h
        step = step.reshape(x.shape)
        above = np.asarray(keras.ops.convert_to_numpy(layer(double + step)))
        below = np.asarray(keras.ops.convert_to_numpy(layer(double - step)))
        want = ((above - below).astype("float64") * upstream).sum() / (2 * h)
        assert gradient.flat[index] == pytest.approx(
            want, rel=tolerance, abs=tolerance
        )


def test_matches_tensorflow():
    tf = pytest.importorskip("tensorflow")
    x = images(2, 5, 5, 20)
    layer = LocalResponseNormalization(2.0, 5, 1e-4, 0.75)
    want = tf.nn.local_response_normalization(x, 2, 2.0, 1e-4, 0.75)
    np.testing.assert_allclose(layer(x), want, rtol=1e-5)


@needs_tensorflow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradient_matches_tensorflow(jit_compile):
    import tensorflow as tf

    x = tf.constant(images(2, 5, 5, 20))
    upstream = tf.constant(images(2, 5, 5, 20, scale=1.0))
    layer = LocalResponseNormalization(2.0, 5, 1e-3, 0.75)

    @tf.function(jit_compile=jit_compile)
    def ours(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return y, tape.gradient(y, x, upstream)

    with tf.GradientTape() as tape:
        tape.watch(x)
        want = tf.nn.local_response_normalization(x, 2, 2.0, 1e-3, 0.75)
    want_gradient = tape.gradient(want, x, upstream)
    y, gradient = ours(x)
    np.testing.assert_allclose(y, want, rtol=1e-5)
    np.testing.assert_allclose(gradient, want_gradient, rtol=1e-4, atol=1e-6)


@needs_tensorflow
def test_one_gradient_in_every_kind_of_graph():
    import tensorflow as tf

    layers = (
        LocalResponseNormalization(alpha=0.1),
        LocalResponseNormalization(alpha=0.1, beta=1.0),
    )

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            # The same shapes several times over in one graph.
            y = [layer(x) for layer in layers]
            loss = sum(tf.reduce_sum(v**3) for v in [*y, layers[1](y[0])])
        return tape.gradient(loss, x)

    x = tf.constant(images(3, 4, 5, 8, scale=1.0))
    want = gradient(x)
    unknown = tf.TensorSpec((None, None, None, 8))
    for options in (
        {},
        {"jit_compile": True},
        {"input_signature": [unknown]},
    ):
        got = tf.function(gradient, **options)(x)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
        assert tf.function(gradient, **options)(x[:0]).shape == (0, 4, 5, 8)


@needs_tensorflow
@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0.1},
        {"alpha": 0.1, "beta": 0.5, "groups": 4},
        {"alpha": 0.1, "beta": 1.0, "n": 4},
        {"alpha": 0.1, "n": 3, "region": "within_channel"},
        {"alpha": 0.1, "data_format": "channels_first"},
    ],
)
def test_training_is_compiled_and_agrees_with_inference(options):
    import tensorflow as tf

    layer = LocalResponseNormalization(**options)
    x = tf.constant(images(3, 32, 32, 8, scale=3.0))
    call = tf.function(layer, autograph=False)
    np.testing.assert_allclose(
        call(x, training=True), call(x, training=False), rtol=1e-5
    )
    assert call(x[:0], training=True).shape == (0, 32, 32, 8)
    compiled = {
        training: any(
            "_XlaMustCompile" in node.attr and node.attr["_XlaMustCompile"].b
            for node in call.get_concrete_function(x, training=training)
            .graph.as_graph_def()
            .node
        )
        for training in (True, False)
    }
    on_cpu = not tf.config.list_physical_devices("GPU")
    assert compiled == {True: on_cpu, False: False}


def test_matches_pytorch():
    torch = pytest.importorskip("torch", reason="PyTorch is a peer")
    x = images(2, 5, 5, 20)
    layer = LocalResponseNormalization(1.0, 5, 1e-2, 0.75, convention="mean")
    peer = torch.nn.LocalResponseNorm(5, 1e-2, 0.75, 1.0)
    want = peer(torch.tensor(x.transpose(0, 3, 1, 2))).numpy()
    np.testing.assert_allclose(layer(x), want.transpose(0, 2, 3, 1), rtol=1e-5)


@pytest.mark.parametrize("case_name", ["test_lrn", "test_lrn_default"])
def test_matches_the_onnx_backend_cases(case_name):
    pytest.importorskip("onnx", reason="ONNX is a peer")
    from onnx.backend.test.case.node import collect_testcases

    (case,) = [
        case for case in collect_testcases("LRN") if case.name == case_name
    ]
    attributes = {
        attribute.name: attribute.i or attribute.f
        for attribute in case.model.graph.node[0].attribute
    }
    (inputs, outputs), *_ = case.data_sets
    layer = LocalResponseNormalization(
        k=attributes.get("bias", 1.0),
        n=attributes["size"],
        alpha=attributes.get("alpha", 1e-4),
        beta=attributes.get("beta", 0.75),
        convention="mean",
        data_format="channels_first",
    )
    np.testing.assert_allclose(layer(inputs[0]), outputs[0], rtol=1e-5)


@needs_tensorflow
@pytest.mark.parametrize("wrap", ["eager", "function"])
@pytest.mark.parametrize(
    "options", [{}, {"n": 4}, {"region": "within_channel"}]
)
def test_second_derivative(wrap, options):
    import tensorflow as tf

    layer = LocalResponseNormalization(alpha=1e-2, dtype="float64", **options)

    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.sin(layer(x)))
        return tape.gradient(y, x)

    slope = tf.function(slope) if wrap == "function" else slope
    x = tf.constant(images(1, 3, 3, 6, scale=10.0), tf.float64)
    theory, numeric = tf.test.compute_gradient(slope, [x], delta=1e-5)
    assert np.abs(theory[0]).max() > 1e-3
    np.testing.assert_allclose(theory[0], numeric[0], atol=1e-8)


@needs_tensorflow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_every_dtype_runs_compiled_and_not(dtype, jit_compile):
    import tensorflow as tf

    layer = LocalResponseNormalization(dtype=dtype)
    x = tf.cast(images(2, 3, 3, 8), dtype)

    @tf.function(jit_compile=jit_compile)
    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return y, tape.gradient(y, x)

    y, gradient = run(x)
    assert y.dtype == gradient.dtype == dtype
    want = local_response_normalization(
        tf.cast(x, tf.float64), 2.0, 5, 1e-4, 0.75
    )
    digits = {"float16": 1e-3, "bfloat16": 1e-2, "float32": 1e-5}
    np.testing.assert_allclose(
        tf.cast(y, tf.float64), want, rtol=digits.get(dtype, 1e-12)
    )


@pytest.mark.parametrize("activation", [116.0, 257.0, 30_000.0])
def test_float16_neither_vanishes_nor_overflows(activation):
    # tf.nn's kernel gives 0 from 116 on and NaN from 257 on.
    x = np.full((1, 1, 1, 9), activation, "float16")
    y = LocalResponseNormalization(alpha=2e-5, dtype="float16")(x)
    want = local_response_normalization(x, 2.0, 5, 2e-5, 0.75)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(y).astype("float64"), want, rtol=1e-3
    )


def test_float64_is_computed_in_float64():
    if keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 by default")
    x = images(2, 3, 3, 8).astype("float64")
    y = LocalResponseNormalization(dtype="float64")(x)
    want = local_response_normalization(x, 2.0, 5, 1e-4, 0.75)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(y), want, rtol=1e-13)


@pytest.mark.parametrize("shape", [(2, 6), (2, 5, 6), (1, 2, 2, 2, 6)])
def test_any_rank(shape):
    x = images(*shape)
    want = local_response_normalization(x, 2.0, 5, 1e-4, 0.75)
    np.testing.assert_allclose(LocalResponseNormalization()(x), want, rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"k": 1.0, "n": 3, "alpha": 1.0, "convention": "mean", "groups": 2},
        {"region": "within_channel", "data_format": "channels_first"},
    ],
)
def test_layer_contract(options, tmp_path):
    check_layer(
        LocalResponseNormalization, options, images(2, 4, 4, 6), tmp_path
    )


@needs_tensorflow
def test_keras_own_layer_test():
    from keras.src.testing import TestCase

    TestCase().run_layer_test(
        LocalResponseNormalization,
        init_kwargs={"n": 3, "groups": 2},
        input_shape=(2, 3, 3, 4),
        expected_output_shape=(2, 3, 3, 4),
        expected_num_trainable_weights=0,
        supports_masking=True,
    )


def test_unknown_image_size():
    layer = LocalResponseNormalization(n=3)
    inputs = keras.Input((None, None, 6))
    model = keras.Model(inputs, layer(inputs))
    x = images(2, 3, 5, 6)
    np.testing.assert_allclose(model(x), layer(x), rtol=1e-6)


def test_whole_numbers_count_as_integers():
    x = images(2, 3, 5, 6)
    np.testing.assert_array_equal(
        *(
            keras.ops.convert_to_numpy(LocalResponseNormalization(n=n)(x))
            for n in (5, 5.0)
        )
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"k": 0.0}, "`k` must be positive. Received: k=0.0"),
        ({"beta": -0.75}, "`beta` must be positive. Received: beta=-0.75"),
        ({"alpha": -1.0}, "`alpha` must be 0 or more. Received: alpha=-1.0"),
        ({"alpha": float("nan")}, "`alpha` must be 0 or more. .* alpha=nan"),
        ({"n": 0}, "`n` must be an integer, 1 or more. Received: n=0"),
        ({"n": 2.5}, "`n` must be an integer, 1 or more. Received: n=2.5"),
        ({"groups": 0}, "`groups` must be an integer, 1 or more."),
        ({"convention": "avg"}, "`convention` must be one of .*'avg'"),
        ({"region": "all"}, "`region` must be one of .* Received: .*'all'"),
        ({"data_format": "nhwc"}, "`data_format` must be one of .*'nhwc'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        LocalResponseNormalization(**arguments)


@pytest.mark.parametrize(
    "arguments, shape, message",
    [
        (
            {"groups": 4},
            (1, 6),
            "divisible by `groups`. .*channels=6, groups=4",
        ),
        ({"region": "within_channel"}, (1, 6), "inputs of rank 4"),
        ({}, (6,), "a batch and a channel axis"),
        ({}, (None, 4, 4, None), "channel axis of the inputs must be known"),
    ],
)
def test_bad_shapes(arguments, shape, message):
    with pytest.raises(ValueError, match=message):
        LocalResponseNormalization(**arguments).build(shape)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="about TensorFlow's XLA"
)
def test_tensorflow_still_tells_whether_it_compiles():
    import tensorflow as tf

    from keras_alexnet.layers.local_response_normalization import _inside_xla

    def told(jit_compile):
        seen = []

        @tf.function(jit_compile=jit_compile)
        def traced(x):
            seen.append(_inside_xla())
            return x

        traced(tf.constant(1.0))
        return seen[0]

    assert (told(False), told(True)) == (False, True), (
        "TensorFlow changed control_flow_util.GraphOrParentsInXlaContext"
    )
