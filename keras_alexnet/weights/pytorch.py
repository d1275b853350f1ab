"""PyTorch's `.pth` files: the zip format, and the one before version 1.6."""

import math
import os
import zipfile

import numpy as np

from keras_alexnet.weights.unpickling import LONGEST_PICKLE
from keras_alexnet.weights.unpickling import StoredTensor
from keras_alexnet.weights.unpickling import read_pickle

# MAGIC_NUMBER and PROTOCOL_VERSION of torch/serialization.py.
LEGACY_HEADERS = [0x1950A86A20F9469CFC6C, 1001]
LEGACY_START = LEGACY_HEADERS[0].to_bytes(10, "little")

# Where training scripts keep the state dict of a checkpoint.
NESTED = ("state_dict", "model_state_dict", "model")


def read_pth(path):
    """Reads the tensors of a file that `torch.save` wrote.

    Nothing that the file names is imported or called. PyTorch is not asked,
    even where it is installed: with `weights_only=True` it does not execute
    what is in the file either, but takes all the memory and time that a small
    hostile file asks for.

    Args:
        path: Path of a state dict, or of a dict that has one as
            `"state_dict"`.

    Returns:
        Dict of name to array.

    Raises:
        ValueError: If the file is damaged, or holds more than tensors and
            plain values.

    Reference: `torch/serialization.py` of PyTorch.
    """
    with open(path, "rb") as file:
        try:
            return _read(file)
        # The last five are `zipfile`'s, of damaged archives.
        except (
            ValueError,
            EOFError,
            NotImplementedError,
            OSError,
            RuntimeError,
            zipfile.BadZipFile,
        ) as error:
            raise ValueError(
                f"{path} cannot be read as a file of PyTorch tensors: {error}"
            ) from error


def _read(file):
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            _check_zip(archive, os.fstat(file.fileno()).st_size)
            return _read_zip(archive)
    file.seek(0)
    if LEGACY_START not in file.read(32):
        raise ValueError("it is neither an archive nor a pickle.")
    return _read_legacy(file)


def _check_zip(archive, size):
    """Refuses archives that would unpack to more than they are."""
    records = archive.infolist()
    for record in records:
        if record.compress_type != zipfile.ZIP_STORED:
            raise ValueError(
                f"its record {record.filename!r} is compressed, which "
                "`torch.save` never does."
            )
    if sum(record.file_size for record in records) > size:
        raise ValueError("its records are larger than the file.")


def find_state_dict(value, tensor_type):
    """The named tensors of a checkpoint.

    Args:
        value: What a file holds.
        tensor_type: The class of its tensors.

    Returns:
        Dict of name to tensor.

    Raises:
        ValueError: If there are none.
    """
    candidates = [value]
    if isinstance(value, dict):
        candidates = [value.get(key) for key in NESTED] + candidates
    for candidate in candidates:
        if isinstance(candidate, dict):
            tensors = {
                name: tensor
                for name, tensor in candidate.items()
                if isinstance(tensor, tensor_type) and isinstance(name, str)
            }
            if tensors:
                return tensors
    raise ValueError(
        "it has no named tensors, neither as a whole nor under "
        f"{', '.join(NESTED)}. Save `model.state_dict()`."
    )


def _read_zip(archive):
    names = set(archive.namelist())
    root = next((n for n in sorted(names) if n.endswith("/data.pkl")), None)
    if root is None:
        raise ValueError("the archive has no `data.pkl`.")
    if archive.getinfo(root).file_size > LONGEST_PICKLE:
        raise ValueError("its pickle is too long for a file of tensors.")
    root = root.removesuffix("data.pkl")
    big = (
        f"{root}byteorder" in names
        and archive.read(f"{root}byteorder") == b"big"
    )
    described = read_pickle(archive.read(f"{root}data.pkl"))
    tensors = find_state_dict(described.value, StoredTensor)
    loaded = {}
    for tensor in tensors.values():
        key = tensor.storage.key
        if key not in loaded:
            if f"{root}data/{key}" not in names:
                raise ValueError(f"the archive has no storage {key!r}.")
            loaded[key] = archive.read(f"{root}data/{key}")
    return _arrays(tensors, loaded, ">" if big else "<")


def _read_legacy(file):
    size = os.fstat(file.fileno()).st_size
    position = 0
    parts = []
    # Magic number, protocol, system, object, keys of the storages.
    for _ in range(5):
        file.seek(position)
        parts.append(read_pickle(file.read(LONGEST_PICKLE)))
        position += parts[-1].length
        values = [part.value for part in parts]
        if values[:2] != LEGACY_HEADERS[: len(parts)]:
            raise ValueError("it is not of the protocol of PyTorch 0.1 to 1.5.")
    _, _, system, _, keys = values
    big = isinstance(system, dict) and system.get("little_endian") is False
    tensors = find_state_dict(parts[3].value, StoredTensor)
    wanted = {tensor.storage.key for tensor in tensors.values()}
    loaded = {}
    for key in keys if isinstance(keys, list) else ():
        storage = parts[3].storages.get(key) if type(key) is str else None
        if storage is None:
            raise ValueError(f"nothing is known of its storage {key!r}.")
        length = 8 + storage.count * _item_size(storage.dtype)
        if length > size - position:
            raise ValueError(f"it ends in the middle of storage {key}.")
        if key in wanted:
            file.seek(position + 8)
            loaded[key] = file.read(length - 8)
        position += length
    if wanted - set(loaded):
        raise ValueError("it has not all the storages that it names.")
    return _arrays(tensors, loaded, ">" if big else "<")


def _arrays(tensors, loaded, order):
    return {
        name: _array(name, tensor, loaded[tensor.storage.key], order)
        for name, tensor in tensors.items()
    }


def _array(name, tensor, data, order):
    """A view of a storage's bytes, inside of which it is proved to lie."""
    storage, offset, size, stride = tensor
    item = _item_size(storage.dtype)
    last = offset + sum(
        (side - 1) * step for side, step in zip(size, stride, strict=True)
    )
    # Repeated elements (stride 0) would make large arrays of small files.
    if math.prod(size) > storage.count or (
        math.prod(size) and last >= storage.count
    ):
        raise ValueError(f"tensor {name!r} reaches out of its storage.")
    if (storage.first + storage.count) * item > len(data):
        raise ValueError(f"the storage of tensor {name!r} is cut off.")
    if not math.prod(size):
        return np.zeros([min(side, 1) for side in size], "float32")
    bits = "u2" if storage.dtype == "bfloat16" else storage.dtype
    values = np.frombuffer(
        data, order + bits, count=storage.count, offset=storage.first * item
    )
    if storage.dtype == "bfloat16":
        values = (values.astype("uint32") << 16).view("float32")
    return np.lib.stride_tricks.as_strided(
        values[offset:],
        size,
        [step * values.itemsize for step in stride],
        writeable=False,
    )


def _item_size(dtype):
    return 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
