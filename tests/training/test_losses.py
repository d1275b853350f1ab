import keras
import numpy as np
import pytest

from keras_alexnet.training import LabelCrossentropy
from keras_alexnet.training import Recipe
from keras_alexnet.training.fit import compile_by

LABELS = np.array([2, 0, 1])


def scores():
    return np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


def probabilities():
    powers = np.exp(scores())
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.75])
@pytest.mark.parametrize("from_logits", [False, True])
def test_it_is_kerass_of_one_hot_vectors(smoothing, from_logits):
    y_pred = scores() if from_logits else probabilities()
    found = LabelCrossentropy(smoothing, from_logits)(LABELS, y_pred)
    wanted = keras.losses.CategoricalCrossentropy(
        from_logits, label_smoothing=smoothing
    )(np.eye(4)[LABELS], y_pred)
    assert float(found) == pytest.approx(float(wanted), rel=1e-5)


def test_by_hand():
    p = probabilities()
    right = -np.log(p[np.arange(3), LABELS])
    spread = -np.log(p).mean(axis=1)
    loss = LabelCrossentropy(0.3, reduction="none")
    found = keras.ops.convert_to_numpy(loss(LABELS[:, None], p))
    np.testing.assert_allclose(found, 0.7 * right + 0.3 * spread, rtol=1e-5)


def test_a_probability_of_zero_has_a_finite_cost():
    sure = np.eye(4, dtype="float32")[LABELS]
    assert np.isfinite(float(LabelCrossentropy(0.1)(LABELS, sure)))


def test_out_of_its_range():
    for wrong in (-0.1, 1.0, float("nan")):
        with pytest.raises(ValueError, match=r"in \[0, 1\). Received: label_"):
            LabelCrossentropy(wrong)


def test_it_is_saved():
    loss = LabelCrossentropy(0.2, from_logits=True)
    config = keras.saving.serialize_keras_object(loss)
    again = keras.saving.deserialize_keras_object(config)
    assert (again.label_smoothing, again.from_logits) == (0.2, True)


@pytest.mark.parametrize("activation", ["softmax", None])
def test_a_recipe_trains_by_it(activation):
    inputs = keras.Input((4,))
    outputs = keras.layers.Activation(activation or "linear")(inputs)
    model = keras.Model(inputs, outputs)
    compile_by(Recipe(label_smoothing=0.25), model)
    found = model.evaluate(scores(), LABELS, verbose=0)[0]
    wanted = keras.losses.CategoricalCrossentropy(label_smoothing=0.25)(
        np.eye(4)[LABELS], probabilities()
    )
    assert found == pytest.approx(float(wanted), rel=1e-5)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="differentiates a graph"
)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_sure_network_learns_to_be_less_sure(smoothing):
    """Probabilities of 1e-18, in a graph; by hand: p - (1 - s) y - s / 4."""
    import tensorflow as tf

    loss = LabelCrossentropy(smoothing)

    @tf.function
    def cost_and_gradient(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            cost = loss(tf.constant([0]), tf.nn.softmax(logits))
        return cost, tape.gradient(cost, logits)

    cost, gradient = cost_and_gradient(tf.constant([[40.0, 0, 0, 0]]))
    assert float(cost) == pytest.approx(smoothing * 30, abs=1e-5)
    wanted = smoothing * np.array([[0.75, -0.25, -0.25, -0.25]])
    np.testing.assert_allclose(gradient.numpy(), wanted, atol=1e-6)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's refusal"
)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("label", [-1, 4])
def test_labels_out_of_range_are_refused(smoothing, label):
    with pytest.raises(Exception, match="label value"):
        LabelCrossentropy(smoothing)(np.array([0, label]), probabilities()[:2])
