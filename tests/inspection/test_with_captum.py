"""Maps of pixels equal captum's, on equal weights."""

import keras
import numpy as np
import pytest
from inspected_networks import small_network

from keras_alexnet.inspection import deconvnet
from keras_alexnet.inspection import grad_cam
from keras_alexnet.inspection import gradient
from keras_alexnet.inspection import guided_backpropagation
from keras_alexnet.inspection import integrated_gradients
from keras_alexnet.inspection import occlusion

pytest.importorskip("torch")
attr = pytest.importorskip("captum.attr", reason="compares with captum")

from torch_network import images_first  # noqa: E402
from torch_network import images_last  # noqa: E402
from torch_network import to_torch  # noqa: E402

if keras.config.image_data_format() != "channels_last":
    pytest.skip("weights are copied channels last", allow_module_level=True)

# Grouped convolutions and an LRN per column; LRN and poolings before the ReLU
# and a norm within each map would need a peer of their own in PyTorch.
PRESETS = ["paper", "zfnet", "owt", "vgg_a_lrn", "cifar_19"]
CLASSES = [3, 7]


def network(preset):
    model = small_network(preset)
    shape = (2, *model.input_shape[1:])
    images = np.random.default_rng(0).normal(0, 2, shape).astype("float32")
    return model, to_torch(model), images


def close(found, wanted, tolerance=1e-4):
    assert found.shape == wanted.shape
    scale = np.abs(wanted).max()
    assert scale > 1e-6
    assert np.abs(found - wanted).max() <= tolerance * scale


@pytest.mark.parametrize("preset", PRESETS)
def test_signals_sent_back(preset):
    model, peer, images = network(preset)
    x = images_first(images).requires_grad_()
    for ours, theirs in (
        (gradient(model, images, unit=CLASSES), attr.Saliency(peer)),
        (
            deconvnet(model, images, unit=CLASSES, lrn="derivative"),
            attr.Deconvolution(peer),
        ),
        (
            guided_backpropagation(model, images, unit=CLASSES),
            attr.GuidedBackprop(peer),
        ),
    ):
        options = {"abs": False} if isinstance(theirs, attr.Saliency) else {}
        wanted = theirs.attribute(x, target=CLASSES, **options)
        close(ours, images_last(wanted))


@pytest.mark.parametrize("preset", ["paper", "cifar_19"])
def test_integrated_gradients(preset):
    model, peer, images = network(preset)
    found = integrated_gradients(model, images, unit=CLASSES, steps=8)
    wanted = attr.IntegratedGradients(peer).attribute(
        images_first(images), target=CLASSES, n_steps=8
    )
    close(found, images_last(wanted))


@pytest.mark.parametrize("preset", ["paper", "owt"])
def test_grad_cam(preset):
    model, peer, images = network(preset)
    # The ReLU of the last convolution: the last one before the pooling.
    kinds = [type(module).__name__ for module in peer]
    last = kinds.index("Flatten") - 2
    assert kinds[last : last + 2] == ["ReLU", "MaxPool2d"]
    wanted = attr.LayerGradCam(peer, peer[last]).attribute(
        images_first(images), target=CLASSES, relu_attributions=True
    )
    found = grad_cam(model, images, unit=CLASSES)
    # captum sums the gradients where Grad-CAM averages them.
    close(found, wanted.detach().numpy()[:, 0])


def test_occlusion():
    model, peer, images = network("owt")
    size = 19
    image = images[:1, : 5 * size, : 5 * size]
    assert image.shape == images[:1].shape
    import torch

    probabilities = torch.nn.Sequential(peer, torch.nn.Softmax(dim=1))
    wanted = attr.Occlusion(probabilities).attribute(
        images_first(image),
        target=3,
        sliding_window_shapes=(3, size, size),
        strides=(3, size, size),
        baselines=0.0,
    )
    found = occlusion(model, image[0], unit=3, size=size, stride=size)
    lost = found.uncovered[1] - found.probability
    # Each place of captum's map is that of one square.
    squares = images_last(wanted)[0, ::size, ::size, 0]
    close(lost, squares, tolerance=1e-3)
