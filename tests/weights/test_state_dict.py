import numpy as np
import pytest

from keras_alexnet.weights.state_dict import read_state_dict
from keras_alexnet.weights.state_dict import write_state_dict


def test_round_trip_is_exact(tmp_path):
    rng = np.random.default_rng(0)
    named = {
        "features.0.weight": rng.normal(size=(4, 3, 5, 5)).astype("float32"),
        "transposed": rng.normal(size=(3, 4)).astype("float32").T,
    }
    path = tmp_path / "a.safetensors"
    write_state_dict(path, named)
    found = read_state_dict(path)
    assert found.keys() == named.keys()
    for name in named:
        np.testing.assert_array_equal(found[name], named[name])
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "saved, name",
    [
        ("module.features.0.bias", "features.0.bias"),
        # DataParallel around `model.features` alone, as ImageNet's training
        # script has it for AlexNet.
        ("features.module.0.bias", "features.0.bias"),
        ("my_module.bias", "my_module.bias"),
    ],
)
def test_data_parallel_prefixes_are_removed(saved, name, tmp_path):
    path = tmp_path / "a.safetensors"
    write_state_dict(path, {saved: np.zeros(2, "float32")})
    assert list(read_state_dict(path)) == [name]


def test_the_ending_of_the_name_does_not_matter(tmp_path):
    torch = pytest.importorskip("torch")
    write_state_dict(tmp_path / "a.pth", {"a": np.ones(2, "float32")})
    torch.save({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    for path in tmp_path.iterdir():
        assert read_state_dict(path)["a"].tolist() == [1.0, 1.0]


def test_pytorch_reads_and_writes_the_same(tmp_path):
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("safetensors.torch")
    write_state_dict(tmp_path / "ours", {"a": np.ones((2, 3), "float32")})
    assert library.load_file(tmp_path / "ours")["a"].shape == (2, 3)
    library.save_file(
        {"half": torch.ones(2).half(), "brain": torch.ones(2).bfloat16()},
        tmp_path / "theirs",
    )
    found = read_state_dict(tmp_path / "theirs")
    assert found["brain"].dtype == "float32"
    assert found["brain"].tolist() == found["half"].tolist() == [1.0, 1.0]


def test_damaged_safetensors_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    write_state_dict(path, {"a": np.ones(99, "float32")})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match="cannot be read as safetensors"):
        read_state_dict(path)


def test_a_full_disk_is_an_os_error_and_leaves_nothing(tmp_path):
    resource = pytest.importorskip("resource")
    path = tmp_path / "net.safetensors"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As on a full disk, what is longer cannot be written.
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"net.safetensors .0.4 MB. cannot"):
            write_state_dict(path, {"a": np.zeros(100_000, "float32")})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_files_can_be_read_by_those_who_share_the_folder(tmp_path):
    write_state_dict(tmp_path / "net.safetensors", {"bias": np.zeros(2)})
    (tmp_path / "plain").touch()
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1
