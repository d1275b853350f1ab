import keras
import numpy as np
import pytest

from keras_alexnet.training.saved_variables import assign
from keras_alexnet.training.saved_variables import fitted
from keras_alexnet.training.saved_variables import gather
from keras_alexnet.training.snapshots import Snapshots


@pytest.fixture
def snapshots(tmp_path):
    return Snapshots(tmp_path / "run")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int32"])
def test_variables_come_back(snapshots, dtype):
    values = np.arange(6).reshape(2, 3)
    variable = keras.Variable(values, dtype=dtype, trainable=False)
    snapshots.write(gather("model", [variable]), {})
    variable.assign(np.zeros((2, 3)))
    assign("model", [variable], snapshots.read()[0])
    got = keras.ops.convert_to_numpy(variable).astype("float64")
    np.testing.assert_array_equal(got, values)


def test_other_variables_are_refused():
    arrays = gather("model", [keras.Variable(np.zeros((2, 3)), name="w")])
    one, other = keras.Variable(np.zeros(1)), keras.Variable(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="1 variables of the model.* has 2"):
        assign("model", [one, other], arrays)
    with pytest.raises(ValueError, match=r"model/0/w of shape \(2, 3\), but"):
        assign("model", [one], arrays)
    with pytest.raises(ValueError, match="0 variables of the optimizer"):
        assign("optimizer", [one], arrays)


def test_columns_and_a_grouped_network_read_each_other():
    values = np.arange(12.0).reshape(3, 4)
    grouped = [Named("conv2/kernel", values), Named("fc8/bias", [1.0])]
    columns = [
        Named("conv2_column0/conv2/kernel", values[:, :2]),
        Named("conv2_column1/conv2/kernel", values[:, 2:]),
        Named("fc8/bias", [1.0]),
    ]
    for source, target in ((grouped, columns), (columns, grouped)):
        arrays = {
            f"model/{index}/{each.path}": each.value
            for index, each in enumerate(source)
        }
        found = fitted("model", target, arrays)
        for each, value in zip(target, found, strict=True):
            np.testing.assert_array_equal(value, each.value)


class Named:
    """As much of a variable as is asked for."""

    def __init__(self, path, value):
        self.path = path
        self.value = np.asarray(value, "float32")
        self.shape = self.value.shape
