"""Keras's own files, with a description of the network inside."""

import contextlib
import dataclasses
import errno
import json
import os
import zipfile

import h5py
import keras
import numpy as np

from keras_alexnet.columns.conversion import divided
from keras_alexnet.columns.conversion import grouped
from keras_alexnet.columns.conversion import has_columns
from keras_alexnet.columns.shares import copy_state
from keras_alexnet.columns.shares import transfer
from keras_alexnet.disk import replacing
from keras_alexnet.layers.mean_subtraction import MeanSubtraction
from keras_alexnet.models.difference import different_computations

# The attribute of an HDF5 file that holds the description.
ATTRIBUTE = "keras_alexnet"
WEIGHTS_ENDING = ".weights.h5"

# Errors that a sound file can give as well.
NOT_DAMAGE = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.EIO)


def is_keras_file(path):
    """Whether a path ends as Keras's files do.

    Example:

    >>> is_keras_file("net.weights.h5"), is_keras_file("net.caffemodel")
    (True, False)
    """
    return os.fspath(path).endswith((WEIGHTS_ENDING, ".keras"))


def save_weights_file(network, path, **options):
    """Writes a `.weights.h5` file that says which network it is of.

    Args:
        network: A `Network`.
        path: Path. What is there is replaced by a whole file, or stays.
        **options: As of `keras.Model.save_weights`.

    Raises:
        OSError: If the file cannot be written.
    """
    if network.architecture is None:
        with replacing(path) as temporary:
            keras.Model.save_weights(network, temporary, **options)
        return
    sides = network.input_shape[1:3]
    description = {
        "architecture": keras.saving.serialize_keras_object(
            network.architecture
        ),
        # Whatever the data format, these two sides are equal or one is 3.
        "input_size": None if None in sides else max(sides),
        "classes": _classes(network),
        "columns": has_columns(network),
        "preprocessing": _preprocessing(network) is not None,
    }
    with replacing(path) as temporary:
        keras.Model.save_weights(network, temporary, **options)
        with h5py.File(temporary, "r+") as file:
            file.attrs[ATTRIBUTE] = json.dumps(description)


def read_description(path):
    """Reads which network a file of Keras belongs to.

    Args:
        path: Path of a `.weights.h5` or `.keras` file.

    Returns:
        Dict with `"architecture"`, an `Architecture` or `None` where the file
        does not say; `"classes"`, an integer or `None`; `"columns"`, whether
        it holds one branch per column; and `"preprocessing"`, whether it
        holds the mean of the images.

    Raises:
        ValueError: If the file is damaged.
    """
    with _named_errors(path):
        if os.fspath(path).endswith(".keras"):
            return _of_archive(path)
        with h5py.File(path) as file:
            if ATTRIBUTE not in file.attrs:
                # Keras names the groups after the layers' classes.
                names = " ".join(file["layers"])
                return {
                    "architecture": None,
                    "classes": None,
                    "columns": "on_column" in names,
                    "preprocessing": "mean_subtraction" in names,
                }
            description = json.loads(file.attrs[ATTRIBUTE])
            # A damaged description may lack one.
            known = ("classes", "columns", "preprocessing")
            found = {name: description[name] for name in known}
        architecture = _restored(description)
        size = description.get("input_size")
        if size is not None:
            whole = architecture.image_size
            architecture = dataclasses.replace(
                architecture,
                input_size=size,
                image_size=None if whole and whole < size else whole,
            )
        return {**found, "architecture": architecture}


def load_weights_file(network, path, strict=True, **options):
    """Loads a file of Keras, written of columns or of whole layers.

    Args:
        network: A `Network`. If anything is wrong, it stays as it was.
        path: Path of a `.weights.h5` or `.keras` file.
        strict: Boolean. Whether a file of an architecture of equal shapes
            that computes something else is refused. Defaults to `True`.
        **options: As of `keras.Model.load_weights`.

    Raises:
        ValueError: If the file is damaged, of another network, or holds
            numbers that are not finite.
    """
    description = read_description(path)
    found = description["architecture"]
    check_same_function(network, found, path, strict)
    own = network.architecture
    if strict and found and own and found.channel_order != own.channel_order:
        raise ValueError(
            f"{path} takes the colors in the order {found.channel_order!r}, "
            f"the network in {own.channel_order!r}. Build the network with "
            f"`channel_order={found.channel_order!r}` in its architecture."
        )
    if description["columns"] == has_columns(network):
        with _unchanged_on_error(network):
            _load(network, description, path, options)
        return
    other = divided(network) if description["columns"] else grouped(network)
    # What the file does not hold, such as a mean, stays.
    copy_state(network, other)
    _load(other, description, path, options)
    transfer(other.weights, network.weights)
    if network.compiled and network.optimizer.built:
        transfer(other.optimizer.variables, network.optimizer.variables)


def check_same_function(network, found, path, strict=True):
    """Refuses weights of an architecture that computes something else.

    Args:
        network: A `Network`.
        found: The `Architecture` of the weights, or `None` if unknown.
        path: Path, for the message.
        strict: Boolean. If false, nothing is refused.

    Raises:
        ValueError: If they differ; the message says in what.
    """
    if found is None or network.architecture is None or not strict:
        return
    different = different_computations(found, network.architecture)
    stds = found.pixel_std, network.architecture.pixel_std
    if _preprocessing(network) is not None and not np.allclose(*stds, 1e-3):
        different.append(f"pixel_std: {stds[0]}, not {stds[1]}")
    if different:
        raise ValueError(
            f"{path} is of architecture {found.name!r}, which computes "
            f"something else than {network.architecture.name!r}. It has "
            f"{'; '.join(different)}. Build the network with "
            f"`architecture={found.name!r}`; or take the weights as a "
            "beginning with `load_weights(..., strict=False)`."
        )


def load_model_file(path):
    """The model in a `.keras` file, for prediction.

    Args:
        path: Path.

    Returns:
        A `keras.Model`, not compiled.

    Raises:
        ValueError: If the file is damaged, or has layers that are unknown here.
    """
    with _named_errors(path):
        return keras.saving.load_model(path, compile=False)


def _classes(network):
    names = {layer.name: layer for layer in network.layers}
    last = names.get(network.architecture.layer_names[-1])
    return getattr(last, "units", None)


def _of_archive(path):
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))["config"]
    layers = config["layers"]
    kinds = {layer["class_name"] for layer in layers}
    units = [layer["config"].get("units") for layer in layers]
    return {
        "architecture": _restored(config),
        "classes": next((n for n in reversed(units) if n), None),
        "columns": "OnColumn" in kinds,
        "preprocessing": "MeanSubtraction" in kinds,
    }


def _restored(config):
    return keras.saving.deserialize_keras_object(config.get("architecture"))


def _preprocessing(network):
    """The layer that subtracts the mean, or `None`."""
    layers = [x for x in network.layers if isinstance(x, MeanSubtraction)]
    return layers[0] if layers else None


def _load(network, description, path, options):
    model = network
    first = _preprocessing(network)
    if first is not None and not description["preprocessing"]:
        # What follows it takes the weights; the mean stays.
        model = keras.Model(first.output, network.output)
    with _named_errors(path):
        keras.Model.load_weights(model, path, **options)
    for variable in network.variables:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise ValueError(
                f"{path} holds NaN or infinity in {variable.path}: it comes "
                "from training that diverged, or is damaged."
            )


@contextlib.contextmanager
def _unchanged_on_error(network):
    variables = list(network.variables)
    if getattr(network, "optimizer", None) is not None:
        variables += network.optimizer.variables
    before = [keras.ops.convert_to_numpy(v).copy() for v in variables]
    try:
        yield
    except Exception:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        raise


@contextlib.contextmanager
def _named_errors(path):
    """Turns the many errors of damaged files into one that names the file."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NOT_DAMAGE:
            raise
        raise ValueError(
            f"{path} cannot be loaded: it is damaged, or of another network. "
            f"{type(error).__name__}: {str(error)[:500]}"
        ) from error
