"""Reads VGG16 and VGG19 from the weight files of keras.applications.

They are the weights that the networks' authors published for Caffe, converted:
images are BGR in 0-255, minus the mean color.
"""

import dataclasses
import re

import h5py
import numpy as np

from keras_alexnet.models.family_presets import VGG_D
from keras_alexnet.models.family_presets import VGG_E
from keras_alexnet.models.file_errors import explained
from keras_alexnet.models.geometry import with_fitting_input_size

DENSE = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}


def read_keras_applications(path):
    """Reads an `.h5` file of VGG16's or VGG19's weights.

    Args:
        path: Path of the file, in the format of Keras before version 3.

    Returns:
        Tuple: the `Architecture`, the number of classes, and a dict of our
        layer name to `(kernel, bias)`.

    Raises:
        ValueError: If the file is damaged, of another network, or without its
            top.
    """
    with explained(path, "is no VGG16 or VGG19 of keras.applications"):
        try:
            with h5py.File(path) as file:
                arrays = dict(_layers(file))
        # HDF5's errors, of which there are many kinds.
        except (OSError, KeyError, RuntimeError, TypeError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise ValueError(f"It cannot be read: {error}") from error
        return _recognized(arrays)


def _layers(file):
    """Pairs of our layer name and its arrays."""
    names = file.attrs.get("layer_names")
    if names is None:
        raise ValueError(
            "It has no `layer_names`, as files of Keras before version 3 have."
        )
    for name in map(_text, names):
        weights = list(map(_text, file[name].attrs.get("weight_names", ())))
        if not weights:
            continue
        block = re.fullmatch(r"block(\d+)_conv(\d+)", name)
        own = f"conv{block[1]}_{block[2]}" if block else DENSE.get(name)
        if own is None or len(weights) != 2:
            raise ValueError(
                f"Layer `{name}` with {len(weights)} arrays is no part of it."
            )
        kernel, bias = (_array(file[name][weight], name) for weight in weights)
        if bias.ndim != 1:
            raise ValueError(f"Layer `{name}` has biases of {bias.shape}.")
        yield own, (kernel, bias)


def _array(dataset, name):
    # HDF5 states shapes of any size for data that are not there.
    if dataset.nbytes > max(dataset.id.get_storage_size(), 1):
        raise ValueError(
            f"Layer `{name}` is stated to have shape {dataset.shape}, of which "
            "not all values are there."
        )
    return np.asarray(dataset, "float32")


def _recognized(arrays):
    fitting = [
        preset
        for preset in (VGG_D, VGG_E)
        if set(preset.layer_names) == set(arrays)
    ]
    if not fitting:
        raise ValueError(
            f"It has the layers {', '.join(arrays)[:300]}; wanted are those of "
            "`vgg_d` or `vgg_e`, with the top."
        )
    (preset,) = fitting
    channels, filters = 3, []
    for name, size in zip(preset.conv_names, preset.kernel_sizes, strict=True):
        filters.append(arrays[name][1].shape[-1])
        _check(name, arrays[name], (size, size, channels, filters[-1]))
        channels = filters[-1]
    inputs = arrays["fc6"][0].shape[0]
    for name in preset.fc_names:
        units = arrays[name][1].shape[-1]
        _check(name, arrays[name], (inputs, units))
        inputs = units
    architecture = with_fitting_input_size(
        dataclasses.replace(
            preset,
            filters=tuple(filters),
            fc_units=tuple(len(arrays[name][1]) for name in ("fc6", "fc7")),
        ),
        "fc1",
        len(arrays["fc6"][0]),
    )
    return architecture, inputs, arrays


def _check(name, arrays, shape):
    kernel, bias = arrays
    if kernel.shape != shape or bias.shape != shape[-1:]:
        raise ValueError(
            f"Layer `{name}` has arrays of shapes {kernel.shape} and "
            f"{bias.shape}; wanted are {shape} and {shape[-1:]}."
        )


def _text(name):
    return name.decode() if isinstance(name, bytes) else str(name)
