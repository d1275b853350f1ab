import keras
import numpy as np
import pytest
from checks import check_layer

from keras_alexnet.layers import PCAColorAugmentation
from keras_alexnet.layers.pca_color_augmentation import EIGENVECTORS_2012
from keras_alexnet.layers.pca_color_augmentation import MEAN_COLOR_2012
from keras_alexnet.layers.pca_color_augmentation import STDS_2012

V = np.array(EIGENVECTORS_2012)
# A covariance with no symmetry to hide a transposed or reordered matrix.
ROTATION, _ = np.linalg.qr([[1.0, 2.0, 0.5], [0.2, 1.0, 3.0], [4.0, 0.1, 1]])


def array(tensor):
    return keras.ops.convert_to_numpy(tensor)


def noise_of(layer, count=20_000, base=100.0):
    """The noise of many images of one pixel, shape (count, 3)."""
    x = np.full((count, 1, 1, 3), base, "float32")
    return (array(layer(x, training=True)) - x).reshape(count, 3)


def test_layer(tmp_path):
    x = np.random.default_rng(0).uniform(0, 255, (2, 3, 4, 3))
    check_layer(PCAColorAugmentation, {"sigma": 0.0}, x, tmp_path)


@pytest.mark.parametrize(
    "sigma, want", [(0.1, (1.97, 3.71, 12.18)), (0.2, (3.94, 7.42, 24.36))]
)
def test_noise_has_the_grey_levels_of_the_2012_code(sigma, want):
    noise = noise_of(PCAColorAugmentation(sigma, seed=0))
    along = (noise @ V).std(axis=0)
    np.testing.assert_allclose(along, want, rtol=0.03)


@pytest.mark.parametrize("scale", ["std", "eigenvalue"])
def test_unit_of_the_pixels_does_not_matter(scale):
    noise = noise_of(PCAColorAugmentation(scale=scale, seed=0))
    unit = PCAColorAugmentation(scale=scale, value_range=(0, 1), seed=0)
    np.testing.assert_allclose(noise_of(unit, base=0.5), noise / 255, atol=1e-6)
    signed = PCAColorAugmentation(scale=scale, value_range=(-1, 1), seed=0)
    np.testing.assert_allclose(
        noise_of(signed, base=0.0), noise / 127.5, atol=1e-6
    )


def test_eigenvalue_scale_uses_variances_of_unit_pixels():
    # fb.resnet.torch's constants, variances in [0, 1]^2, PC1 to PC3: its
    # noise is 5.55, 0.48 and 0.115 grey levels.
    variances = np.array([0.2175, 0.0188, 0.0045])
    layer = PCAColorAugmentation(
        eigenvectors=np.eye(3),
        stds=255 * np.sqrt(variances),
        scale="eigenvalue",
        seed=0,
    )
    np.testing.assert_allclose(
        noise_of(layer).std(axis=0), [5.55, 0.48, 0.115], rtol=0.03
    )


def test_eigenvectors_are_columns():
    stds = np.array([1.0, 10.0, 50.0])
    layer = PCAColorAugmentation(1.0, eigenvectors=ROTATION, stds=stds, seed=0)
    got = np.cov(noise_of(layer).T)
    want = ROTATION @ np.diag(stds**2) @ ROTATION.T
    transposed = ROTATION.T @ np.diag(stds**2) @ ROTATION
    assert np.abs(got - want).max() < 0.05 * np.abs(want).max()
    assert np.abs(got - transposed).max() > 0.3 * np.abs(want).max()


def test_bgr_gets_the_same_noise_reversed():
    rgb = noise_of(PCAColorAugmentation(seed=0), 100)
    bgr = noise_of(PCAColorAugmentation(channel_order="bgr", seed=0), 100)
    np.testing.assert_allclose(bgr, rgb[:, ::-1], rtol=1e-4, atol=1e-4)
    assert np.abs(bgr - rgb).max() > 1
    layer = PCAColorAugmentation(channel_order="bgr")
    np.testing.assert_allclose(layer.center, MEAN_COLOR_2012[::-1])


def test_alpha_is_normal_not_uniform():
    along = noise_of(PCAColorAugmentation(seed=0)) @ V[:, 2]
    along /= along.std()
    assert abs(along.mean()) < 0.03
    # Fourth moment: 3 if normal, 1.8 if uniform.
    assert (along**4).mean() == pytest.approx(3, abs=0.2)
    assert np.abs(along).max() > 3


@pytest.mark.parametrize("value", [0, 255])
def test_uint8_neither_wraps_nor_clips(value):
    x = np.full((200, 1, 1, 3), value, "uint8")
    layer = PCAColorAugmentation(seed=0)
    y = layer(x)
    assert keras.backend.standardize_dtype(y.dtype) == "float32"
    y = array(y)
    np.testing.assert_allclose(
        y,
        value + noise_of(PCAColorAugmentation(seed=0), 200)[:, None, None],
        atol=1e-4,
    )
    assert y.min() < value < y.max()
    assert np.abs(y - value).max() < 100


def test_noise_does_not_depend_on_the_image():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 255, (5, 4, 4, 3)).astype("float32")
    x[1:] = x[1:] * 0.1 + 100
    noise = array(PCAColorAugmentation(seed=3)(x)) - x
    want = noise_of(PCAColorAugmentation(seed=3), 5)
    np.testing.assert_allclose(
        noise, np.broadcast_to(want[:, None, None], x.shape), atol=1e-4
    )
    assert len(np.unique(want[:, 0])) == 5, "one draw per image"


def test_seed_makes_the_sequence():
    first, second = (PCAColorAugmentation(seed=7) for _ in range(2))
    for _ in range(2):
        np.testing.assert_array_equal(noise_of(first, 4), noise_of(second, 4))
    assert np.abs(noise_of(first, 4) - noise_of(first, 4)).max() > 0.01
    other = PCAColorAugmentation(seed=8)
    assert (
        np.abs(
            noise_of(PCAColorAugmentation(seed=7), 4) - noise_of(other, 4)
        ).max()
        > 0.01
    )


def test_division_is_about_the_center():
    x = np.random.default_rng(0).uniform(0, 255, (3, 2, 2, 3)).astype("float32")
    noisy = array(PCAColorAugmentation(seed=0)(x))
    mean = np.array(MEAN_COLOR_2012)
    divided = array(PCAColorAugmentation(divide=True, seed=0)(x))
    np.testing.assert_allclose(divided, mean + (noisy - mean) / 1.1, rtol=1e-5)
    # The 2012 code: centered images, x += 0.1 * noise, x /= 1.1.
    centered = PCAColorAugmentation(divide=True, center=0, seed=0)
    np.testing.assert_allclose(
        array(centered((x - mean).astype("float32"))), divided - mean, atol=1e-3
    )


def test_sigma_of_the_call_takes_the_place_of_the_layers():
    x = np.full((4, 2, 2, 3), 60.0, "float32")
    base = noise_of(PCAColorAugmentation(0.1, seed=0), 4, 60.0)
    layer = PCAColorAugmentation(0.3, divide=True, seed=0)
    np.testing.assert_array_equal(array(layer(x, sigma=0.0)), x)
    layer = PCAColorAugmentation(0.3, seed=0)
    noise = array(layer(x, sigma=0.2)) - x
    np.testing.assert_allclose(noise[:, 0, 0], 2 * base, atol=1e-4)


def test_identity_outside_training():
    x = np.random.default_rng(0).integers(0, 256, (2, 3, 3, 3), "uint8")
    inputs = keras.Input((3, 3, 3), dtype="uint8")
    model = keras.Model(inputs, PCAColorAugmentation(divide=True)(inputs))
    model.compile(loss="mae")
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
    np.testing.assert_array_equal(array(model(x, training=False)), x)
    assert model.evaluate(x, x.astype("float32"), verbose=0) == 0
    assert np.abs(array(model(x, training=True)) - x).max() > 0.1


def test_noise_in_fit():
    x = np.full((8, 3, 3, 3), 50.0, "float32")
    model = keras.Sequential(
        [keras.Input((3, 3, 3)), PCAColorAugmentation(seed=0)]
    )
    model.compile(loss="mae")
    history = model.fit(x, x, verbose=0, batch_size=8)
    assert 1 < history.history["loss"][0] < 30


def test_data_formats():
    x = np.random.default_rng(0).uniform(0, 255, (2, 4, 5, 3)).astype("float32")
    last = PCAColorAugmentation(
        divide=True, data_format="channels_last", seed=0
    )
    first = PCAColorAugmentation(
        divide=True, data_format="channels_first", seed=0
    )
    y = array(first(x.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(y.transpose(0, 2, 3, 1), array(last(x)))
    assert array(first(x[0].transpose(2, 0, 1))).shape == (3, 4, 5)


@pytest.mark.parametrize(
    "dtype, want",
    [
        (None, "float32"),
        ("float64", "float64"),
        ("mixed_float16", "float16"),
        ("mixed_bfloat16", "bfloat16"),
    ],
)
def test_dtypes(dtype, want):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless it is switched on")
    arguments = {} if dtype is None else {"dtype": dtype}
    x = np.full((2, 1, 1, 3), 200.3, "float32")
    y = PCAColorAugmentation(seed=0, **arguments)(x)
    assert keras.backend.standardize_dtype(y.dtype) == want
    # Rounded once, at the end.
    y = array(keras.ops.cast(y, "float32"))
    exact = array(PCAColorAugmentation(seed=0)(x))
    if want != "float64":
        rounded = keras.ops.cast(keras.ops.cast(exact, want), "float32")
        np.testing.assert_array_equal(y, array(rounded))


def test_global_policy_does_not_round_pixels():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        y = PCAColorAugmentation()(np.zeros((1, 2, 2, 3), "float32"))
    finally:
        keras.config.set_dtype_policy("float32")
    assert keras.backend.standardize_dtype(y.dtype) == "float32"


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_in_tf_data(dtype):
    tf = pytest.importorskip("tensorflow")
    x = np.full((6, 2, 2, 3), 250, dtype)
    layer = PCAColorAugmentation(seed=0)
    images = tf.data.Dataset.from_tensor_slices(x)
    single = np.stack(list(images.map(layer).as_numpy_iterator()))
    batched = next(images.batch(6).map(layer).as_numpy_iterator())
    for y in (single, batched):
        assert y.shape == x.shape and y.dtype == "float32"
        noise = y - x.astype("float32")
        assert np.ptp(noise, axis=(1, 2)).max() < 1e-4, "one draw per image"
        assert len(np.unique(noise[:, 0, 0, 0])) == 6
        assert np.abs(noise).max() < 100
    off = images.map(lambda image: layer(image, training=False))
    np.testing.assert_array_equal(list(off.as_numpy_iterator()), x)


def test_seed_of_the_call_is_reproducible_in_a_parallel_map():
    tf = pytest.importorskip("tensorflow")
    layer = PCAColorAugmentation()
    x = np.full((2, 2, 3), 100.0, "float32")

    def noisy(i):
        return layer(x + tf.zeros_like(x), seed=tf.stack([i, i + 1]))

    runs = [
        list(
            tf.data.Dataset.range(20)
            .map(noisy, num_parallel_calls=parallel)
            .as_numpy_iterator()
        )
        for parallel in (1, 4, 4)
    ]
    np.testing.assert_array_equal(runs[0], runs[1])
    np.testing.assert_array_equal(runs[1], runs[2])
    assert len(np.unique(np.array(runs[0])[:, 0, 0, 0])) == 20


@pytest.mark.parametrize("jit", [False, True])
def test_in_tf_function(jit):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.function is TensorFlow's")
    import tensorflow as tf

    layer = PCAColorAugmentation(seed=0)
    compiled = tf.function(lambda x: layer(x), jit_compile=jit)
    x = np.full((300, 2, 2, 3), 90.0, "float32")
    noise = [compiled(x).numpy() - x for _ in range(2)]
    assert np.ptp(noise[0], axis=(1, 2)).max() < 1e-4, "one draw per image"
    assert np.abs(noise[0] - noise[1]).max() > 1, "another draw per call"
    along = (noise[0][:, 0, 0] @ V).std(axis=0)
    np.testing.assert_allclose(along, (1.97, 3.71, 12.18), rtol=0.15)


def pixels(count=40, size=6, offset=0.0):
    rng = np.random.default_rng(1)
    mixed = rng.normal(size=(count, size, size, 3)) @ [
        [9.0, 3.0, 1.0],
        [0.0, 20.0, 4.0],
        [1.0, 0.0, 40.0],
    ]
    # Images differ in color: the mean of their covariances is another.
    return mixed + rng.uniform(0, 90, (count, 1, 1, 3)) + offset


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("batch", [1, 7, 40])
def test_adapt_equals_numpy(batch, offset):
    x = pixels(offset=offset)
    layer = PCAColorAugmentation()
    layer.adapt(x[i : i + batch] for i in range(0, len(x), batch))
    want = np.cov(x.reshape(-1, 3).T, bias=True)
    got = layer.eigenvectors @ np.diag(layer.stds**2) @ layer.eigenvectors.T
    np.testing.assert_allclose(got, want, rtol=1e-6)
    np.testing.assert_allclose(layer.center, x.mean(axis=(0, 1, 2)))
    per_image = np.mean(
        [np.cov(image.reshape(-1, 3).T, bias=True) for image in x], axis=0
    )
    assert np.abs(per_image - want).max() > 0.1 * want.max()


def test_adapt_takes_arrays_datasets_and_single_images():
    tf = pytest.importorskip("tensorflow")
    x = np.clip(pixels() + 100, 0, 255).astype("uint8")
    layers = [PCAColorAugmentation() for _ in range(5)]
    layers[0].adapt(x)
    images = tf.data.Dataset.from_tensor_slices((x, np.zeros(len(x))))
    layers[1].adapt(images.batch(16))
    layers[2].adapt(images)
    layers[3].adapt(list(x))
    layers[4].data_format = "channels_first"
    layers[4].adapt(x.transpose(0, 3, 1, 2))
    for layer in layers[1:]:
        np.testing.assert_allclose(layer.stds, layers[0].stds)
        np.testing.assert_allclose(
            layer.eigenvectors, layers[0].eigenvectors, atol=1e-9
        )


def test_what_adapt_found_is_saved(tmp_path):
    layer = PCAColorAugmentation(divide=True, seed=5)
    layer.adapt(pixels())
    model = keras.Sequential([keras.Input((4, 4, 3)), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").layers[0]
    np.testing.assert_array_equal(loaded.eigenvectors, layer.eigenvectors)
    np.testing.assert_array_equal(loaded.stds, layer.stds)
    np.testing.assert_array_equal(loaded.center, layer.center)
    fresh = PCAColorAugmentation.from_config(layer.get_config())
    np.testing.assert_array_equal(noise_of(loaded, 5), noise_of(fresh, 5))
    assert model.count_params() == 0


def test_constants_are_a_covariance_of_pixels():
    # Per-channel stds they imply: 74.0, 72.0, 77.0 grey levels.
    variances = np.diag(V @ np.diag(np.square(STDS_2012)) @ V.T)
    np.testing.assert_allclose(np.sqrt(variances), [74, 72, 77], atol=0.6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"sigma": -1}, "`sigma` must not be negative. Received: sigma=-1"),
        ({"scale": "var"}, "`scale` must be \"std\".*Received: scale='var'"),
        ({"channel_order": "gbr"}, '`channel_order` must be "rgb" or "bgr"'),
        ({"value_range": (1, 0)}, "`value_range` must be.*black below white"),
        ({"stds": (1, 2, 3)}, "must be given together"),
        (
            {"eigenvectors": np.eye(2), "stds": (1, 2)},
            r"must have shape \(3, 3\)",
        ),
        (
            {"eigenvectors": 2 * np.eye(3), "stds": (1, 2, 3)},
            "`eigenvectors` must be orthonormal",
        ),
        (
            {"eigenvectors": np.eye(3), "stds": (1, -2, 3)},
            "`stds` must not be negative",
        ),
        ({"data_format": "channels"}, "`data_format` must be"),
        ({"center": (1, 2)}, "`center` must be a number or three"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        PCAColorAugmentation(**arguments)


@pytest.mark.parametrize(
    "data, message",
    [
        ([], "at least two pixels"),
        (np.zeros((2, 4, 4, 1)), r"three channels. Received: shape=\(2, 4"),
        (np.full((2, 4, 4, 3), np.nan), "finite"),
    ],
)
def test_adapt_errors(data, message):
    with pytest.raises(ValueError, match=message):
        PCAColorAugmentation().adapt(data)


@pytest.mark.parametrize("shape", [(2, 4, 4, 1), (4, 4), (2, 2, 4, 4, 3)])
def test_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match="RGB images"):
        PCAColorAugmentation()(np.zeros(shape, "float32"))


def test_adapt_to_a_dict_says_how():
    with pytest.raises(ValueError, match=r'example\["image"\].*a dict of'):
        PCAColorAugmentation().adapt([{"image": pixels(), "label": 0}])
