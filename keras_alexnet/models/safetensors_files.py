"""The package's own safetensors files, for networks that PyTorch has not."""

import json

import keras
import numpy as np

from keras_alexnet.models.architecture import Architecture
from keras_alexnet.models.file_errors import explained
from keras_alexnet.models.keras_files import for_images
from keras_alexnet.weights.state_dict import read_metadata
from keras_alexnet.weights.state_dict import read_state_dict
from keras_alexnet.weights.state_dict import write_state_dict

# The entry of the file's metadata that describes the network.
ENTRY = "keras_alexnet"
MEAN = "preprocessing.mean"
KINDS = ("kernel", "bias")


def write_safetensors(
    path, architecture, arrays, image_shape=None, mean=None, dtype="float32"
):
    """Writes whole layers, and which network they are of.

    The arrays are called `conv1.kernel`, `conv1.bias` and so on, in Keras's
    layouts; the mean of the images is `preprocessing.mean`.

    Args:
        path: Path that ends in `.safetensors`.
        architecture: An `Architecture`.
        arrays: Dict of layer name to `(kernel, bias)`. The last layers may be
            missing.
        image_shape: Tuple of height, width (each an integer or `None`) and
            channels. Defaults to the architecture's square of three.
        mean: Array of shape `(3,)` or `(height, width, 3)`, RGB in 0-255, or
            `None`. Defaults to `None`.
        dtype: String, of the stored numbers. Defaults to `"float32"`.

    Raises:
        ValueError: If the architecture has batch normalization, whose
            statistics have no place in the file, or numbers are too large for
            `dtype`.
    """
    if architecture.normalization == "batch":
        raise ValueError(
            "A .safetensors file has no place for the statistics of batch "
            f"normalization, which {architecture.name!r} has. Save a "
            ".weights.h5 or .keras file."
        )
    named = {
        f"{name}.{kind}": np.asarray(value)
        for name, values in arrays.items()
        for kind, value in zip(KINDS, values, strict=True)
    }
    if mean is not None:
        named[MEAN] = np.asarray(mean)
    architecture = for_images(architecture, image_shape)
    description = {
        "architecture": keras.saving.serialize_keras_object(architecture),
        "image_shape": image_shape,
    }
    write_state_dict(
        path,
        {name: in_precision(value, dtype) for name, value in named.items()},
        {ENTRY: json.dumps(description)},
    )


def in_precision(array, dtype):
    """An array of another type, refused if that has no number as large.

    Example:

    >>> in_precision(np.array([0.1]), "float16")
    array([0.1], dtype=float16)
    """
    largest = float(np.abs(array).max())
    if largest > float(np.finfo(dtype).max):
        raise ValueError(
            "`dtype` must hold the largest number of the network, "
            f"{largest:g}. Received: dtype={dtype!r}"
        )
    return array.astype(dtype)


def read_safetensors(path):
    """Reads what `write_safetensors` wrote.

    Args:
        path: Path.

    Returns:
        `None` if the file is another's; else a tuple of the `Architecture`,
        the number of classes (`None` without the last layer), a dict of layer
        name to `(kernel, bias)` in float32, the mean or `None`, and the
        height, width and channels of the images.

    Raises:
        ValueError: If the file is damaged or incomplete.
    """
    entry = read_metadata(path).get(ENTRY)
    if entry is None:
        return None
    named = {
        name: array.astype("float32")
        for name, array in read_state_dict(path).items()
    }
    with explained(path, "is damaged, or no file of this package"):
        architecture, classes, arrays, shape = _checked(entry, named)
        return architecture, classes, arrays, named.get(MEAN), shape


def _checked(entry, named):
    """The architecture, the classes, the layers and the images."""
    try:
        description = json.loads(entry)
        architecture = keras.saving.deserialize_keras_object(
            description["architecture"]
        )
        if not isinstance(architecture, Architecture):
            raise TypeError(f"It is of a {type(architecture).__name__}.")
        size = architecture.input_size
        # Of an earlier version, without the shape.
        shape = tuple(description.get("image_shape") or (size, size, 3))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"Its description cannot be read: {type(error).__name__}: "
            f"{str(error)[:300]}"
        ) from error
    names = [
        name
        for name in architecture.layer_names
        if any(f"{name}.{kind}" in named for kind in KINDS)
    ]
    wanted = {f"{name}.{kind}" for name in names for kind in KINDS}
    different = wanted ^ (set(named) - {MEAN})
    without_top = names == list(architecture.conv_names)
    if different or not (
        without_top or names == list(architecture.layer_names)
    ):
        missing = sorted(different or set(architecture.layer_names) - {*names})
        raise ValueError(f"It lacks or has too much: {', '.join(missing[:5])}.")
    arrays = {
        name: tuple(named[f"{name}.{kind}"] for kind in KINDS) for name in names
    }
    last = arrays.get(architecture.layer_names[-1])
    return architecture, last and len(last[1]), arrays, shape
