"""A network of Keras layers in PyTorch, with equal weights."""

import keras
import numpy as np
import pytest

from keras_alexnet.layers import CeilAveragePooling2D
from keras_alexnet.layers import CeilMaxPooling2D
from keras_alexnet.layers import GroupedConv2D
from keras_alexnet.layers import LocalResponseNormalization

torch = pytest.importorskip("torch")
nn = torch.nn


class GroupedLRN(nn.Module):
    """PyTorch's LRN, each column by itself."""

    def __init__(self, layer):
        super().__init__()
        self.groups = layer.groups
        # PyTorch divides alpha by the size.
        alpha = layer.scale * layer.n
        self.norm = nn.LocalResponseNorm(layer.n, alpha, layer.beta, layer.k)

    def forward(self, x):
        return torch.cat([self.norm(y) for y in x.chunk(self.groups, 1)], 1)


class Flatten(nn.Module):
    """In Keras's order, channels last."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def to_torch(model):
    """The layers before the softmax, as a `nn.Sequential`."""
    modules = []
    for layer in model.layers[1:]:
        if layer.name == "prob":
            break
        modules += _modules(layer)
        relu = getattr(layer, "activation", None) is keras.activations.relu
        if relu:
            modules.append(nn.ReLU())
    return nn.Sequential(*modules).eval()


def _modules(layer):
    if isinstance(layer, GroupedConv2D):
        return _convolution(layer)
    if isinstance(layer, LocalResponseNormalization):
        return [GroupedLRN(layer)]
    if isinstance(layer, keras.layers.MaxPooling2D):
        ceil = isinstance(layer, CeilMaxPooling2D)
        return [nn.MaxPool2d(layer.pool_size, layer.strides, ceil_mode=ceil)]
    if isinstance(layer, keras.layers.AveragePooling2D):
        ceil = isinstance(layer, CeilAveragePooling2D)
        return [nn.AvgPool2d(layer.pool_size, layer.strides, ceil_mode=ceil)]
    if isinstance(layer, keras.layers.Flatten):
        return [Flatten()]
    if isinstance(layer, keras.layers.Dense):
        return [_linear(layer)]
    assert isinstance(layer, (keras.layers.Dropout, keras.layers.Activation))
    return []


def _convolution(layer):
    size, stride = layer.kernel_size[0], layer.strides[0]
    padding = layer.get_config()["padding"]
    before = after = padding if isinstance(padding, int) else 0
    if padding == "same":
        before = after = size // 2
    if padding == "ceil":
        after = -(layer.input.shape[1] - size) % stride
    kernel, bias = (np.array(x) for x in layer.get_weights())
    module = nn.Conv2d(
        kernel.shape[2] * layer.groups,
        layer.filters,
        size,
        stride,
        groups=layer.groups,
    )
    module.weight.data = torch.tensor(kernel.transpose(3, 2, 0, 1))
    module.bias.data = torch.tensor(bias)
    return [nn.ZeroPad2d((before, after, before, after)), module]


def _linear(layer):
    kernel, bias = (np.array(x) for x in layer.get_weights())
    module = nn.Linear(*kernel.shape)
    module.weight.data = torch.tensor(kernel.T.copy())
    module.bias.data = torch.tensor(bias)
    return module


def images_first(images):
    return torch.tensor(images.transpose(0, 3, 1, 2))


def images_last(tensor):
    return tensor.detach().numpy().transpose(0, 2, 3, 1)
