"""PyTorch state dicts as named arrays, from `.pth` and `.safetensors`."""

import re

import numpy as np

from keras_alexnet.disk import replacing
from keras_alexnet.weights.pytorch import read_pth
from keras_alexnet.weights.zipped import unzipped


def read_state_dict(path):
    """Reads a state dict of a PyTorch model.

    The format is recognized by the content; the name does not matter, except
    that a `.zip` archive is unpacked if it holds one file. The
    `module.` that `DataParallel` puts into names is removed.

    Args:
        path: Path of a file written by `torch.save` (a state dict, or a
            checkpoint that holds one as `"state_dict"`), or by safetensors.

    Returns:
        Dict of name to array.

    Raises:
        ValueError: If the file is damaged, or holds more than tensors.

    Example:

    >>> import numpy as np
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "net.safetensors")
    >>> write_state_dict(path, {"module.fc.bias": np.zeros(2, "float32")})
    >>> read_state_dict(path)
    {'fc.bias': array([0., 0.], dtype=float32)}
    """
    with unzipped(path) as unpacked:
        return _read(unpacked)


def _read(path):
    with open(path, "rb") as file:
        # A header length below 2**56, then JSON.
        start = file.read(9)
    if start[7:] == b"\0{":
        arrays = _read_safetensors(path)
    else:
        arrays = read_pth(path)
    return {
        # PyTorch's ImageNet script wraps only the features of AlexNet, so
        # `module.` is in the middle of their names.
        re.sub(r"(^|\.)module\.", r"\1", name): array
        for name, array in arrays.items()
    }


def write_state_dict(path, arrays):
    """Writes named arrays in the safetensors format, which PyTorch reads.

    Args:
        path: Path of the file. Nothing is left there if writing fails.
        arrays: Dict of name to array.

    Raises:
        OSError: If the file cannot be written, as on a full disk.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays = {
        name: np.ascontiguousarray(array) for name, array in arrays.items()
    }
    with replacing(path) as temporary:
        try:
            save_file(arrays, temporary, metadata={"format": "pt"})
        except SafetensorError as error:
            size = sum(array.nbytes for array in arrays.values())
            raise OSError(
                f"{path} ({size / 1e6:.1f} MB) cannot be written: {error}"
            ) from error


def _read_safetensors(path):
    # Makes NumPy know bfloat16.
    import ml_dtypes  # noqa: F401
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
    # Safetensors' own exception is derived from `Exception` alone.
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read as safetensors: {error}"
        ) from error
    return {
        name: array.astype("float32")
        if array.dtype.name == "bfloat16"
        else array
        for name, array in arrays.items()
    }
