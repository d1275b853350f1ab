import types

import pytest

from keras_alexnet.studies import MedianStop

# Means up to epoch 2: 0.7, 0.6, 0.5.
CURVES = [[0.8, 0.6, 0.5], [0.7, 0.5, 0.2], [0.6, 0.4, 0.1]]


def train(stop, errors, epochs=3):
    """Epochs that are run, as `fit` would."""
    stop.set_params({"epochs": epochs})
    stop.set_model(types.SimpleNamespace(stop_training=False))
    stop.on_train_begin()
    for epoch, error in enumerate(errors):
        stop.on_epoch_end(epoch, {"val_top1_error": error})
        if stop.model.stop_training:
            return epoch + 1
    return len(errors)


@pytest.mark.parametrize(
    "errors, epochs, hopeless",
    [
        # Worse than the median of the first epoch, 0.7.
        ([0.71, 0.2, 0.1], 1, True),
        # As good as it; then its best is as good as 0.6.
        ([0.7, 0.6, 0.3], 3, False),
        ([0.7, 0.61, 0.3], 2, True),
        # One bad epoch does not count after a good one.
        ([0.5, 0.9, 0.4], 3, False),
        # The last epoch is over anyway.
        ([0.6, 0.6, 0.6], 3, False),
        # Not a number is never better.
        ([float("nan")] * 3, 1, True),
    ],
)
def test_rule(errors, epochs, hopeless):
    stop = MedianStop(CURVES)
    assert train(stop, errors) == epochs
    assert stop.hopeless is hopeless


def test_waits_for_the_grace():
    assert train(MedianStop(CURVES, grace=2), [0.9, 0.9, 0.9]) == 2


def test_needs_enough_others():
    assert train(MedianStop(CURVES[:2]), [0.9, 0.9, 0.9]) == 3
    assert train(MedianStop(CURVES[:2], least=2), [0.9, 0.9, 0.9]) == 1


def test_forgets_the_training_before():
    stop = MedianStop(CURVES)
    train(stop, [0.9])
    assert train(stop, [0.1, 0.1, 0.1]) == 3
    assert not stop.hopeless


def test_asks_for_validation():
    stop = MedianStop(CURVES)
    with pytest.raises(ValueError, match='a split "holdout"'):
        stop.on_epoch_end(0, {"loss": 1.0})
