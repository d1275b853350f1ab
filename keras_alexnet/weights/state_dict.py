"""PyTorch state dicts as named arrays, from `.pth` and `.safetensors`."""

import os
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


def read_metadata(path):
    """Reads what a safetensors file says of itself.

    Args:
        path: Path of the file.

    Returns:
        Dict of string to string; empty where there is nothing.

    Raises:
        ValueError: If the file is damaged.

    Example:

    >>> import numpy as np
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "net.safetensors")
    >>> write_state_dict(path, {"bias": np.zeros(2)}, {"author": "Alex"})
    >>> read_metadata(path)["author"]
    'Alex'
    """
    from safetensors import safe_open

    # Else a folder would be called damaged.
    with open(path, "rb"):
        pass
    try:
        with safe_open(path, "numpy") as file:
            return file.metadata() or {}
    except Exception as error:
        raise _damaged(path, error) from error


def write_state_dict(path, arrays, metadata=None):
    """Writes named arrays in the safetensors format, which PyTorch reads.

    Args:
        path: Path of the file. Nothing is left there if writing fails.
        arrays: Dict of name to array.
        metadata: Dict of string to string, more that the file says of itself.
            Defaults to `None`.

    Raises:
        OSError: If the file cannot be written, as on a full disk.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays = {
        name: np.ascontiguousarray(array) for name, array in arrays.items()
    }
    with replacing(path) as temporary:
        mode = os.stat(temporary).st_mode
        try:
            save_file(
                arrays, temporary, metadata={"format": "pt", **(metadata or {})}
            )
        except SafetensorError as error:
            size = sum(array.nbytes for array in arrays.values())
            raise OSError(
                f"{path} ({size / 1e6:.1f} MB) cannot be written: {error}"
            ) from error
        # Safetensors lets nobody else read its files.
        os.chmod(temporary, mode)


def _read_safetensors(path):
    # Makes NumPy know bfloat16.
    import ml_dtypes  # noqa: F401
    from safetensors.numpy import load_file

    try:
        arrays = load_file(path)
    # Safetensors' own exception is derived from `Exception` alone.
    except Exception as error:
        raise _damaged(path, error) from error
    return {
        name: array.astype("float32")
        if array.dtype.name == "bfloat16"
        else array
        for name, array in arrays.items()
    }


def _damaged(path, error):
    return ValueError(f"{path} cannot be read as safetensors: {error}")
