"""A network of columns on their own devices tells what the grouped one does."""

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("columns are TensorFlow's", allow_module_level=True)

from column_networks import batch  # noqa: E402
from column_networks import reference  # noqa: E402

from keras_alexnet import inspection  # noqa: E402
from keras_alexnet.distribution import ColumnParallelStrategy  # noqa: E402
from keras_alexnet.distribution import to_columns  # noqa: E402
from keras_alexnet.models import to_fully_convolutional  # noqa: E402


@pytest.fixture(scope="module")
def pair():
    """A network of columns, and the same in one piece."""
    keras.utils.set_random_seed(0)
    grouped = reference()
    with ColumnParallelStrategy(["/CPU:0", "/CPU:1"]).scope():
        return to_columns(grouped), grouped


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: inspection.gradient(m, x, unit=2),
        lambda m, x: inspection.deconvnet(m, x, "conv2", 5),
        lambda m, x: inspection.guided_backpropagation(m, x, unit=2),
        lambda m, x: inspection.integrated_gradients(m, x, unit=2, steps=3),
        lambda m, x: inspection.grad_cam(m, x, unit=2),
        lambda m, x: inspection.occlusion(m, x[0], stride=20).probability,
        lambda m, x: inspection.activations(m, x, ["norm1"])["norm1"],
        lambda m, x: (
            inspection.top_patches(m, x, "conv2", [1, 6], count=2).projections
        ),
        lambda m, x: np.array(inspection.lrn_effect(m, x)["norm1"].mean),
        lambda m, x: inspection.color_specialization(m, 9).shares,
        lambda m, x: np.array(
            [f.size + f.offset for f in inspection.receptive_fields(m).values()]
        ),
        lambda m, x: keras.ops.convert_to_numpy(to_fully_convolutional(m)(x)),
    ],
)
def test_columns_tell_the_same(function, pair):
    images, _ = batch()
    columns, grouped = pair
    found, wanted = function(columns, images), function(grouped, images)
    scale = np.abs(wanted).max()
    assert scale > 0
    np.testing.assert_allclose(found, wanted, atol=1e-5 * scale)
