import keras
import numpy as np
import pytest

from keras_alexnet.training import AlexNetSGD

SHAPES = {
    "conv1/kernel": (3, 3, 2, 4),
    "conv1/bias": (4,),
    "bn/gamma": (4,),
    "bn/beta": (4,),
    "fc8/kernel": (5, 3),
    "fc8/bias": (3,),
}


def make_variables(rng):
    variables = {}
    for path, shape in SHAPES.items():
        layer, name = path.split("/")
        with keras.name_scope(layer):
            variables[path] = keras.Variable(
                rng.standard_normal(shape).astype("float32"), name=name
            )
    assert [v.path for v in variables.values()] == list(SHAPES)
    return variables


def make_gradients(rng):
    return {
        path: rng.standard_normal(shape).astype("float32")
        for path, shape in SHAPES.items()
    }


def numpy_step(w, v, g, rate, momentum, decay):
    """src/weights.cu:146-198; in place, in float64."""
    if rate > 0:
        v[...] = momentum * v + rate * -g
        v[...] += -decay * rate * w
        w[...] += v


def rates(path, rate, bias_multiplier, multipliers):
    """Rate and decay of a variable, by the rules of 2012."""
    layer, name = path.split("/")
    is_bias = name in ("bias", "beta")
    factor = bias_multiplier if is_bias else 1.0
    return rate * factor * multipliers.get(layer, 1.0), name == "kernel"


def numpy_of(variable):
    return keras.ops.convert_to_numpy(variable)


def apply(optimizer, gradients, variables):
    optimizer.apply(
        [keras.ops.convert_to_tensor(g) for g in gradients.values()],
        list(variables.values()),
    )


@pytest.mark.parametrize(
    "momentum, decay, bias_multiplier, multipliers",
    [
        (0.9, 5e-4, 2.0, {}),
        (0.9, 0.1, 2.0, {"conv1": 0.1, "fc8": 10.0}),
        (0.5, 0.1, 1.0, {"conv1": 0.0}),
        (0.9, 0.0, 2.0, {}),
        (0.0, 0.1, 2.0, {"fc8": 0.0}),
    ],
)
def test_matches_the_definition(momentum, decay, bias_multiplier, multipliers):
    rng = np.random.default_rng(0)
    variables = make_variables(rng)
    w = {k: numpy_of(v).astype("float64") for k, v in variables.items()}
    v = {path: np.zeros_like(value) for path, value in w.items()}
    optimizer = AlexNetSGD(
        0.01, momentum, decay, bias_multiplier, multipliers or None
    )
    for _ in range(6):
        gradients = make_gradients(rng)
        apply(optimizer, gradients, variables)
        for path, gradient in gradients.items():
            rate, decays = rates(path, 0.01, bias_multiplier, multipliers)
            numpy_step(
                w[path], v[path], gradient, rate, momentum, decay * decays
            )
    for index, path in enumerate(w):
        np.testing.assert_allclose(
            numpy_of(variables[path]), w[path], rtol=2e-6, atol=2e-6
        )
        np.testing.assert_allclose(
            numpy_of(optimizer.momentums[index]), v[path], rtol=1e-5, atol=1e-7
        )


def test_two_steps_by_hand():
    with keras.name_scope("fc8"):
        variables = {"w": keras.Variable([1.0], name="kernel")}
    optimizer = AlexNetSGD(0.1, momentum=0.5, weight_decay=0.5)
    # v = -0.1 * 0.5 * 1 - 0.1 * 1 = -0.15; w = 0.85.
    apply(optimizer, {"w": np.ones(1, "float32")}, variables)
    assert numpy_of(variables["w"])[0] == pytest.approx(0.85)
    # v = -0.075 - 0.0425 - 0.1 = -0.2175; w = 0.6325.
    apply(optimizer, {"w": np.ones(1, "float32")}, variables)
    assert numpy_of(variables["w"])[0] == pytest.approx(0.6325)


def test_a_layer_may_have_a_decay_of_its_own():
    rng = np.random.default_rng(0)
    variables = make_variables(rng)
    w = {path: numpy_of(v).astype("float64") for path, v in variables.items()}
    v = {path: np.zeros(shape) for path, shape in SHAPES.items()}
    optimizer = AlexNetSGD(
        0.1, weight_decay=0.5, weight_decays={"conv1": 0.25, "fc8": 0.0}
    )
    assert AlexNetSGD.from_config(optimizer.get_config()).weight_decays == {
        "conv1": 0.25,
        "fc8": 0.0,
    }
    for _ in range(2):
        gradients = make_gradients(rng)
        apply(optimizer, gradients, variables)
        for path in SHAPES:
            rate, decays = rates(path, 0.1, 2.0, {})
            decay = {"conv1/kernel": 0.25}.get(path, 0.0) if decays else 0.0
            numpy_step(w[path], v[path], gradients[path], rate, 0.9, decay)
    for path, variable in variables.items():
        np.testing.assert_allclose(numpy_of(variable), w[path], rtol=1e-5)


def test_other_layers_keep_the_common_decay():
    with keras.name_scope("conv2"):
        variables = {"w": keras.Variable([1.0], name="kernel")}
    with keras.name_scope("fc8"):
        variables["v"] = keras.Variable([1.0], name="kernel")
    optimizer = AlexNetSGD(
        0.1, momentum=0.0, weight_decay=0.5, weight_decays={"fc8": 1.0}
    )
    gradients = {name: np.zeros(1, "float32") for name in variables}
    apply(optimizer, gradients, variables)
    assert numpy_of(variables["w"])[0] == pytest.approx(0.95)
    assert numpy_of(variables["v"])[0] == pytest.approx(0.9)


def test_a_frozen_layer_keeps_weights_and_velocity():
    rng = np.random.default_rng(0)
    variables = make_variables(rng)
    optimizer = AlexNetSGD(weight_decay=0.1)
    apply(optimizer, make_gradients(rng), variables)
    optimizer.set_multiplier("conv1", 0.0)
    before = [numpy_of(v).copy() for v in variables.values()]
    velocity = [numpy_of(v).copy() for v in optimizer.momentums]
    for _ in range(3):
        apply(optimizer, make_gradients(rng), variables)
    for index, path in enumerate(variables):
        frozen = path.startswith("conv1")
        now = numpy_of(variables[path])
        assert np.array_equal(now, before[index]) == frozen
        now = numpy_of(optimizer.momentums[index])
        assert np.array_equal(now, velocity[index]) == frozen


def make_model(**kwargs):
    inputs = keras.Input((5,))
    x = keras.layers.Dense(8, activation="relu", name="fc7", **kwargs)(inputs)
    x = keras.layers.Dense(3, name="fc8", **kwargs)(x)
    return keras.Model(inputs, x)


def make_batch():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((32, 5)).astype("float32")
    return x, rng.integers(3, size=32)


def loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def train(model, optimizer, steps=4, run_eagerly=True, jit_compile="auto"):
    model.compile(
        optimizer, loss(), run_eagerly=run_eagerly, jit_compile=jit_compile
    )
    x, y = make_batch()
    model.fit(x, y, batch_size=32, epochs=steps, shuffle=False, verbose=0)
    return [w.copy() for w in model.get_weights()]


def test_equals_keras_sgd_with_a_penalty():
    # Half the decay as an L2 penalty is the same rule, but for the biases.
    penalty = keras.regularizers.L2(0.05)
    model = make_model(kernel_regularizer=penalty)
    start = model.get_weights()
    want = train(model, keras.optimizers.SGD(0.1, momentum=0.9))
    model = make_model()
    model.set_weights(start)
    optimizer = AlexNetSGD(0.1, weight_decay=0.1, bias_multiplier=1.0)
    got = train(model, optimizer)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_multipliers_change_a_compiled_step_without_compiling_it_anew():
    traces = []

    class Counted(keras.layers.Layer):
        def call(self, x):
            traces.append(x)
            return x

    inputs = keras.Input((5,))
    hidden = keras.layers.Dense(8, name="fc7")(Counted()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, name="fc8")(hidden))
    optimizer = AlexNetSGD(0.1, multipliers={"fc8": 10})
    train(model, optimizer, steps=1, run_eagerly=False)
    compiled = len(traces)
    model.optimizer.set_multiplier("fc7", 0.0)
    model.optimizer.bias_multiplier = 0.0
    before = [w.copy() for w in model.get_weights()]
    model.fit(*make_batch(), batch_size=32, verbose=0)
    if keras.backend.backend() != "torch":
        assert len(traces) == compiled
    moved = [
        not np.array_equal(a, b)
        for a, b in zip(before, model.get_weights(), strict=True)
    ]
    assert moved == [False, False, True, False]


def test_the_most_specific_multiplier_counts():
    rng = np.random.default_rng(0)
    with keras.name_scope("backbone"):
        variables = make_variables_in_scope(rng)
    optimizer = AlexNetSGD(multipliers={"backbone": 0.1, "conv1": 3, "bn": 2})
    optimizer.build(variables)
    want = {"conv1": 0.1, "bn": 0.1, "fc8": 0.1}
    assert optimizer.multipliers == pytest.approx(want)
    optimizer = AlexNetSGD(
        multipliers={"backbone": 0.1, "backbone/conv1": 3, "backbone/bn": 2}
    )
    optimizer.build(variables)
    want = {"conv1": 3, "bn": 2, "fc8": 0.1}
    assert optimizer.multipliers == pytest.approx(want)
    optimizer.set_multiplier("backbone", 0.5)
    assert set(optimizer.multipliers.values()) == {0.5}


def make_variables_in_scope(rng):
    variables = []
    for path, shape in SHAPES.items():
        layer, name = path.split("/")
        with keras.name_scope(layer):
            value = rng.standard_normal(shape).astype("float32")
            variables.append(keras.Variable(value, name=name))
    assert variables[0].path == "backbone/conv1/kernel"
    return variables


def test_gradient_accumulation_takes_the_mean_gradient():
    rng = np.random.default_rng(0)
    start, gradients = make_variables(rng), make_gradients(rng)
    more = make_gradients(rng)
    once, twice = AlexNetSGD(), AlexNetSGD(gradient_accumulation_steps=2)
    copies = make_variables(np.random.default_rng(0))
    for _ in range(2):
        mean = {path: (gradients[path] + more[path]) / 2 for path in more}
        apply(once, mean, start)
        apply(twice, gradients, copies)
        apply(twice, more, copies)
    for path in start:
        np.testing.assert_allclose(
            numpy_of(copies[path]), numpy_of(start[path]), rtol=1e-5, atol=1e-6
        )


def test_moving_average_of_the_weights():
    rng = np.random.default_rng(0)
    variables = make_variables(rng)
    optimizer = AlexNetSGD(0.1, use_ema=True, ema_momentum=0.5)
    apply(optimizer, make_gradients(rng), variables)
    first = numpy_of(variables["fc8/kernel"]).copy()
    apply(optimizer, make_gradients(rng), variables)
    second = numpy_of(variables["fc8/kernel"]).copy()
    optimizer.finalize_variable_values(list(variables.values()))
    np.testing.assert_allclose(
        numpy_of(variables["fc8/kernel"]), (first + second) / 2, rtol=1e-5
    )


@pytest.mark.parametrize(
    "clipping", [{"clipnorm": 0.1}, {"global_clipnorm": 0.1}]
)
def test_clipping_is_of_the_gradient_not_of_the_decay(clipping):
    rng = np.random.default_rng(0)
    variables, gradients = make_variables(rng), make_gradients(rng)
    before = {path: numpy_of(v).copy() for path, v in variables.items()}
    apply(AlexNetSGD(1.0, weight_decay=0.5, **clipping), gradients, variables)
    squares = {path: (g**2).sum() for path, g in gradients.items()}
    for path in ("conv1/kernel", "fc8/kernel"):
        square = squares[path]
        if "global_clipnorm" in clipping:
            square = sum(squares.values())
        clipped = 0.1 * gradients[path] / np.sqrt(square)
        np.testing.assert_allclose(
            numpy_of(variables[path]),
            0.5 * before[path] - clipped,
            rtol=1e-5,
            atol=1e-6,
        )


def test_loss_scale_is_undone():
    rng = np.random.default_rng(0)
    a, gradients = make_variables(rng), make_gradients(rng)
    b = make_variables(np.random.default_rng(0))
    apply(AlexNetSGD(), gradients, a)
    scaled = {path: 8 * g for path, g in gradients.items()}
    apply(AlexNetSGD(loss_scale_factor=8.0), scaled, b)
    for path in a:
        np.testing.assert_allclose(
            numpy_of(a[path]), numpy_of(b[path]), rtol=1e-6
        )


@pytest.fixture
def mixed_float16():
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def test_trains_in_float16_and_skips_what_is_not_finite(mixed_float16):
    model = make_model()
    weights = train(model, AlexNetSGD(0.1))
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    x, y = make_batch()
    model.fit(x * np.inf, y, batch_size=32, verbose=0)
    scale = float(numpy_of(model.optimizer.dynamic_scale))
    assert scale == model.optimizer.initial_scale / 2
    for a, b in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_learning_rate_schedule_counts_steps():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [1], [0.1, 0.0]
    )
    model = make_model()
    first = train(model, AlexNetSGD(schedule), steps=2)
    model.fit(*make_batch(), batch_size=32, epochs=3, verbose=0)
    for a, b in zip(first, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_excluded_variables_do_not_decay():
    rng = np.random.default_rng(0)
    variables = make_variables(rng)
    before = numpy_of(variables["conv1/kernel"]).copy()
    optimizer = AlexNetSGD(weight_decay=0.5)
    optimizer.exclude_from_weight_decay([variables["conv1/kernel"]])
    zeros = {path: np.zeros(shape, "f") for path, shape in SHAPES.items()}
    apply(optimizer, zeros, variables)
    now = numpy_of(variables["conv1/kernel"])
    np.testing.assert_array_equal(now, before)


def test_config_tells_all():
    optimizer = AlexNetSGD(
        0.25, 0.5, 0.125, 4.0, {"fc7": 2.0, "fc8": 0.0}, clipnorm=1.0
    )
    model = make_model()
    model.compile(optimizer, loss())
    unbuilt = optimizer.get_config()
    optimizer.build(model.trainable_variables)
    assert optimizer.get_config() == unbuilt
    assert unbuilt["multipliers"] == {"fc7": 2.0, "fc8": 0.0}
    copy = AlexNetSGD.from_config(unbuilt)
    copy.build(model.trainable_variables)
    assert copy.get_config() == unbuilt
    optimizer.set_multiplier("fc8", 1.0)
    optimizer.bias_multiplier = 8.0
    changed = optimizer.get_config()
    assert changed["multipliers"] == {"fc7": 2.0}
    assert changed["bias_multiplier"] == 8.0
    assert changed["weight_decay"] == 0.125


def test_a_saved_model_trains_on_as_before(tmp_path):
    model = make_model()
    train(model, AlexNetSGD(0.1, multipliers={"fc8": 2.0}))
    model.optimizer.set_multiplier("fc7", 0.5)
    model.optimizer.bias_multiplier = 3.0
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.multipliers == {"fc7": 0.5, "fc8": 2.0}
    assert loaded.optimizer.bias_multiplier == 3.0
    for each in (model, loaded):
        each.fit(*make_batch(), batch_size=32, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"momentum": 1.0}, "`momentum` must be at least 0 .* momentum=1.0"),
        ({"weight_decay": -1}, "`weight_decay` must not be negative"),
        ({"bias_multiplier": -2}, "`bias_multiplier` must not be negative"),
        ({"multipliers": {"fc8": -1}}, "`fc8` must not be neg.*: fc8=-1"),
        ({"weight_decays": {"fc8": -1}}, "`fc8` must not be neg.*: fc8=-1"),
        ({"learning_rate": "fast"}, "`learning_rate` should be float"),
    ],
)
def test_arguments_are_checked(arguments, match):
    with pytest.raises(ValueError, match=match):
        AlexNetSGD(**arguments)


def test_unknown_layers_are_named():
    model = make_model()
    optimizer = AlexNetSGD(multipliers={"fc9": 0.1})
    with pytest.raises(ValueError, match=r"\['fc7', 'fc8'\].*'fc9'"):
        optimizer.build(model.trainable_variables)
    optimizer = AlexNetSGD(weight_decays={"fc9": 0.1})
    with pytest.raises(ValueError, match="`weight_decays` must name .*'fc9'"):
        optimizer.build(model.trainable_variables)
    optimizer = AlexNetSGD()
    optimizer.build(model.trainable_variables)
    with pytest.raises(ValueError, match=r"\['fc7', 'fc8'\].*'conv'"):
        optimizer.set_multiplier("conv", 0.1)
    with pytest.raises(ValueError, match="`bias_multiplier` must not"):
        optimizer.bias_multiplier = -1.0


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_other_dtypes_of_the_weights(dtype):
    if (keras.backend.backend(), dtype) == ("jax", "float64"):
        pytest.skip("JAX has no float64 by default")
    with keras.name_scope("fc8"):
        variable = keras.Variable(np.ones(4), dtype=dtype, name="kernel")
    optimizer = AlexNetSGD(0.5, weight_decay=0.5)
    for _ in range(2):
        gradient = keras.ops.ones((4,), dtype=dtype)
        optimizer.apply([gradient], [variable])
    # v: -0.75, then -0.675 - 0.0625 - 0.5.
    got = numpy_of(variable).astype("float64")
    np.testing.assert_allclose(got, 0.25 - 1.2375, rtol=1e-2)


tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="about TensorFlow"
)


@tensorflow_only
@pytest.mark.parametrize(
    "compiled", [{}, {"jit_compile": True}], ids=["graph", "XLA"]
)
def test_every_way_of_running_agrees(compiled):
    model = make_model()
    start = model.get_weights()
    want = train(model, AlexNetSGD(0.1, multipliers={"fc7": 0.0}))
    model.set_weights(start)
    got = train(
        model, AlexNetSGD(0.1, multipliers={"fc7": 0.0}), 4, False, **compiled
    )
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


@tensorflow_only
def test_the_update_that_compilers_fuse_agrees(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = make_variables(rng), make_variables(np.random.default_rng(0))
    in_place, fused = AlexNetSGD(), AlexNetSGD()
    gradients = [make_gradients(rng) for _ in range(4)]
    for each in gradients:
        apply(in_place, each, a)
    monkeypatch.setattr(AlexNetSGD, "_update_in_place", AlexNetSGD._update)
    for each in gradients:
        apply(fused, each, b)
    for path in a:
        np.testing.assert_allclose(
            numpy_of(a[path]), numpy_of(b[path]), rtol=1e-6, atol=1e-7
        )


@tensorflow_only
def test_replicas_agree_with_one_device():
    import tensorflow as tf

    model = make_model()
    start = model.get_weights()
    want = train(model, AlexNetSGD(0.1, multipliers={"fc7": 0.5}))
    # Collectives of two strategies in one process can be mixed up.
    strategy = tf.distribute.MirroredStrategy(
        ["/CPU:0", "/CPU:1"], tf.distribute.ReductionToOneDevice()
    )
    with strategy.scope():
        model = make_model()
        model.set_weights(start)
        optimizer = AlexNetSGD(0.1, multipliers={"fc7": 0.5})
        got = train(model, optimizer, run_eagerly=False)
        optimizer.set_multiplier("fc7", 0.0)
        model.fit(*make_batch(), batch_size=32, verbose=0)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    frozen = model.get_weights()[0]
    np.testing.assert_array_equal(frozen, got[0])


@tensorflow_only
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sparse_gradients(momentum):
    import tensorflow as tf

    with keras.name_scope("embedding"):
        variable = keras.Variable(np.ones((4, 2)), name="embeddings")
    rows = tf.IndexedSlices(tf.ones((1, 2)), tf.constant([2]), (4, 2))
    optimizer = AlexNetSGD(0.1, momentum, weight_decay=0.0)
    optimizer.apply([rows], [variable])
    want = np.ones((4, 2))
    want[2] = 0.9
    np.testing.assert_allclose(numpy_of(variable), want, rtol=1e-6)
