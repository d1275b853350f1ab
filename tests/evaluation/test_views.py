import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_alexnet import AlexNet
from keras_alexnet.data import TrainingData
from keras_alexnet.data import evaluation_data
from keras_alexnet.data import load_source
from keras_alexnet.distribution import on_one_device
from keras_alexnet.evaluation import Ensemble
from keras_alexnet.evaluation import evaluate
from keras_alexnet.evaluation import predict_views

if keras.backend.backend() != "tensorflow":
    pytest.skip("crops are TensorFlow's", allow_module_level=True)


def corner_model(size=4):
    """Its first class's probability is the view's top left pixel."""
    inputs = keras.Input((size, size, 1))
    corner = keras.layers.Flatten()(inputs[:, :1, :1])
    outputs = keras.layers.Concatenate()([corner, 1 - corner])
    return keras.Model(inputs, outputs)


def ramp(side):
    """Pixels from 0 to 1, all different."""
    return np.arange(side * side, dtype="float32").reshape(1, side, side, 1) / (
        side * side
    )


def test_center_view_by_hand():
    x = ramp(6)
    got = predict_views(corner_model(), x, "center")[0, 0]
    assert got == pytest.approx(x[0, 1, 1, 0])


@pytest.mark.parametrize("order", ["cuda-convnet", "caffe"])
def test_ten_views_by_hand(order):
    x = ramp(6)
    corners = [(0, 0), (0, 2), (1, 1), (2, 0), (2, 2)]
    # A mirrored view's top left pixel is the view's top right one.
    want = np.mean(
        [x[0, r, c, 0] for r, c in corners]
        + [x[0, r, c + 3, 0] for r, c in corners]
    )
    got = predict_views(corner_model(), x, "ten", order=order)[0, 0]
    assert got == pytest.approx(want)


def test_nine_views_by_hand():
    x = ramp(6)
    want = np.mean([x[0, r, c, 0] for r in (0, 1, 2) for c in (0, 1, 2)])
    assert predict_views(corner_model(), x, "nine")[0, 0] == pytest.approx(want)


def test_probabilities_are_averaged_and_not_logits():
    inputs = keras.Input((2, 2, 1))
    logits = keras.Model(inputs, keras.layers.Flatten()(inputs))
    x = np.arange(9, dtype="float32").reshape(1, 3, 3, 1)
    views = [
        keras.ops.convert_to_numpy(keras.ops.softmax(view.reshape(-1)))
        for view in (x[0, r : r + 2, c : c + 2] for r in (0, 1) for c in (0, 1))
    ]
    views.append(views[0])
    mirrored = [view.reshape(2, 2)[:, ::-1].reshape(-1) for view in views]
    got = predict_views(logits, x, "ten", from_logits=True)[0]
    np.testing.assert_allclose(
        got, np.mean(views + mirrored, axis=0), rtol=1e-5
    )


def test_evaluate_counts():
    x = np.concatenate([np.full((1, 6, 6, 1), p) for p in (0.9, 0.8, 0.3)])
    data = [(x[:2], np.array([0, 1])), (x[2:], np.array([1]))]
    errors = evaluate(corner_model(), data, "ten", class_names=("a", "b"))
    assert (errors.n, errors.views) == (3, "ten")
    np.testing.assert_array_equal(errors.top1_wrong, [False, True, False])
    assert errors.top5_error is None
    assert [row["name"] for row in errors.per_class()] == ["a", "b"]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"views": "all"}, "`views` must be one of .*'all'"),
        ({"size": 9}, "`size` must not exceed the image.*size=9"),
        ({"order": "keras"}, "`order` must be one of .*'keras'"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        predict_views(corner_model(), ramp(6), **options)


def test_size_of_a_model_of_any_size():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.GlobalMaxPooling2D()(inputs))
    with pytest.raises(ValueError, match="`size` must be given"):
        predict_views(model, np.zeros((1, 6, 6, 3)))


def overflowing_model():
    inputs = x = keras.Input((6, 6, 1))
    for _ in range(2):
        x = keras.layers.Rescaling(1e38)(x)
    return keras.Model(inputs, keras.layers.Flatten()(x))


def test_outputs_that_are_no_probabilities():
    with pytest.raises(ValueError, match="`from_logits=True`.*minimum -"):
        predict_views(corner_model(), 5 + ramp(6))
    with pytest.raises(ValueError, match="`images` must be finite. Received"):
        predict_views(corner_model(), np.nan * ramp(6))
    with pytest.raises(ValueError, match="outputs must be finite. Received"):
        predict_views(overflowing_model(), 1 + ramp(6))


def test_labels_out_of_range_are_named():
    data = [(ramp(6), np.array([1])), (ramp(6), np.array([7]))]
    with pytest.raises(ValueError, match="0 to 1, .*label 7 of example 1"):
        evaluate(corner_model(), data)


def test_no_data():
    with pytest.raises(ValueError, match="at least one batch"):
        evaluate(corner_model(), [])


@pytest.mark.parametrize(
    "labels",
    [[[1], [0]], [[0, 1], [1, 0]], [1.0, 0.0]],
    ids=["column", "one-hot", "float"],
)
def test_labels_that_training_takes(labels):
    data = [(np.repeat(ramp(6), 2, axis=0), np.array(labels), np.ones(2))]
    assert evaluate(corner_model(), data).labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    "labels", [np.zeros((2, 3), int), np.array([0.5, 1]), np.zeros(3, int)]
)
def test_labels_that_are_none(labels):
    data = [(np.repeat(ramp(6), 2, axis=0), labels)]
    with pytest.raises(ValueError, match="integers, one per image.*for 2 im"):
        evaluate(corner_model(), data)


class Subclassed(keras.Model):
    def call(self, x):
        mean = keras.ops.mean(x, axis=(1, 2, 3))
        return keras.ops.stack([mean, 1 - mean], axis=1)


def test_a_subclassed_model_needs_the_size():
    with pytest.raises(ValueError, match="`size` must be given"):
        predict_views(Subclassed(), ramp(6))
    got = predict_views(Subclassed(), ramp(6), "center", size=6)
    assert got[0, 0] == pytest.approx(ramp(6).mean())


def averaging_model(shape, outputs=1):
    inputs = keras.Input(shape)
    x = keras.layers.Softmax()(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, x if outputs == 1 else [x] * outputs)


def test_models_of_other_inputs_and_outputs():
    images = np.zeros((2, 9, 9, 3), "float32")
    assert predict_views(averaging_model((3, 8, 8)), images).shape == (2, 192)
    with pytest.raises(ValueError, match="square images. Received.*8, 6, 3"):
        predict_views(averaging_model((8, 6, 3)), images)
    with pytest.raises(ValueError, match="one output of shape .*batch, cla"):
        predict_views(averaging_model((8, 8, 3), outputs=2), images)


def test_channels_first_has_the_views_of_channels_last():
    images = np.random.default_rng(0).random((2, 9, 9, 3), "float32")
    first = predict_views(averaging_model((3, 8, 8)), images)
    last = predict_views(averaging_model((8, 8, 3)), images)
    np.testing.assert_allclose(
        first.reshape(2, 3, 64),
        last.reshape(2, 64, 3).transpose(0, 2, 1),
        rtol=1e-5,
    )


@pytest.mark.parametrize("views, most", [("ten", 120), ("nine", 126)])
def test_a_call_gets_at_most_128_views(views, most):
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
    x = keras.layers.Dense(7, activation="softmax")(keras.layers.Flatten()(x))
    model = keras.Model(inputs, x)
    images = np.random.default_rng(0).random((31, 11, 11, 3), "float32")
    one_by_one = [predict_views(model, image[None], views) for image in images]
    sizes, predict = [], model.predict_on_batch

    def counted(batch):
        sizes.append(len(batch))
        return predict(batch)

    model.predict_on_batch = counted
    got = predict_views(model, images, views)
    assert max(sizes) == most and len(sizes) == 3
    np.testing.assert_allclose(got, np.concatenate(one_by_one), rtol=1e-5)


def networks():
    """What oneDNN fuses: its ReLU makes 0 of NaN."""
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    x = keras.layers.Dense(7, activation="softmax")(keras.layers.Flatten()(x))
    return keras.Model(inputs, x)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_weights_and_images_that_are_not_finite(number):
    model = networks()
    images = np.zeros((2, 9, 9, 3), "float32")
    data = [(images, np.array([0, 1]))]
    assert evaluate(model, data).n == 2
    images[1, 4, 4, 1] = number
    with pytest.raises(ValueError, match="`images` must be finite"):
        evaluate(model, data)
    images[:] = 0
    kernel = model.get_layer("conv").kernel
    changed = keras.ops.convert_to_numpy(kernel).copy()
    changed[0, 0, 0, 0] = number
    kernel.assign(changed)
    with pytest.raises(ValueError, match="weights must be finite.*in conv/ker"):
        evaluate(model, data)


def sources():
    images = np.zeros((12, 8, 8, 3), "uint8")
    return load_source((images, np.arange(12) % 2))


@pytest.mark.parametrize(
    "data, message",
    [
        (lambda: ramp(6), r"batches of.*Received: ndarray of shape \(1, 6, 6"),
        (lambda: (ramp(6), np.zeros(1, int)), "a pair of arrays; put it in a"),
        (lambda: sources(), "Received: the source 'arrays'"),
        (
            lambda: TrainingData(sources(), input_size=4, batch_size=2),
            "Received: TrainingData",
        ),
        (lambda: "photos", "Received: str"),
        (lambda: [ramp(6)], "Received: a batch is ndarray of shape"),
        (lambda: [(ramp(6),)], "Received: a batch is tuple of 1"),
        (lambda: [(ramp(6)[0], [0])], r"\(batch, height, width, channels\)"),
        (
            lambda: evaluation_data(sources(), input_size=4).repeat(),
            "Received: a dataset without an end",
        ),
    ],
)
def test_data_that_are_no_batches(data, message):
    with pytest.raises(ValueError, match=message):
        evaluate(corner_model(), data())


def test_more_names_than_classes():
    data = [(ramp(6), np.array([1]))]
    with pytest.raises(ValueError, match="The data have 3 cla.*model 2.*es=3`"):
        evaluate(corner_model(), data, class_names=("a", "b", "c"))


def test_a_keras_dataset_ends():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return ramp(6), np.array([index])

    assert evaluate(corner_model(), Batches()).labels.tolist() == [0, 1]


def test_fifty_views_by_hand():
    x = ramp(8)
    corners = [(r, c) for r in range(5) for c in range(5)]
    want = np.mean(
        [x[0, r, c, 0] for r, c in corners]
        + [x[0, r, c + 3, 0] for r, c in corners]
    )
    got = predict_views(corner_model(), x, "fifty")[0, 0]
    assert got == pytest.approx(want)


def test_scales_are_averaged():
    x = ramp(6)
    single = [
        predict_views(corner_model(), x, "center", scales=[side])
        for side in (6, 12)
    ]
    np.testing.assert_allclose(
        single[0], predict_views(corner_model(), x, "center")
    )
    assert not np.allclose(single[0], single[1])
    both = predict_views(corner_model(), x, "center", scales=(6, 12))
    np.testing.assert_allclose(both, np.mean(single, axis=0), rtol=1e-6)
    errors = evaluate(
        corner_model(), [(x, np.array([0]))], "center", scales=(6, 12)
    )
    assert errors.n == 1


def test_dense_views_are_whole_images_and_their_mirror_images():
    inputs = keras.Input((None, None, 1))
    # The share of the leftmost column in all.
    left = keras.layers.GlobalAveragePooling2D()(inputs[:, :, :1])
    model = keras.Model(inputs, keras.layers.Concatenate()([left, 1 - left]))
    x = ramp(6)[:, :, :4]
    got = predict_views(model, x, "dense")[0, 0]
    assert got == pytest.approx((x[0, :, 0].mean() + x[0, :, 3].mean()) / 2)


def test_auxiliary_outputs_are_not_averaged():
    from keras_alexnet.models import GOOGLENET
    from keras_alexnet.models import GoogLeNet
    from keras_alexnet.models import with_width

    model = GoogLeNet(
        architecture=with_width(GOOGLENET, 1 / 32),
        input_shape=(79, 79, 3),
        classes=3,
        auxiliary=True,
    )
    x = np.random.default_rng(0).normal(0, 50, (2, 79, 79, 3))
    np.testing.assert_allclose(
        predict_views(model, x, "center"),
        keras.ops.convert_to_numpy(model(x)[0]),
        atol=1e-6,
    )


@pytest.mark.parametrize(
    "options, message",
    [
        ({"views": "dense"}, "takes images of any size: `keras_alexnet.model"),
        ({"views": "googlenet", "scales": (6,)}, "`scales` must be `None`"),
        ({"scales": ()}, "`scales` must be positive integers, at least one"),
        ({"scales": (6.5,)}, "`scales` must be positive integers"),
        ({"scales": (3,)}, "`size` must not exceed the image"),
    ],
)
def test_bad_scales(options, message):
    with pytest.raises(ValueError, match=message):
        predict_views(corner_model(), ramp(6), **options)


def test_a_model_of_several_replicas_is_refused():
    strategy = tf.distribute.MirroredStrategy(["/CPU:0", "/CPU:1"])
    with strategy.scope():
        model = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Flatten(),
                keras.layers.Dense(3, "softmax"),
            ]
        )
    images = np.zeros((2, 10, 10, 3), "uint8")
    message = "on_one_device.* a model of 2 replicas, under MirroredStrategy"
    with pytest.raises(ValueError, match=message):
        predict_views(model, images)
    with pytest.raises(ValueError, match=message):
        evaluate(model, [(images, [0, 1])])
    assert predict_views(on_one_device(model), images).shape == (2, 3)


@pytest.mark.parametrize("views", ["ten", "nine", "fifty"])
def test_views_of_images_that_are_no_larger(views):
    with pytest.warns(UserWarning, match=f"The {views} views are all the same"):
        predict_views(corner_model(), ramp(4), views)


def test_pixels_of_0_to_1_for_a_network_of_0_to_255():
    model, other = (
        AlexNet(input_shape=(67, 67, 3), classes=3, include_preprocessing=True)
        for _ in range(2)
    )
    images = np.full((2, 70, 70, 3), 0.5, "float32")
    for network in (model, Ensemble([model, other])):
        with pytest.raises(ValueError, match="in 0-255.*at most 0.5; multiply"):
            predict_views(network, images)
    within = keras.Sequential([keras.Input((67, 67, 3)), model])
    with pytest.raises(ValueError, match="at most 0.5; multiply"):
        predict_views(within, images)
    bare = AlexNet(input_shape=(67, 67, 3), classes=3)
    assert predict_views(bare, images).shape == (2, 3)
    assert predict_views(model, np.zeros_like(images)).shape == (2, 3)
