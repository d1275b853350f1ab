"""Weights that are not finite are told, and not drawn."""

import numpy as np
import pytest
from inspected_networks import small_network

from keras_alexnet import inspection


@pytest.mark.parametrize(
    "function",
    [
        inspection.gradient,
        inspection.deconvnet,
        inspection.integrated_gradients,
        inspection.grad_cam,
        inspection.layer_statistics,
        lambda model, x: inspection.occlusion(model, x[0]),
        lambda model, x: inspection.top_patches(model, x, "conv2", count=1),
    ],
)
def test_weights_of_nan_are_refused(function):
    model = small_network("cifar_26")
    for name in ("conv2", "fc6"):
        layer = model.get_layer(name)
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel, np.full_like(bias, np.nan)])
    shape = model.input_shape[1:]
    with pytest.raises(
        ValueError, match="must be finite; .*diverged. Rec.*NaN"
    ):
        function(model, np.ones((1, *shape), "float32"))
