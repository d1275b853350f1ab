import keras
import pytest

from keras_alexnet import AlexNet
from keras_alexnet.columns import conversion
from keras_alexnet.models import activation_bytes
from keras_alexnet.models import multiply_adds
from keras_alexnet.models import training_bytes
from keras_alexnet.models.cost import neurons


@pytest.fixture(scope="module")
def networks():
    grouped = AlexNet(input_shape=(67, 67, 3), classes=10)
    return grouped, conversion.divided(grouped)


@pytest.mark.parametrize("count", [multiply_adds, neurons])
def test_columns_cost_what_the_network_costs(count, networks):
    grouped, columns = networks
    assert count(columns) == count(grouped)
    assert list(count(columns))[:2] == ["conv1", "conv2"]


def test_columns_hold_each_other_s_outputs_too(networks):
    grouped, columns = networks
    # What each column gets of pool2, pool5 and fc6, and fc7 as it is joined.
    # The paper's norms see their own column alone.
    exchanged = 2 * (3 * 3 * 256 + 256 + 4096) + 4096
    assert (
        activation_bytes(columns) == activation_bytes(grouped) + 4 * exchanged
    )
    one, both = training_bytes(grouped, 8), training_bytes(columns, 8)
    assert both["activations"] == 8 * activation_bytes(columns)
    assert both["parameters"] == one["parameters"]


def test_networks_within_networks_count():
    base = AlexNet(input_shape=(67, 67, 3), include_top=False)
    head = keras.Sequential(
        [
            keras.Input((67, 67, 3)),
            base,
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    costs = multiply_adds(head)
    assert multiply_adds(base).items() <= costs.items()
    assert len(costs) == len(multiply_adds(base)) + 1
    assert activation_bytes(head) > activation_bytes(base)
