import keras
import numpy as np
import pytest

from keras_alexnet.training import AlexNetSGD
from keras_alexnet.training import AsRunSchedule
from keras_alexnet.training import DivideOnPlateau
from keras_alexnet.training import PolynomialSchedule
from keras_alexnet.training import StepSchedule
from keras_alexnet.training import cosine_schedule


def make_model(optimizer=None):
    inputs = keras.Input((2,))
    x = keras.layers.Dense(3, name="conv1")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1, name="fc8")(x))
    model.compile(optimizer or AlexNetSGD(0.01), "mse", run_eagerly=True)
    return model


def rate(model):
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


def run(callback, model, errors):
    """Feeds validation errors; gives the rate of each epoch."""
    callback.set_model(model)
    callback.on_train_begin()
    model.stop_training = False
    used = []
    for epoch, error in enumerate(errors):
        callback.on_epoch_begin(epoch)
        logs = {"val_top1_error": error}
        callback.on_epoch_end(epoch, logs)
        used.append(logs["learning_rate"])
        if model.stop_training:
            break
    return used


def test_divides_three_times_then_stops():
    model = make_model()
    errors = [0.9, 0.8, 0.8, 0.8, 0.7, 0.7, 0.7] + [0.7] * 20
    used = run(DivideOnPlateau(patience=2), model, errors)
    # The error stands from epoch 2, 5, 7, 9 on; two epochs each.
    want = [0.01] * 4 + [0.001] * 3 + [1e-4] * 2 + [1e-5] * 2
    assert used == pytest.approx(want, rel=1e-5)
    assert model.stop_training


def test_an_improvement_starts_the_count_anew():
    model = make_model()
    errors = [0.9, 0.9, 0.8, 0.8, 0.7, 0.7]
    used = run(DivideOnPlateau(patience=2), model, errors)
    assert used == pytest.approx([0.01] * 6)


def test_plateau_options():
    model = make_model()
    schedule = DivideOnPlateau(
        patience=1, factor=2, times=1, min_delta=0.1, stop=False
    )
    used = run(schedule, model, [0.9, 0.85, 0.9, 0.9])
    assert used == pytest.approx([0.01, 0.01, 0.005, 0.005])
    assert not model.stop_training


def test_nan_is_no_improvement():
    model = make_model()
    used = run(DivideOnPlateau(patience=1), model, [np.nan, 0.5, np.nan, 0.4])
    assert used == pytest.approx([0.01, 0.001, 0.001, 1e-4], rel=1e-5)


def test_plateau_in_fit_logs_the_rate():
    model = make_model()
    x, y = np.zeros((4, 2)), np.zeros((4, 1))
    history = model.fit(
        x,
        y,
        epochs=20,
        validation_data=(x, y),
        callbacks=[DivideOnPlateau("val_loss", patience=1)],
        verbose=0,
    ).history
    want = [0.01, 0.01, 1e-3, 1e-4, 1e-5]
    assert history["learning_rate"] == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize(
    "arguments, match",
    [
        ({"factor": 1}, "`factor` must be more than 1. Received: factor=1"),
        ({"patience": 0}, "`patience` must be 1 or more.*patience=0"),
    ],
)
def test_plateau_arguments_are_checked(arguments, match):
    with pytest.raises(ValueError, match=match):
        DivideOnPlateau(**arguments)


def test_a_missing_monitor_is_explained():
    model = make_model()
    with pytest.raises(ValueError, match=r"\['loss'\]; .* `validation_data`"):
        model.fit(
            np.zeros((4, 2)),
            np.zeros((4, 1)),
            callbacks=[DivideOnPlateau()],
            verbose=0,
        )


class FakeData:
    def __init__(self):
        self.color_sigma = keras.Variable(0.1)

    @property
    def sigma(self):
        return float(keras.ops.convert_to_numpy(self.color_sigma))


# Net #145's own log, layer-params-145.cfg: weights, conv1, biases, noise.
LOG = {
    0: (0.01, 0.01, 0.02, 0.1),
    24: (0.01, 0.01, 0.02, 0.1),
    25: (1e-3, 1e-3, 0.02, 0.1),
    50: (1e-3, 1e-3, 0.02, 0.1),
    51: (1e-4, 1e-4, 0.02, 0.1),
    66: (1e-4, 1e-4, 0.02, 0.1),
    67: (1e-4, 1e-5, 0.02, 0.0),
    71: (1e-4, 1e-5, 0.02, 0.0),
    72: (1e-4, 0.0, 0.02, 0.0),
    79: (1e-5, 0.0, 0.02, 0.0),
    90: (1e-5, 0.0, 0.02, 0.0),
}


@pytest.mark.parametrize("epoch", LOG)
def test_as_run_follows_the_log(epoch):
    model, data = make_model(), FakeData()
    schedule = AsRunSchedule(data=data)
    schedule.set_model(model)
    schedule.on_epoch_begin(epoch)
    weights, conv1, biases, noise = LOG[epoch]
    optimizer = model.optimizer
    assert rate(model) == pytest.approx(weights)
    assert rate(model) * optimizer.multipliers["conv1"] == pytest.approx(conv1)
    assert rate(model) * optimizer.bias_multiplier == pytest.approx(biases)
    assert data.sigma == pytest.approx(noise)


def test_as_run_scales_to_any_number_of_epochs():
    phases = [AsRunSchedule(epochs=10).phase(epoch) for epoch in range(10)]
    assert [share for share, _, _ in phases] == (
        [1.0] * 3 + [0.1] * 3 + [0.01] * 3 + [0.001]
    )
    assert [conv1 for _, conv1, _ in phases] == [1.0] * 8 + [0.0] * 2


def test_as_run_may_lower_the_biases_too_and_set_noise_again():
    model, data = make_model(), FakeData()
    schedule = AsRunSchedule(
        0.1, 4.0, 0.2, data=data, first_layer="fc8", hold_bias_rate=False
    )
    schedule.set_model(model)
    schedule.on_epoch_begin(80)
    assert model.optimizer.bias_multiplier == 2.0
    assert model.optimizer.multipliers == {"conv1": 1.0, "fc8": 0.0}
    schedule.on_epoch_begin(0)
    assert rate(model) == pytest.approx(0.1)
    assert data.sigma == pytest.approx(0.2)


def test_as_run_freezes_in_fit():
    model = make_model()
    kernels = []
    model.fit(
        np.ones((4, 2)),
        np.ones((4, 1)),
        epochs=10,
        callbacks=[
            AsRunSchedule(epochs=10),
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: kernels.append(
                    model.get_weights()[0].copy()
                )
            ),
        ],
        verbose=0,
    )
    moved = [
        not np.array_equal(a, b)
        for a, b in zip(kernels, kernels[1:], strict=False)
    ]
    assert moved == [True] * 7 + [False] * 2
    want = [0.01] * 3 + [1e-3] * 3 + [1e-4] * 3 + [1e-5]
    logged = model.history.history["learning_rate"]
    assert logged == pytest.approx(want, rel=1e-5)


def test_as_run_finds_the_optimizer_in_a_loss_scale():
    inner = AlexNetSGD(0.01)
    model = make_model(keras.optimizers.LossScaleOptimizer(inner))
    schedule = AsRunSchedule()
    schedule.set_model(model)
    schedule.on_epoch_begin(72)
    assert inner.multipliers == {"conv1": 0.0, "fc8": 1.0}


def test_as_run_needs_its_optimizer():
    schedule = AsRunSchedule()
    schedule.set_model(make_model("sgd"))
    with pytest.raises(TypeError, match="needs an `AlexNetSGD`.* SGD"):
        schedule.on_epoch_begin(0)


def test_cosine():
    schedule = cosine_schedule(0.01, epochs=4).schedule
    want = [0.01, 0.01 * (1 + np.sqrt(0.5)) / 2, 0.005]
    assert [schedule(epoch) for epoch in range(3)] == pytest.approx(want)
    assert schedule(4) == pytest.approx(0.0)


def test_steps_lower_the_rate_of_the_weights_alone():
    model = make_model()
    schedule = StepSchedule(0.01, epochs=(2, 3), factor=10)
    used = run(schedule, model, [0.5] * 2)
    assert used == pytest.approx([0.01] * 2)
    schedule.on_epoch_begin(3)
    assert rate(model) == pytest.approx(1e-4)
    # The biases' rate is the product: 0.02 as before.
    assert model.optimizer.bias_multiplier == pytest.approx(200)


def test_steps_depend_on_the_epoch_alone():
    schedule = StepSchedule(0.01, epochs=(2, 3))
    assert [schedule.share(epoch) for epoch in (4, 0, 2)] == [0.01, 1.0, 0.1]


def test_steps_refuse_what_they_cannot_do():
    with pytest.raises(ValueError, match="`factor` must be more than 1.*=1"):
        StepSchedule(0.01, epochs=(2,), factor=1)
    schedule = StepSchedule(0.01, epochs=(2,))
    schedule.set_model(make_model(keras.optimizers.SGD()))
    with pytest.raises(TypeError, match="`StepSchedule` needs an `AlexNetSGD`"):
        schedule.on_epoch_begin(0)


def test_polynomial_by_hand():
    schedule = PolynomialSchedule(0.01, power=0.5)
    assert schedule.rate(0, 60) == 0.01
    # sqrt(1 - 45 / 60) is a half.
    assert schedule.rate(45, 60) == pytest.approx(0.005)
    assert schedule.rate(60, 60) == schedule.rate(61, 60) == 0


def test_polynomial_in_fit_goes_down_by_steps():
    model = make_model()
    rates = []

    class Note(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            rates.append(rate(model))

    x, y = np.zeros((6, 2)), np.zeros((6, 1))
    history = model.fit(
        x,
        y,
        batch_size=2,
        epochs=2,
        verbose=0,
        callbacks=[PolynomialSchedule(0.06, power=1.0), Note()],
    )
    assert rates == pytest.approx([0.06, 0.05, 0.04, 0.03, 0.02, 0.01])
    assert history.history["learning_rate"] == pytest.approx([0.04, 0.01])


def test_polynomial_needs_to_know_its_length():
    schedule = PolynomialSchedule(0.01)
    schedule.set_params({"epochs": 2, "steps": None})
    with pytest.raises(ValueError, match="dataset of unknown length"):
        schedule.on_train_begin()
    with pytest.raises(ValueError, match="`power` must be positive"):
        PolynomialSchedule(0.01, power=0)
