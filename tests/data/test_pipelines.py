import keras
import numpy as np
import pytest
import tensorflow as tf
from pictures import make_folder

from keras_alexnet.data import TrainingData
from keras_alexnet.data import default_resize
from keras_alexnet.data import evaluation_data
from keras_alexnet.data import load_source
from keras_alexnet.layers import PCAColorAugmentation


def numbered(count=50, side=12):
    """A source whose pixels say (row, column) and the image's number."""
    rows, columns = np.mgrid[:side, :side]
    images = np.stack(
        [
            np.stack([rows, columns, np.full_like(rows, i)], axis=-1)
            for i in range(count)
        ]
    ).astype("uint8")
    labels = np.arange(count) % 5
    return load_source({"train": (images, labels), "test": (images, labels)})


SOURCE = numbered()


def make(source=SOURCE, **changes):
    arguments = dict(input_size=8, resize=12, batch_size=8, color=False, seed=1)
    return TrainingData(source, **{**arguments, **changes})


def batches(data):
    return [(x.numpy(), y.numpy()) for x, y in data.dataset]


def assert_equal(first, second):
    assert len(first) == len(second) > 0
    for (x, y), (u, v) in zip(first, second, strict=True):
        np.testing.assert_array_equal(x, u)
        np.testing.assert_array_equal(y, v)


def numbers(some):
    return np.concatenate([x[:, 0, 0, 2] for x, _ in some])


def test_batches():
    data = make()
    got = batches(data)
    assert len(got) == data.steps_per_epoch == 6
    spec = data.dataset.element_spec
    assert spec[0] == tf.TensorSpec((8, 8, 8, 3), tf.float32)
    assert spec[1] == tf.TensorSpec((8,), tf.int64)
    for images, labels in got:
        np.testing.assert_array_equal(images[:, 0, 0, 2] % 5, labels)
    assert len(set(numbers(got))) == 48, "each image once"


def test_keras_knows_the_length():
    data = make()
    assert int(data.dataset.cardinality()) == 6
    data.seek(0, 4)
    assert len(batches(data)) == 2


def test_remainder_is_kept_on_request():
    data = make(drop_remainder=False)
    got = batches(data)
    assert len(got) == data.steps_per_epoch == 7
    assert sorted(numbers(got)) == list(range(50))


def test_crops_and_flips_reach_every_place():
    data = make(batch_size=50)
    corners, mirrored = set(), 0
    for epoch in range(12):
        data.seek(epoch)
        ((images, _),) = batches(data)
        for image in images:
            flipped = image[0, 0, 1] > image[0, -1, 1]
            image = image[:, ::-1] if flipped else image
            corner = image[0, 0, :2]
            # A whole crop, not a wrapped one.
            np.testing.assert_array_equal(image[-1, -1, :2], corner + 7)
            corners.add(tuple(corner))
            mirrored += flipped
    assert corners == {(y, x) for y in range(5) for x in range(5)}
    assert 240 < mirrored < 360


def test_without_randomness():
    ((images, _),) = batches(make(crop="center", flip=False, batch_size=50))
    assert np.all(images[:, 0, 0, :2] == 2) and np.all(images[:, -1, 0, 1] == 2)


def test_order_is_shuffled_anew_each_epoch():
    data = make(batch_size=50)
    orders = []
    for epoch in range(3):
        data.seek(epoch)
        orders.append(numbers(batches(data)).tolist())
        assert sorted(orders[-1]) == list(range(50))
    fixed = [
        np.mean(np.equal(a, b))
        for a, b in zip(orders, [list(range(50)), *orders], strict=False)
    ]
    assert max(fixed) < 0.2


@pytest.mark.parametrize(
    "color, cache",
    [(False, None), (True, None), (True, "memory"), (True, "folder")],
)
def test_seek_equals_an_unbroken_run(color, cache, tmp_path):
    cache = tmp_path if cache == "folder" else cache
    unbroken = make(color=color, cache=cache)
    epochs = []
    for epoch in range(3):
        unbroken.seek(epoch)
        epochs.append(batches(unbroken))
    resumed = make(color=color)
    for epoch, step in ((2, 0), (1, 4), (0, 0), (2, 5)):
        resumed.seek(epoch, step)
        assert_equal(batches(resumed), epochs[epoch][step:])
    resumed.seek(1, 6)
    assert batches(resumed) == []


def test_epochs_follow_each_other():
    data = make(color=True)
    data.seek(2, step=1)
    rest, third = batches(data), batches(data)
    data.seek(2)
    second = batches(data)
    assert_equal(rest, second[1:])
    assert_equal(third, batches(data))
    assert numbers(second).tolist() != numbers(third).tolist()


def test_plain_fit_sees_a_new_epoch_each_time():
    seen = []

    class Recorder(keras.Model):
        def train_step(self, batch):
            tf.py_function(lambda y: seen.append(y.numpy()), [batch[1]], [])
            return {"loss": tf.zeros(())}

    data = make()
    model = Recorder()
    model.compile("sgd", run_eagerly=True)
    model.fit(data.dataset, epochs=2, verbose=0)
    again = make()
    want = [labels for _, labels in batches(again) + batches(again)]
    np.testing.assert_array_equal(seen, want)


def test_seed_changes_everything():
    first, second = batches(make(seed=1)), batches(make(seed=2))
    assert numbers(first).tolist() != numbers(second).tolist()


def test_color_noise_is_the_layers():
    plain, noisy = batches(make()), batches(make(color=True))
    noise = np.concatenate(
        [a - b for (a, _), (b, _) in zip(noisy, plain, strict=True)]
    )
    assert np.ptp(noise, axis=(1, 2)).max() < 1e-3, "one draw per image"
    assert len(np.unique(noise[:, 0, 0, 0].round(3))) > 40
    along = noise[:, 0, 0] @ PCAColorAugmentation().eigenvectors
    np.testing.assert_allclose(along.std(axis=0), [1.97, 3.71, 12.2], rtol=0.4)


def test_color_layer_and_sigma():
    layer = PCAColorAugmentation(0.5, divide=True, center=0)
    data = make(color=layer)
    assert float(data.color_sigma) == 0.5
    data.color_sigma.assign(0)
    assert_equal(batches(data), batches(make()))
    data.color_sigma.assign(0.25)
    data.seek(0)
    divided = batches(data)
    whole = make(color=PCAColorAugmentation(0.25))
    for (x, _), (y, _) in zip(divided, batches(whole), strict=True):
        np.testing.assert_allclose(x, y / 1.25, rtol=1e-4, atol=1e-4)
    assert float(make(color=False).color_sigma) == 0


def test_mixed_precision_leaves_batches_float32():
    want = batches(make(color=True))
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        got = batches(make(color=True))
    finally:
        keras.config.set_dtype_policy("float32")
    assert got[0][0].dtype == "float32"
    assert_equal(got, want)


def test_folder_of_files_with_and_without_cache(tmp_path):
    pytest.importorskip("PIL")
    source = load_source(make_folder(tmp_path / "images", {"a": 9, "b": 9}))
    runs = [
        batches(make(source, resize=32, input_size=28, batch_size=7, cache=c))
        for c in (None, "memory", tmp_path / "cache")
    ]
    assert_equal(runs[0], runs[1])
    assert_equal(runs[0], runs[2])
    (tmp_path / "images" / "a" / "1.png").write_bytes(b"broken")
    for cache in (None, "memory"):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="Cannot decode.*a/1.png"
        ):
            batches(make(source, batch_size=14, cache=cache))


class Seek(keras.callbacks.Callback):
    def __init__(self, data):
        super().__init__()
        self.data = data

    def on_epoch_begin(self, epoch, logs=None):
        self.data.seek(epoch)


def test_fit_trains_on_the_epoch_of_seek_and_no_step_more():
    data = make(color=True)
    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    model.compile(loss="mse", optimizer=keras.optimizers.SGD(0.0))
    history = model.fit(
        data.dataset, epochs=3, verbose=0, callbacks=[Seek(data)]
    )
    want = []
    for epoch in range(3):
        data.seek(epoch)
        losses = [
            np.mean((keras.ops.convert_to_numpy(model(x))[:, 0] - y) ** 2)
            for x, y in batches(data)
        ]
        want.append(np.mean(losses))
    np.testing.assert_allclose(history.history["loss"], want, rtol=1e-4)
    # Of a data set of unknown length, `fit` would count a seventh step.
    assert int(model.optimizer.iterations) == 18, (
        "Keras changed how it asks a dataset for its length: not by its "
        "method `cardinality`, which `TrainingData` replaces"
    )


@pytest.mark.parametrize("cache", [None, "memory"])
def test_under_a_distribution_strategy(cache):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.distribute is TensorFlow's")
    want = batches(make(color=True))
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        data = make(color=True, cache=cache)
    # Not a copy for each replica: the images are read by one process.
    assert not isinstance(data.color_sigma, tf.distribute.DistributedValues)
    shared = strategy.experimental_distribute_dataset(data.dataset)
    for (x, y), (images, labels) in zip(shared, want, strict=True):
        parts = strategy.experimental_local_results(x)
        assert [len(part) for part in parts] == [4, 4]
        np.testing.assert_array_equal(np.concatenate(parts), images)
        labels_of = strategy.experimental_local_results(y)
        np.testing.assert_array_equal(np.concatenate(labels_of), labels)


@pytest.mark.parametrize("cache", [None, "memory"])
def test_evaluation_data(cache):
    data = evaluation_data(SOURCE, batch_size=16, resize=12, cache=cache)
    got = list(data.as_numpy_iterator())
    assert [len(labels) for _, labels in got] == [16, 16, 16, 2]
    assert int(data.cardinality()) == 4
    images = np.concatenate([images for images, _ in got])
    assert images.dtype == "uint8" and images.shape == (50, 12, 12, 3)
    np.testing.assert_array_equal(images[:, 0, 0, 2], np.arange(50))
    labels = np.concatenate([labels for _, labels in got])
    np.testing.assert_array_equal(labels, np.arange(50) % 5)


def test_center_crops_fit_validation_data():
    whole = evaluation_data(SOURCE, input_size=8, resize=12, batch_size=16)
    data = evaluation_data(
        SOURCE, input_size=8, resize=12, batch_size=16, view="center"
    )
    assert data.element_spec[0].shape == (None, 8, 8, 3)
    assert int(data.cardinality()) == 4
    for (images, labels), (found, same) in zip(whole, data, strict=True):
        np.testing.assert_array_equal(found, images[:, 2:10, 2:10])
        np.testing.assert_array_equal(same, labels)
    image = keras.Input((8, 8, 3))
    outputs = keras.layers.Dense(5)(keras.layers.Flatten()(image))
    model = keras.Model(image, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)
    history = model.fit(
        make(batch_size=10).dataset, validation_data=data, verbose=0
    )
    assert "val_loss" in history.history


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"view": "ten"}, 'must be "center" or `None`.*Received: view=.ten'),
        (
            {"view": "center", "resize": 12},
            "must not be smaller than `input_size`.*resize=12, input_size=64",
        ),
    ],
)
def test_an_impossible_view_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        evaluation_data(SOURCE, input_size=64, **changes)


def test_pipelines_are_not_tuned():
    """`fit` would wait for the tuner at the end of epochs."""
    for dataset in (make().dataset, evaluation_data(SOURCE, view="center")):
        assert dataset.options().autotune.enabled is False


@pytest.mark.parametrize(
    "input_size, want", [(224, 256), (227, 259), (64, 73), (24, 27)]
)
def test_default_resize(input_size, want):
    assert default_resize(input_size) == want


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"crop": "corner"}, '`crop` must be "random", "corners" or "center"'),
        ({"batch_size": 51}, "`batch_size` must not exceed the 50 examples"),
        ({"batch_size": 0}, "`batch_size` must be a positive integer"),
        ({"input_size": (8, 8)}, r"a positive integer, the side of.*\(8, 8\)"),
        ({"input_size": 8.0}, "a positive integer.*input_size=8.0"),
        ({"resize": 0}, "`resize` must be a positive integer"),
        ({"cache": True}, '`cache` must be `None`, "memory", or a fo.*=True'),
        ({"source": "/photos"}, r"returned: `load_source\('/photos'\)`"),
        ({"source": np.zeros(3)}, "takes arrays too.*Received: ndarray"),
        ({"split": "valid"}, "`split` must be one of"),
        ({"input_size": 13}, "size=13 for images of 12x12 pixels"),
    ],
)
def test_errors(changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes)


@pytest.mark.parametrize("epoch, step", [(-1, 0), (0, -1), (0, 7)])
def test_seek_errors(epoch, step):
    with pytest.raises(
        ValueError, match=f"0 to 6. Received: epoch={epoch}, step={step}"
    ):
        make().seek(epoch, step)


def scaled_data(**options):
    """Images whose pixels say which column they are in."""
    columns = np.tile(np.arange(32, dtype="uint8") * 8, (32, 1))
    image = np.stack([columns] * 3, axis=-1)
    images = np.stack([image] * 40)
    labels = np.arange(40) % 2
    options = {"input_size": 16, "batch_size": 8, "color": False, **options}
    return TrainingData(
        load_source((images, labels), holdout=0.2), flip=False, **options
    )


def test_scale_jittering_shows_parts_of_different_sizes():
    data = scaled_data(scales=(16, 32))
    assert data.settings["scales"] == [16, 32]
    assert data.settings["resize"] == 32
    images = np.concatenate([x for x, _ in data.dataset])
    assert images.shape[1:] == (16, 16, 3)
    # At the scale of 16 a crop is the whole image, at 32 a quarter of it.
    spans = images[:, 0, -1, 0] - images[:, 0, 0, 0]
    assert 8 * 14 <= spans.min() < 8 * 18
    assert 8 * 26 < spans.max() <= 8 * 31
    data.seek(0)
    again = np.concatenate([x for x, _ in data.dataset])
    np.testing.assert_array_equal(images, again)


def test_corner_crops_are_of_five_places():
    data = scaled_data(resize=20, crop="corners")
    images = np.concatenate([x for x, _ in data.dataset])
    # Left, center and right.
    assert len({x[0, 0, 0] for x in images}) == 3


@pytest.mark.parametrize(
    "options, message",
    [
        ({"scales": (32,)}, "`scales` must be a pair of integers"),
        ({"scales": (16.0, 32.0)}, "`scales` must be a pair of integers"),
        ({"scales": (8, 32)}, "`scales` must rise.*input_size=16"),
        ({"scales": (32, 16)}, "`scales` must rise"),
        ({"scales": (16, 32), "resize": 20}, "leave out `resize`"),
        ({"scales": (16, 32), "crop": "center"}, "let `crop` be .random"),
        ({"crop": "middle"}, '`crop` must be "random", "corners"'),
    ],
)
def test_impossible_scales(options, message):
    with pytest.raises(ValueError, match=message):
        scaled_data(**options)
