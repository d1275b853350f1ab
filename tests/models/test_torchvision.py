"""torchvision's alexnet: recognized, and computed as PyTorch computes it."""

import dataclasses

import numpy as np
import pytest
from small_networks import CLASSES
from small_networks import build
from small_networks import outputs
from small_networks import predict
from small_networks import small

from keras_alexnet.models import save_weights
from keras_alexnet.models.difference import difference
from keras_alexnet.models.presets import OWT
from keras_alexnet.models.pretrained import load_weights
from keras_alexnet.models.torchvision import MODULES
from keras_alexnet.models.torchvision import read_torchvision
from keras_alexnet.models.torchvision import write_torchvision
from keras_alexnet.weights.state_dict import read_state_dict
from keras_alexnet.weights.state_dict import write_state_dict

torch = pytest.importorskip("torch")
nn = torch.nn

FILTERS = (8, 16, 24, 12, 16)
UNITS = (20, 24)


class TorchAlexNet(nn.Module):
    """What `torchvision.models.alexnet` is, of any widths."""

    def __init__(
        self, filters=FILTERS, units=UNITS, classes=CLASSES, map_size=2
    ):
        super().__init__()
        a, b, c, d, e = filters
        self.features = nn.Sequential(
            nn.Conv2d(3, a, kernel_size=11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(a, b, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.Conv2d(b, c, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(c, d, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(d, e, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((map_size, map_size))
        self.classifier = nn.Sequential(
            nn.Dropout(0.5),
            nn.Linear(e * map_size**2, units[0]),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(*units),
            nn.ReLU(inplace=True),
            nn.Linear(units[1], classes),
        )

    def forward(self, x):
        x = self.avgpool(self.features(x))
        return self.classifier(torch.flatten(x, 1))

    def layers(self, x):
        """Outputs of pool1, pool2, pool5, fc6, fc7 and fc8."""
        found = []
        for index, module in enumerate(self.features):
            x = module(x)
            if index in (2, 5, 12):
                found.append(x)
        x = torch.flatten(self.avgpool(x), 1)
        for index, module in enumerate(self.classifier):
            x = module(x)
            if index in (2, 5, 6):
                found.append(x)
        return [y.detach().numpy().copy() for y in found]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return TorchAlexNet().eval()


def agree(model, network, x):
    names = ["pool1", "pool2", "pool5", "fc6", "fc7", "fc8"]
    theirs = network.layers(torch.tensor(x.transpose(0, 3, 1, 2)))
    for name, wanted, found in zip(
        names, theirs, outputs(model, x, names), strict=True
    ):
        if found.ndim == 4:
            found = found.transpose(0, 3, 1, 2)
        scale = np.abs(wanted).max()
        assert scale > 1e-3, name
        assert np.abs(found - wanted).max() <= 1e-4 * scale, name


def inputs(size=95, count=2):
    random = np.random.default_rng(0)
    return random.normal(size=(count, size, size, 3)).astype("float32")


@pytest.mark.parametrize("format", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_pytorch_computes_the_same(format, prefix, network, tmp_path):
    named = {
        prefix + name: tensor for name, tensor in network.state_dict().items()
    }
    if format == "safetensors":
        path = tmp_path / "net.safetensors"
        write_state_dict(path, {n: t.numpy() for n, t in named.items()})
    else:
        path = tmp_path / "net.pth"
        torch.save(
            {"state_dict": named, "epoch": 90},
            path,
            _use_new_zipfile_serialization=format == "zip",
        )
    architecture, classes, _ = read_torchvision(path)
    # Of the smallest images that give a map of 2 x 2.
    wanted = dataclasses.replace(
        OWT, filters=FILTERS, fc_units=UNITS, input_size=95
    )
    assert difference(architecture, wanted) == ""
    assert classes == CLASSES
    architecture = small("owt")
    model = build(architecture)
    load_weights(model, path)
    agree(model, network, inputs())


def test_pytorch_computes_what_we_save(network, tmp_path):
    architecture = small("owt")
    model = build(architecture)
    path = tmp_path / "net.safetensors"
    save_weights(model, path)
    named = {
        name: torch.tensor(array)
        for name, array in read_state_dict(path).items()
    }
    network.load_state_dict(named)
    agree(model, network, inputs())


def test_round_trip_is_exact(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "theirs.pth")
    architecture = small("owt")
    model = build(architecture)
    load_weights(model, tmp_path / "theirs.pth")
    save_weights(model, tmp_path / "ours.safetensors")
    found = read_state_dict(tmp_path / "ours.safetensors")
    wanted = network.state_dict()
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_raw_images_as_torchvision_prepares_them(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "net.pth")
    architecture = small("owt")
    model = build(architecture, include_preprocessing=True)
    load_weights(model, tmp_path / "net.pth")
    image = np.random.default_rng(0).integers(0, 256, (95, 95, 3), "uint8")
    x = torch.tensor(image.transpose(2, 0, 1))[None] / 255
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    wanted = torch.softmax(network((x - mean) / std), dim=1)
    np.testing.assert_allclose(
        predict(model, image[None]),
        wanted.detach().numpy(),
        rtol=1e-4,
        atol=1e-6,
    )


def test_half_precision_files(network, tmp_path):
    torch.save(network.half().state_dict(), tmp_path / "net.pth")
    _, _, arrays = read_torchvision(tmp_path / "net.pth")
    assert {array.dtype.name for pair in arrays.values() for array in pair} == {
        "float32"
    }


@pytest.mark.parametrize(
    "changes, match",
    [
        (
            {"features.0.weight": (8, 3, 7, 7)},
            r"\(8, 3, 7, 7\); wanted is one of 11 x",
        ),
        ({"features.3.weight": (16, 4, 5, 5)}, "`features.3` has 2 groups"),
        ({"features.10.bias": (7,)}, "`features.10` .* one bias per output"),
        ({"classifier.1.weight": (20, 63)}, "`classifier.1`: .* 63 inputs"),
        ({"features.6.weight": (24, 15, 3, 3)}, "not fit the 16 channels"),
        ({"classifier.4.weight": (24, 19)}, "layer before has 20 outputs"),
        ({"classifier.4.weight": None}, "lacks 'classifier.4.weight'"),
        ({"features.1.running_mean": (8,)}, "no part of it: features.1.runn"),
    ],
)
def test_what_is_no_alexnet_is_refused(changes, match, network, tmp_path):
    named = {n: t.numpy() for n, t in network.state_dict().items()}
    for name, shape in changes.items():
        named.pop(name, None)
        if shape:
            named[name] = np.zeros(shape, "float32")
    path = tmp_path / "net.safetensors"
    write_state_dict(path, named)
    with pytest.raises(ValueError, match=f"no state dict .*{match}"):
        read_torchvision(path)


@pytest.mark.parametrize(
    "architecture, match",
    [
        (small("caffe"), "groups of conv2: 2, not 1"),
        (small("one_gpu"), "stages of conv1"),
        (small("owt", input_size=99, pool_rounding="ceil"), "pool_rounding"),
    ],
)
def test_other_networks_are_not_written(architecture, match, tmp_path):
    with pytest.raises(ValueError, match=f"holds architecture 'owt'.*{match}"):
        write_torchvision(
            tmp_path / "net.safetensors", architecture, {}, (99, 99, 3)
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_full_network_in_pytorch(tmp_path):
    torch.manual_seed(0)
    network = TorchAlexNet(
        OWT.filters, OWT.fc_units, classes=1000, map_size=6
    ).eval()
    count = sum(tensor.numel() for tensor in network.state_dict().values())
    assert count == 61_100_840
    path = tmp_path / "net.pth"
    torch.save(network.state_dict(), path)
    model = build("owt", classes=1000)
    load_weights(model, path)
    agree(model, network, inputs(224, count=1))
    assert list(MODULES) == list(OWT.layer_names)
