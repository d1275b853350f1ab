"""Several networks that answer as one."""

import contextlib

import keras
import numpy as np
import pytest
from small_networks import build
from small_networks import small

from keras_alexnet.data import image_size
from keras_alexnet.data import resize_and_crop
from keras_alexnet.evaluation import Ensemble
from keras_alexnet.evaluation import evaluate
from keras_alexnet.evaluation import predict_views
from keras_alexnet.evaluation.resizing import resize_square
from keras_alexnet.models import CIFARNet
from keras_alexnet.models.network import Network

needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="crops are TensorFlow's"
)


def corner_model(scale, size=4):
    """Its first class's probability is the view's top left pixel, scaled."""
    inputs = keras.Input((size, size, 3))
    corner = keras.layers.Flatten()(inputs[:, :1, :1, :1] * scale)
    outputs = keras.layers.Concatenate()([corner, 1 - corner])
    return keras.Model(inputs, outputs)


def ramp(side=5):
    """Pixels from 0 to 1, all different; 5 is the side that 4 is cut from."""
    pixels = np.arange(side * side, dtype="float32") / side**2
    return np.repeat(pixels.reshape(1, side, side, 1), 3, axis=-1)


def networks(columns=False):
    """Networks of unequal sizes and families, with their preprocessing."""
    options = {"include_preprocessing": True}
    scope = contextlib.nullcontext()
    if columns:
        from keras_alexnet.distribution import ColumnParallelStrategy

        scope = ColumnParallelStrategy(["/CPU:0", "/CPU:0"]).scope()
    with scope:
        first = build(small("paper"), **options)
    return [
        first,
        CIFARNet(architecture="cifar_18", **options),
        build(small("owt"), seed=2, **options),
    ]


def photos(count=3, side=113):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, side, side, 3), "uint8")


def test_probabilities_are_averaged_by_weight():
    ensemble = Ensemble([corner_model(1.0), corner_model(0.5)], [3, 1])
    assert ensemble.shares == [0.75, 0.25]
    x = ramp()
    # The center view of 4 in 5 begins at the top left corner.
    want = x[0, 0, 0, 0] * (0.75 + 0.25 * 0.5)
    got = ensemble.predict(x, verbose=0)
    np.testing.assert_allclose(got, [[want, 1 - want]], atol=1e-6)


@needs_tensorflow
def test_the_mean_is_over_models_and_views():
    ensemble = Ensemble([corner_model(1.0), corner_model(0.5)])
    x = ramp()
    corners = [(0, 0), (0, 1), (0, 0), (1, 0), (1, 1)]
    # A mirrored view's top left pixel is the view's top right one.
    pixels = [x[0, r, c, 0] for r, c in corners]
    pixels += [x[0, r, c + 3, 0] for r, c in corners]
    got = predict_views(ensemble, x, "ten")[0, 0]
    assert got == pytest.approx(np.mean(pixels) * 0.75)


@needs_tensorflow
@pytest.mark.parametrize("columns", [False, True], ids=["grouped", "columns"])
def test_members_of_unequal_sizes(columns):
    members = networks(columns)
    ensemble = Ensemble(members, [1, 2, 3])
    # 256 / 224 of 99, 32 and 256 / 224 of 95.
    assert [image_size(m) for m in members] == [113, 32, 109]
    assert image_size(ensemble) == 113
    x = photos()
    own = [
        predict_views(
            member,
            np.stack(
                [resize_and_crop(image, image_size(member)) for image in x]
            ),
        )
        for member in members
    ]
    assert np.abs(own[0] - own[2]).max() > 0.01
    want = sum(w * p for w, p in zip((1, 2, 3), own, strict=True)) / 6
    np.testing.assert_allclose(predict_views(ensemble, x), want, atol=1e-5)
    errors = evaluate(ensemble, [(x, np.array([0, 1, 2]))], "ten")
    np.testing.assert_array_equal(
        errors.top1_wrong, want.argmax(axis=1) != [0, 1, 2]
    )


@needs_tensorflow
def test_predict_shows_the_center_view():
    ensemble, x = Ensemble(networks()), photos()
    np.testing.assert_allclose(
        ensemble.predict(x, batch_size=2, verbose=0),
        predict_views(ensemble, x, "center"),
        atol=1e-5,
    )


def test_saved_and_loaded(tmp_path):
    members = networks()
    ensemble, x = Ensemble(members, [1, 2, 5], name="three"), photos(2)
    ensemble.save(tmp_path / "three.keras")
    loaded = keras.saving.load_model(tmp_path / "three.keras")
    assert loaded.shares == ensemble.shares and loaded.name == "three"
    assert [m.architecture for m in loaded.members] == [
        m.architecture for m in members
    ]
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), ensemble.predict(x, verbose=0), rtol=1e-6
    )


@needs_tensorflow
def test_members_of_the_other_order_of_axes():
    last = corner_model(1.0)
    inputs = keras.Input((3, 4, 4))
    first = keras.Model(inputs, last(keras.layers.Permute((2, 3, 1))(inputs)))
    x = ramp()
    want = last.predict(x[:, :4, :4], verbose=0)
    ensemble = Ensemble([first])
    np.testing.assert_allclose(ensemble.predict(x, verbose=0), want)
    np.testing.assert_allclose(predict_views(ensemble, x, "center"), want)


@pytest.mark.parametrize("before, after", [(113, 32), (64, 63), (32, 113)])
def test_images_are_scaled_as_by_the_pipeline(before, after):
    (image,) = photos(1, before)
    got = keras.ops.convert_to_numpy(resize_square(image[None], after))[0]
    want = resize_and_crop(image, after).numpy().astype("float32")
    # Where TensorFlow's table of the cubic kernel rounds otherwise.
    assert np.abs(got - want).max() <= 1
    assert (got != want).mean() < 0.05


@needs_tensorflow
def test_auxiliary_classifiers_do_not_count():
    plain = corner_model(0.5)
    auxiliary = keras.layers.Dense(2)(plain.output)
    several = Network(plain.input, [plain.output, auxiliary])
    x = ramp()
    ensemble = Ensemble([several, corner_model(1.0)])
    want = x[0, 0, 0, 0] * 0.75
    assert ensemble.predict(x, verbose=0)[0, 0] == pytest.approx(want)
    got = predict_views(ensemble, x, "center")
    assert got[0, 0] == pytest.approx(want)


def test_images_that_cannot_be_scaled():
    ensemble = Ensemble([corner_model(1.0)])
    with pytest.raises(ValueError, match="must be square.*: 5 x 6 pixels, w"):
        ensemble(np.zeros((1, 5, 6, 3), "float32"))


def logits_model():
    inputs = keras.Input((4, 4, 3))
    return keras.Model(inputs, keras.layers.Flatten()(inputs) - 1.0)


def model_of_any_size():
    inputs = keras.Input((None, None, 3))
    x = keras.layers.GlobalMaxPooling2D()(inputs)
    return keras.Model(inputs, keras.layers.Softmax()(x))


@pytest.mark.parametrize(
    "models, message",
    [
        (lambda: [], r"at least one. Received: \[\]"),
        (lambda: ["a.keras"], r"list of `keras.Model`s.*\['str'\]"),
        (lambda: [corner_model(1.0)] * 2, "different ones; .*some of them tw"),
        (
            lambda: [corner_model(1.0), logits_model()],
            r"the same classes. Received: output.*\(None, 2\), \(None, 48\)",
        ),
        (lambda: [logits_model()], r"models\[0\], of which: .*from_logits=T"),
        (lambda: [model_of_any_size()], r"fixed size .*models\[0\], of which"),
    ],
)
def test_models_that_are_no_members(models, message):
    with pytest.raises(ValueError, match=message):
        Ensemble(models())


@pytest.mark.parametrize(
    "weights", [[1], [1, -1], [0, 0], [1, float("nan")], [[1, 1]]]
)
def test_weights_that_are_none(weights):
    with pytest.raises(ValueError, match="`weights` must be one number per mo"):
        Ensemble([corner_model(1.0), corner_model(0.5)], weights)


@pytest.mark.parametrize(
    "option", [{"size": 4}, {"from_logits": True}, {"scales": (4, 5)}]
)
def test_what_members_decide(option):
    with pytest.raises(ValueError, match="`from_logits` and `scales` must be"):
        predict_views(Ensemble([corner_model(1.0)]), ramp(), **option)
