"""pytorchcv's AlexNets and ZFNets: PyTorch's outputs from its own files."""

import dataclasses
import hashlib
import zipfile

import numpy as np
import pytest
from small_networks import predict

from keras_alexnet.models import load_network
from keras_alexnet.models import pretrained
from keras_alexnet.models.presets import ARCHITECTURES
from keras_alexnet.weights import published

torch = pytest.importorskip("torch")

# Widths, window and stride and padding of the first two convolutions, norms.
VERSIONS = {
    "alexnet_ptcv": ((96, 256, 384, 384, 256), (11, 4, 0), (5, 1, 2), True),
    "owt": ((64, 192, 384, 256, 256), (11, 4, 2), (5, 1, 2), False),
    "zfnet_ptcv": ((96, 256, 384, 384, 256), (7, 2, 1), (5, 2, 0), True),
    "zfnetb_ptcv": ((96, 256, 512, 1024, 512), (7, 2, 1), (5, 2, 0), True),
}
SHARE = 32


class Unit(torch.nn.Module):
    def __init__(self, channels, filters, window, norm):
        super().__init__()
        size, stride, padding = window
        self.conv = torch.nn.Conv2d(channels, filters, size, stride, padding)
        self.norm = torch.nn.LocalResponseNorm(5, k=2.0) if norm else None

    def forward(self, x):
        x = self.conv(x).relu()
        return self.norm(x) if self.norm else x


class Dense(torch.nn.Module):
    def __init__(self, inputs, units):
        super().__init__()
        self.fc = torch.nn.Linear(inputs, units)

    def forward(self, x):
        return self.fc(x).relu()


def network(name, map_size, classes=7, units=24):
    """A narrow network with the module names of pytorchcv."""
    widths, first, second, norm = VERSIONS[name]
    widths = [3, *(width // SHARE for width in widths)]
    windows = [first, second, *[(3, 1, 1)] * 3]
    convs = [
        Unit(widths[i], widths[i + 1], windows[i], norm and i < 2)
        for i in range(5)
    ]
    features = torch.nn.Sequential()
    for stage, members in enumerate((convs[:1], convs[1:2], convs[2:]), 1):
        part = torch.nn.Sequential()
        for index, conv in enumerate(members, 1):
            part.add_module(f"unit{index}", conv)
        pool = torch.nn.MaxPool2d(3, 2, ceil_mode=True)
        part.add_module(f"pool{stage}", pool)
        features.add_module(f"stage{stage}", part)
    output = torch.nn.Sequential()
    output.add_module("fc1", Dense(widths[-1] * map_size**2, units))
    output.add_module("fc2", Dense(units, units))
    output.add_module("fc3", torch.nn.Linear(units, classes))
    whole = torch.nn.Sequential()
    whole.add_module("features", features)
    whole.add_module("flatten", torch.nn.Flatten())
    whole.add_module("output", output)
    return whole.eval()


@pytest.mark.parametrize("ending", ["pth", "pth.zip"])
@pytest.mark.parametrize("name", VERSIONS)
def test_outputs_are_those_of_pytorch(name, ending, tmp_path):
    torch.manual_seed(0)
    theirs = network(name, 6)
    path = tmp_path / "net.pth"
    torch.save(theirs.state_dict(), path)
    if ending == "pth.zip":
        with zipfile.ZipFile(
            tmp_path / "net.pth.zip", "w", zipfile.ZIP_DEFLATED
        ) as archive:
            archive.write(path, "alexnet-1664.pth")
        path = tmp_path / "net.pth.zip"
    ours = load_network(path)
    assert ours.architecture.name == name
    assert ours.input_shape == (None, 224, 224, 3)
    image = np.random.default_rng(0).uniform(0, 255, (1, 224, 224, 3))
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    x = ((image / 255 - mean) / std).transpose(0, 3, 1, 2).astype("float32")
    with torch.no_grad():
        wanted = theirs(torch.tensor(x)).softmax(1).numpy()
    np.testing.assert_allclose(
        predict(ours, image), wanted, rtol=1e-4, atol=1e-6
    )


def change(named, name, edit):
    named[name] = edit(named[name])
    return named


@pytest.mark.parametrize(
    "edit, match",
    [
        (
            lambda n: {**n, "output.fc4.bias": n["output.fc3.bias"]},
            "differs in the arrays output.fc4.bias",
        ),
        (
            lambda n: {k: v for k, v in n.items() if "unit3" not in k},
            "differs in the arrays features.stage3.unit3.conv.bias",
        ),
        (
            lambda n: change(
                n, "features.stage1.unit1.conv.weight", lambda x: x[..., :3, :3]
            ),
            "kernels of .3, 5, 3, 3, 3. pixels .*unlike those of any",
        ),
        (
            lambda n: change(
                n, "features.stage2.unit1.conv.bias", lambda x: x[:-1]
            ),
            "`features.stage2.unit1.conv` .* one bias per output",
        ),
        (
            lambda n: change(
                n, "features.stage3.unit1.conv.weight", lambda x: x[:, :4]
            ),
            "groups",
        ),
        (
            lambda n: change(n, "output.fc1.fc.weight", lambda x: x[:, :-1]),
            "`output.fc1.fc`",
        ),
    ],
)
def test_other_networks_are_refused(edit, match, tmp_path):
    path = tmp_path / "net.pth"
    torch.save(edit(network("alexnet_ptcv", 6).state_dict()), path)
    with pytest.raises(
        ValueError,
        match=f"net.pth is no AlexNet or ZFNet of pytorchcv.*{match}",
    ):
        load_network(path)


def test_imagenet_comes_out_of_its_archive(tmp_path, monkeypatch):
    theirs = network("zfnet_ptcv", 6, classes=1000)
    path = tmp_path / "net.pth"
    torch.save(theirs.state_dict(), path)
    architecture = dataclasses.replace(
        ARCHITECTURES["zfnet_ptcv"],
        filters=tuple(x // SHARE for x in VERSIONS["zfnet_ptcv"][0]),
        fc_units=(24, 24),
    )
    entry = published.PUBLISHED["zfnet_ptcv"]
    monkeypatch.setitem(
        published.PUBLISHED,
        "zfnet_ptcv",
        dataclasses.replace(
            entry,
            digest=f"sha1:{hashlib.sha1(path.read_bytes()).hexdigest()}",
        ),
    )
    monkeypatch.setitem(ARCHITECTURES, "zfnet_ptcv", architecture)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(published.MIRROR, f"file://{tmp_path}/mirror")
    (tmp_path / "mirror").mkdir()
    served = tmp_path / "mirror" / entry.url.rsplit("/", 1)[1]
    with zipfile.ZipFile(served, "w") as archive:
        archive.write(path, "zfnet.pth")
    found = pretrained.read_weights("imagenet", "zfnet_ptcv")
    kernel, _ = found.arrays["conv2"]
    wanted = theirs.state_dict()["features.stage2.unit1.conv.weight"]
    np.testing.assert_array_equal(kernel.transpose(3, 2, 0, 1), wanted)
    # Only the converted file is left.
    (cached,) = (tmp_path / "home" / "models").iterdir()
    assert cached.suffix == ".safetensors"
    cached.unlink()
    with zipfile.ZipFile(served, "w") as archive:
        archive.writestr("zfnet.pth", b"other weights")
    with pytest.raises(ValueError, match="sha1 .* is right"):
        pretrained.read_weights("imagenet", "zfnet_ptcv")
    assert not list((tmp_path / "home" / "models").iterdir())


@pytest.mark.parametrize(
    "files, match",
    [
        ({"a.pth": b"x", "b.pth": b"y"}, "holds 2 files"),
        ({}, "holds 0 files"),
        ({"a.pth": bytes(10**6)}, "says that it unpacks to 1000000"),
        ({"../../a.pth": b"nothing"}, "cannot be read as a file of PyTorch"),
        (b"PK no archive", "cannot be unpacked"),
    ],
)
def test_archives_that_are_none(files, match, tmp_path):
    path = tmp_path / "net.pth.zip"
    if isinstance(files, bytes):
        path.write_bytes(files)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
    with pytest.raises(ValueError, match=match):
        load_network(path)
    assert [x.name for x in tmp_path.iterdir()] == ["net.pth.zip"]
