"""Weights of others in our networks, and ours in files for others."""

import os

import keras
import numpy as np

from keras_alexnet.disk import cache_folder
from keras_alexnet.models.caffe_export import write_caffe
from keras_alexnet.models.caffe_import import read_caffe
from keras_alexnet.models.difference import different_computations
from keras_alexnet.models.presets import resolve_architecture
from keras_alexnet.models.torchvision import read_torchvision
from keras_alexnet.models.torchvision import write_torchvision
from keras_alexnet.weights.published import PUBLISHED
from keras_alexnet.weights.published import downloaded
from keras_alexnet.weights.state_dict import read_state_dict
from keras_alexnet.weights.state_dict import write_state_dict

READERS = {
    ".caffemodel": read_caffe,
    ".pth": read_torchvision,
    ".pt": read_torchvision,
    ".safetensors": read_torchvision,
}
WRITERS = {".caffemodel": write_caffe, ".safetensors": write_torchvision}

# What conv1 sees in the files of each.
CHANNEL_ORDERS = {".caffemodel": "bgr"}


def load_weights(model, weights, architecture, strict=True):
    """Loads weights that Caffe, PyTorch, Keras or someone else has trained.

    Args:
        model: What `AlexNet` returned, with its top or without.
        weights: `"imagenet"` (downloads the published weights of the
            architecture), or the path of a `.caffemodel`, a `.pth`, `.pt` or
            `.safetensors` of torchvision, or a file of Keras.
        architecture: The `Architecture` that the model was built from, or its
            name.
        strict: Boolean. Whether a file of an architecture of equal shapes that
            computes something else is refused. Defaults to `True`.

    Raises:
        ValueError: If the file is damaged, or does not fit; the message names
            the layer. The model is as it was then.
        OSError: If weights cannot be downloaded.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> model = AlexNet(architecture="caffe")
    >>> load_weights(model, "imagenet", "caffe")  # doctest: +SKIP
    """
    architecture = resolve_architecture(architecture)
    if weights == "imagenet":
        _load_published(model, architecture)
        return
    weights = os.fspath(weights)
    read = READERS.get(ending_of(weights))
    if read is None:
        model.load_weights(weights)
        return
    found, _, arrays = read(weights)
    order = CHANNEL_ORDERS.get(ending_of(weights), "rgb")
    assignments = _assignments(model, arrays, order, architecture, weights)
    different = different_computations(found, architecture)
    if strict and different:
        raise ValueError(
            f"{weights} is of architecture {found.name!r}, which computes "
            f"something else than {architecture.name!r}. It has "
            f"{'; '.join(different)}. Build the network with "
            f"`architecture={found.name!r}`; or take the weights as a "
            "beginning with `load_weights(..., strict=False)`."
        )
    for variable, value in assignments:
        variable.assign(value)


def save_weights(model, path, architecture):
    """Saves weights in the format that a file's ending names.

    `.caffemodel` (with the deploy `.prototxt` beside it) for Caffe and OpenCV,
    `.safetensors` for torchvision's `alexnet`, `.weights.h5` for Keras.

    Args:
        model: What `AlexNet` returned, with its top.
        path: Path of the file.
        architecture: The `Architecture` that the model was built from, or its
            name.

    Raises:
        ValueError: If the other framework has no such network.

    Example:

    >>> import os, tempfile
    >>> from keras_alexnet import AlexNet
    >>> path = os.path.join(tempfile.mkdtemp(), "net.caffemodel")
    >>> save_weights(AlexNet(architecture="caffe"), path, "caffe")
    >>> architecture_of(path)[0].name
    'caffe'
    """
    architecture = resolve_architecture(architecture)
    path = os.fspath(path)
    write = WRITERS.get(ending_of(path))
    if write is None:
        model.save_weights(path)
        return
    arrays = {}
    for name in architecture.layer_names:
        layer = model.get_layer(name)
        arrays[name] = tuple(
            keras.ops.convert_to_numpy(variable)
            for variable in (layer.kernel, layer.bias)
        )
    if architecture.channel_order != CHANNEL_ORDERS.get(ending_of(path), "rgb"):
        arrays["conv1"] = _swapped(*arrays["conv1"])
    # Whatever the data format, the last two but one or the two before differ.
    size = max(model.input_shape[1:3])
    write(path, architecture, arrays, size)


def architecture_of(path):
    """The architecture of a file of Caffe or torchvision.

    Args:
        path: Path of a `.caffemodel`, `.pth`, `.pt` or `.safetensors`.

    Returns:
        Tuple: the `Architecture` and the number of classes, for
        `AlexNet(architecture=..., classes=..., weights=path)`.

    Raises:
        ValueError: If the file is of another format or family, or damaged.
    """
    path = os.fspath(path)
    read = READERS.get(ending_of(path))
    if read is None:
        raise ValueError(
            f"The file must end in one of {', '.join(READERS)}. "
            f"Received: {path}"
        )
    return read(path)[:2]


def _load_published(model, architecture):
    published = PUBLISHED.get(architecture.name)
    different = published and different_computations(
        resolve_architecture(published.architecture), architecture
    )
    if published is None or different:
        raise ValueError(
            '`weights="imagenet"` exists for the architectures '
            f"{', '.join(PUBLISHED)}. Received: {architecture.name!r}"
            + (f", changed in {'; '.join(different)}" if different else "")
        )
    ending = ending_of(published.url)
    digest = published.digest.split(":")[1][:8]
    name = f"keras_alexnet-{published.name}-{digest}.safetensors"
    cached = cache_folder("models") / name
    if not cached.exists():
        with downloaded(published) as path:
            _, _, arrays = READERS[ending](path)
            named = {
                f"{name}.{kind}": value
                for name, values in arrays.items()
                for kind, value in zip(("kernel", "bias"), values, strict=True)
            }
            write_state_dict(cached, named)
    try:
        named = read_state_dict(cached)
        arrays = {
            name: (named[f"{name}.kernel"], named[f"{name}.bias"])
            for name in resolve_architecture(published.architecture).layer_names
        }
    except (ValueError, KeyError) as error:
        cached.unlink()
        raise ValueError(
            f"The cached weights {cached} were damaged and have been removed. "
            "Try again, and they are downloaded anew."
        ) from error
    order = CHANNEL_ORDERS.get(ending, "rgb")
    for variable, value in _assignments(
        model, arrays, order, architecture, published.name
    ):
        variable.assign(value)


def _assignments(model, arrays, order, architecture, source):
    """Pairs of variable and value; all fit, or none is assigned."""
    layers = {
        name: layer
        for name in (*architecture.layer_names, *arrays)
        for layer in model.layers
        if layer.name == name
    }
    missing = set(layers) - set(arrays)
    if missing:
        raise ValueError(
            f"{source} has no weights for {', '.join(sorted(missing))}."
        )
    if not layers:
        raise ValueError(
            "The model has none of the layers "
            f"{', '.join(architecture.layer_names)}. If it is one of columns, "
            "build and load it outside of the strategy's scope, and convert "
            "it with `keras_alexnet.distribution.to_columns`."
        )
    pairs = []
    for name, layer in layers.items():
        values = arrays[name]
        if name == "conv1" and architecture.channel_order != order:
            values = _swapped(*values)
        for variable, value in zip(
            (layer.kernel, layer.bias), values, strict=True
        ):
            if tuple(variable.shape) != value.shape:
                raise ValueError(
                    f"{source} does not fit layer `{name}`: it has shape "
                    f"{value.shape}, wanted is {tuple(variable.shape)} (as "
                    "Keras lays them out). For another number of classes or "
                    "another image size build the network with "
                    "`include_top=False`."
                )
            if not np.isfinite(value).all():
                raise ValueError(
                    f"{source} holds NaN or infinity in layer `{name}`: it "
                    "comes from training that diverged, or is damaged."
                )
            pairs.append((variable, value))
    return pairs


def _swapped(kernel, bias):
    """BGR for RGB, or the other way."""
    return kernel[:, :, ::-1], bias


def ending_of(path):
    """The ending that tells the format; `.pth` also of a `.pth.tar`.

    Args:
        path: Path of a file.

    Returns:
        String, in lower case.

    Example:

    >>> ending_of("checkpoint.pth.tar"), ending_of("net.CAFFEMODEL")
    ('.pth', '.caffemodel')
    """
    return os.path.splitext(os.fspath(path).lower().removesuffix(".tar"))[1]
