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
from keras_alexnet.models.mean_images import fitting_mean

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
    description = {
        "architecture": keras.saving.serialize_keras_object(
            network.architecture
        ),
        **_facts(network),
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
        does not say; `"image_shape"`, height, width and channels of the
        images, or `None`; `"classes"`, an integer or `None`; `"columns"`,
        whether it holds one branch per column; `"preprocessing"`, whether it
        holds the mean of the images; and `"auxiliary"`, whether there are
        auxiliary classifiers.

    Raises:
        ValueError: If the file is damaged.
    """
    with _named_errors(path):
        if os.fspath(path).endswith(".keras"):
            description, found = _of_archive(path)
        else:
            with h5py.File(path) as file:
                if ATTRIBUTE not in file.attrs:
                    # Keras names the groups after the layers' classes.
                    names = " ".join(file["layers"])
                    return {
                        "architecture": None,
                        "image_shape": None,
                        "classes": None,
                        "columns": "on_column" in names,
                        "preprocessing": "mean_subtraction" in names,
                        "auxiliary": False,
                    }
                description = json.loads(file.attrs[ATTRIBUTE])
            found = _stated(description)
        architecture = keras.saving.deserialize_keras_object(
            description.get("architecture")
        )
        return {
            **found,
            "architecture": for_images(architecture, found["image_shape"]),
        }


def for_images(architecture, image_shape):
    """An architecture with the size of the images of a file.

    Args:
        architecture: An `Architecture` or `InceptionArchitecture`, or `None`.
        image_shape: Tuple of height, width and channels, each an integer or
            `None`; or `None`.

    Returns:
        Architecture, with the larger side as its `input_size` where both are
        known.
    """
    sides = (image_shape or (None,))[:2]
    if architecture is None or None in sides:
        return architecture
    size, before = max(sides), architecture.image_size
    return dataclasses.replace(
        architecture,
        input_size=size,
        image_size=None if before and before < size else before,
    )


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
    if description["auxiliary"] and len(network.outputs) == 1:
        with _unchanged_on_error(network):
            _load_main_part(network, description, path, options)
        return
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


def image_shape_of(network):
    """The images of a network, whatever the data format.

    Args:
        network: A `keras.Model`.

    Returns:
        Tuple of height, width (each an integer, or `None` where any will do)
        and channels; `None` if its inputs are no images.
    """
    shape = tuple(network.input_shape[1:])
    if len(shape) != 3:
        return None
    first = keras.config.image_data_format() == "channels_first"
    return (*shape[1:], shape[0]) if first else shape


def in_data_format(image_shape):
    """Height, width and channels in the order of the data format.

    Args:
        image_shape: Tuple of three, as `image_shape_of` returns.

    Returns:
        Tuple of three.

    Example:

    >>> in_data_format((67, 99, 3))
    (67, 99, 3)
    """
    height, width, channels = image_shape
    if keras.config.image_data_format() == "channels_first":
        return channels, height, width
    return height, width, channels


def _facts(network):
    """What a description says beside the architecture."""
    return {
        "image_shape": image_shape_of(network),
        "classes": _classes(network),
        "columns": has_columns(network),
        "preprocessing": _preprocessing(network) is not None,
        "auxiliary": len(network.outputs) > 1,
    }


def _stated(description):
    """The facts of a description, also of one of an earlier version."""
    size = description.get("input_size")
    shape = description.get("image_shape", size and (size, size, 3))
    # A damaged description may lack one.
    known = ("classes", "columns", "preprocessing")
    return {
        "image_shape": shape and tuple(shape),
        "auxiliary": description.get("auxiliary", False),
        **{name: description[name] for name in known},
    }


def _of_archive(path):
    """The configuration of the model in a `.keras` file, and its facts."""
    with zipfile.ZipFile(path) as archive:
        text = archive.read("config.json")
    config = json.loads(text)["config"]
    layers = config["layers"]
    kinds = {layer["class_name"] for layer in layers}
    units = [layer["config"].get("units") for layer in layers]
    shapes = [
        layer["config"]["batch_shape"][1:]
        for layer in layers
        if layer["class_name"] == "InputLayer"
    ]
    shape = tuple(shapes[0]) if shapes and len(shapes[0]) == 3 else None
    if shape and b'"channels_first"' in text:
        shape = (*shape[1:], shape[0])
    return config, {
        "image_shape": shape,
        "classes": next((n for n in reversed(units) if n), None),
        "columns": "OnColumn" in kinds,
        "preprocessing": "MeanSubtraction" in kinds,
        # Of one output it is the name of the layer and two numbers.
        "auxiliary": isinstance(config["output_layers"][0], list)
        and len(config["output_layers"]) > 1,
    }


def _preprocessing(network):
    """The layer that subtracts the mean, or `None`."""
    layers = [x for x in network.layers if isinstance(x, MeanSubtraction)]
    return layers[0] if layers else None


def _load(network, description, path, options):
    model = network
    mean = None
    first = _preprocessing(network)
    with _named_errors(path, _different_facts(description, network)):
        if first is not None:
            if description["preprocessing"]:
                mean = _stored_mean(path)
            if mean is None or mean.shape != first.offset.shape:
                # What follows it takes the weights.
                model = keras.Model(first.output, network.output)
        keras.Model.load_weights(model, path, **options)
    if mean is not None and model is not network:
        _set_mean(network, mean, path)
    _check_finite(network, path)


def _load_main_part(network, description, path, options):
    """Loads a file with auxiliary classifiers into a network without them.

    Keras tells layers by their places among those of their class, so only a
    network with all of them can read the file.
    """
    # Imported here, because what builds networks reads weights with this.
    from keras_alexnet.models.googlenet import GoogLeNet

    reason = _different_facts(description, network)
    with _named_errors(path, reason):
        twin = GoogLeNet(
            architecture=description["architecture"],
            input_shape=in_data_format(description["image_shape"]),
            classes=description["classes"],
            include_preprocessing=description["preprocessing"],
            auxiliary=True,
        )
    _load(twin, description, path, options)
    mean, own = _preprocessing(twin), _preprocessing(network)
    kept = own.weights if own else []
    targets = [x for x in network.weights if all(x is not y for y in kept)]
    with _named_errors(path, reason):
        transfer(twin.weights, targets)
    if mean and own:
        _set_mean(network, keras.ops.convert_to_numpy(mean.offset), path)


def _stored_mean(path):
    """The mean in a file, in the data format that it was written in."""
    with contextlib.ExitStack() as stack:
        file = path
        if os.fspath(path).endswith(".keras"):
            archive = stack.enter_context(zipfile.ZipFile(path))
            file = stack.enter_context(archive.open("model.weights.h5"))
        layers = stack.enter_context(h5py.File(file, "r"))["layers"]
        names = [name for name in layers if name.startswith("mean_subtraction")]
        return layers[names[0]]["vars"]["0"][()]


def _set_mean(network, mean, path):
    """Sets the mean to that of a file, in either data format."""
    if mean.shape[-1] != 3:
        mean = np.moveaxis(mean, 0, -1)
    if mean.size == 3:
        mean = mean.ravel()
    layer = _preprocessing(network)
    layer.set_mean(fitting_mean(layer, mean, path))


def _check_finite(network, path):
    for variable in network.variables:
        if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
            raise ValueError(
                f"{path} holds NaN or infinity in {variable.path}: it comes "
                "from training that diverged, or is damaged."
            )


def _different_facts(description, network):
    """What a file is of, if that is not what a network is of."""
    if description["image_shape"] is None or network.architecture is None:
        return None
    found, wanted = map(_in_words, (description, _facts(network)))
    if found == wanted:
        return None
    return f"it is of {found}, the network of {wanted}"


def _in_words(facts):
    height, width, channels = facts["image_shape"] or ("?", "?", 3)
    return (
        f"images of {height or 'any'} x {width or 'any'} pixels"
        + ("" if channels == 3 else f" and {channels} channels")
        + (f" and {facts['classes']} classes" if facts["classes"] else "")
        + (" with auxiliary classifiers" if facts["auxiliary"] else "")
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
def _named_errors(path, reason=None):
    """Turns the many errors of damaged files into one that names the file."""
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NOT_DAMAGE:
            raise
        raise ValueError(
            f"{path} cannot be loaded: "
            f"{reason or 'it is damaged, or of another network'}. "
            f"{type(error).__name__}: {str(error)[:500]}"
        ) from error
