"""Loads weights from files of Caffe, PyTorch and Keras."""

import dataclasses
import hashlib
import os
import warnings

import numpy as np

from keras_alexnet.columns.shares import by_whole_name
from keras_alexnet.columns.shares import divided
from keras_alexnet.disk import cache_folder
from keras_alexnet.layers.mean_subtraction import MeanSubtraction
from keras_alexnet.models.architecture import Architecture
from keras_alexnet.models.caffe_import import read_caffe
from keras_alexnet.models.difference import different_computations
from keras_alexnet.models.file_errors import explained
from keras_alexnet.models.keras_applications import read_keras_applications
from keras_alexnet.models.keras_files import check_same_function
from keras_alexnet.models.keras_files import for_images
from keras_alexnet.models.keras_files import is_keras_file
from keras_alexnet.models.keras_files import load_weights_file
from keras_alexnet.models.keras_files import read_description
from keras_alexnet.models.mean_images import fitting_mean
from keras_alexnet.models.presets import resolve_architecture
from keras_alexnet.models.pytorchcv import read_pytorch
from keras_alexnet.models.safetensors_files import read_safetensors
from keras_alexnet.models.torchvision import read_notes
from keras_alexnet.weights.published import PUBLISHED
from keras_alexnet.weights.published import downloaded
from keras_alexnet.weights.shipped import SHIPPED
from keras_alexnet.weights.state_dict import read_state_dict
from keras_alexnet.weights.state_dict import write_state_dict

READERS = {
    ".caffemodel": read_caffe,
    ".h5": read_keras_applications,
    ".pth": read_pytorch,
    ".pt": read_pytorch,
    ".safetensors": read_pytorch,
}

# Under this name a converted download holds the checksum of its arrays.
DIGEST = "digest"

# The channel order that conv1 expects, by format; RGB in all others.
CHANNEL_ORDERS = {".caffemodel": "bgr", ".h5": "bgr"}


@dataclasses.dataclass(frozen=True)
class TrainedWeights:
    """Weights that were read, and which network they belong to.

    Args:
        source: String, the path or the published name.
        architecture: The `Architecture` that they are of, or `None` where the
            file does not say.
        classes: Integer, or `None` where the file has no last layer.
        arrays: Dict of layer name to `(kernel, bias)` in Keras's layouts; or
            `None` for a file of Keras, which Keras reads by itself.
        channel_order: `"rgb"` or `"bgr"`, what `conv1` sees.
        mean: Mean color or mean image, RGB in 0-255, or `None` where the file
            has none.
        image_shape: Height, width and channels of the images, each an integer
            or `None`; or `None` where the file does not say.
    """

    source: str
    architecture: Architecture | None
    classes: int | None
    arrays: dict | None = None
    channel_order: str = "rgb"
    mean: np.ndarray | None = None
    image_shape: tuple | None = None


def read_weights(weights, architecture=None):
    """Reads weights, and finds out which network they belong to.

    Args:
        weights: `"imagenet"` (downloads what was published), `"cifar10"`
            (part of the package), or the path of a `.caffemodel`, of a
            `.pth`, `.pt` or `.safetensors` of torchvision or pytorchcv (also
            zipped), of a `.safetensors` of this package, of an `.h5` of VGG
            of keras.applications, or of a `.weights.h5` or `.keras` file of
            Keras.
        architecture: An `Architecture` or a preset's name; which weights
            `"imagenet"` or `"cifar10"` means. Defaults to `"caffe"` for
            `"imagenet"` and to `"cifar_13"` for `"cifar10"`.

    Returns:
        A `TrainedWeights`.

    Raises:
        ValueError: If the file is damaged, of an unknown format or of another
            family.
        OSError: If weights cannot be downloaded, or the file is absent.
    """
    if isinstance(weights, str) and weights == "imagenet":
        return _published(resolve_architecture(architecture or "caffe"))
    path = os.fspath(weights)
    if path in SHIPPED:
        return _shipped(SHIPPED[path], architecture)
    if is_keras_file(path):
        found = read_description(path)
        return TrainedWeights(
            path,
            found["architecture"],
            found["classes"],
            image_shape=found["image_shape"],
        )
    if ending_of(path) == ".safetensors":
        own = read_safetensors(path)
        if own is not None:
            return _own(path, own)
    found, classes, arrays = _reader(path)(path)
    order = CHANNEL_ORDERS.get(ending_of(path), "rgb")
    # Without a last layer, nothing tells the size of the images.
    size = classes and found.input_size
    read = TrainedWeights(
        path,
        found,
        classes,
        arrays,
        order,
        image_shape=size and (size, size, 3),
    )
    return _with_notes(read) if ending_of(path) == ".safetensors" else read


def load_weights(model, weights, strict=True):
    """Loads trained weights, in whatever format they were saved.

    Args:
        model: A model that `AlexNet` built, with its top or without, for one
            device or of columns.
        weights: `"imagenet"` (downloads the published weights of the model's
            architecture), `"cifar10"` (part of the package), or the path of a
            `.caffemodel`, a `.pth`, `.pt` or
            `.safetensors` of torchvision or pytorchcv, an `.h5` of VGG of
            keras.applications, or a `.weights.h5` or `.keras` file of Keras,
            written of one graph or of columns.
        strict: Boolean. Whether a file of an architecture of equal shapes that
            computes something else is refused. Defaults to `True`.

    Raises:
        ValueError: If the file is damaged, or does not fit; the message names
            the layer. The model is not changed then.
        OSError: If weights cannot be downloaded.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> model = AlexNet(architecture="caffe")
    >>> load_weights(model, "imagenet")  # doctest: +SKIP
    """
    architecture = architecture_of_model(model)
    assign_weights(model, read_weights(weights, architecture), strict)


def assign_weights(model, found, strict=True):
    """Gives a model the weights that `read_weights` has read.

    Args:
        model: As of `load_weights`.
        found: A `TrainedWeights`.
        strict: As of `load_weights`.

    Raises:
        ValueError: As of `load_weights`.
    """
    if found.arrays is None:
        load_weights_file(model, found.source, strict)
        return
    check_same_function(model, found.architecture, found.source, strict)
    # All must fit before the first is assigned.
    pairs = _assignments(model, found)
    means = [
        (layer, fitting_mean(layer, found.mean, found.source))
        for layer in (model.layers if found.mean is not None else ())
        if isinstance(layer, MeanSubtraction)
    ]
    for variable, value in pairs:
        variable.assign(value)
    for layer, mean in means:
        layer.set_mean(mean)


def architecture_of(path):
    """The architecture of a file of weights.

    Args:
        path: Path, as of `load_weights`.

    Returns:
        Tuple: the `Architecture` (`None` of a file of Keras that does not
        say), and the number of classes (`None` where there is no last layer).

    Raises:
        ValueError: If the file is of another format or family, or damaged.
    """
    found = read_weights(path)
    return found.architecture, found.classes


def architecture_of_model(model):
    """The architecture that a model carries.

    Args:
        model: A `keras.Model`.

    Returns:
        An `Architecture`.

    Raises:
        ValueError: If it carries none.
    """
    architecture = getattr(model, "architecture", None)
    if architecture is None:
        raise ValueError(
            "`model` must carry its architecture, as what `AlexNet` returns "
            "does. A model that was built from some of its layers, or saved "
            "by keras-alexnet 0.1, does not: build it again with "
            "`AlexNet(architecture=...)` and give it the weights. "
            f"Received: model={model.name!r}"
        )
    return architecture


def ending_of(path):
    """The file ending that tells the format.

    `.pth.tar` and `.pth.zip` count as `.pth`.

    Args:
        path: Path of a file.

    Returns:
        String, in lower case.

    Example:

    >>> ending_of("checkpoint.pth.tar"), ending_of("net.CAFFEMODEL")
    ('.pth', '.caffemodel')
    """
    path = os.fspath(path).lower().removesuffix(".tar").removesuffix(".zip")
    return os.path.splitext(path)[1]


def swapped_channels(kernel, bias):
    """`conv1` for images in BGR where it saw RGB, or the other way."""
    return kernel[:, :, ::-1], bias


def _reader(path):
    read = READERS.get(ending_of(path))
    if read is None:
        raise ValueError(
            "The file must end in one of "
            f"{', '.join(READERS)}, .weights.h5, .keras. Received: {path}"
        )
    return read


def _published(architecture):
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
    architecture = resolve_architecture(published.architecture)
    ending = ending_of(published.url)
    digest = published.digest.split(":")[1][:8]
    name = f"keras_alexnet-{published.name}-{digest}.safetensors"
    cached = cache_folder("models") / name
    named = _verified(cached)
    if named is None:
        with downloaded(published) as path:
            _, _, arrays = READERS[ending](path)
        named = {
            f"{name}.{kind}": value
            for name, values in arrays.items()
            for kind, value in zip(("kernel", "bias"), values, strict=True)
        }
        write_state_dict(cached, {**named, DIGEST: _digest(named)})
    arrays = {
        name: (named[f"{name}.kernel"], named[f"{name}.bias"])
        for name in architecture.layer_names
    }
    order = CHANNEL_ORDERS.get(ending, "rgb")
    classes = len(arrays[architecture.layer_names[-1]][1])
    return TrainedWeights(published.name, architecture, classes, arrays, order)


def _shipped(shipped, architecture):
    """Weights that are part of the package."""
    default = next(iter(shipped.paths))
    wanted = resolve_architecture(architecture or default)
    different = {}
    for preset, path in shipped.paths.items():
        different[preset] = different_computations(
            resolve_architecture(preset), wanted
        )
        if not different[preset]:
            return _own(shipped.name, read_safetensors(path))
    nearest = wanted.name
    if nearest not in different:
        nearest = min(different, key=lambda preset: len(different[preset]))
    raise ValueError(
        f'`weights="{shipped.name}"` is of the architectures '
        f"{', '.join(map(repr, shipped.paths))}. Received: {wanted.name!r}. "
        f"{nearest!r} has another {'; '.join(different[nearest])}"
    )


def _own(source, read):
    """What a file of this package's own says."""
    architecture, classes, arrays, mean, image_shape = read
    order = architecture.channel_order
    return TrainedWeights(
        source, architecture, classes, arrays, order, mean, image_shape
    )


def _with_notes(read):
    """With what this package noted in a file for PyTorch."""
    notes = read_notes(read.source)
    if notes is None:
        return read
    pixel_mean, kind, mean, image_shape = notes
    with explained(read.source, "has notes that cannot be read"):
        architecture = dataclasses.replace(
            for_images(read.architecture, image_shape),
            pixel_mean=pixel_mean,
            mean=kind,
        )
    return dataclasses.replace(
        read, architecture=architecture, mean=mean, image_shape=image_shape
    )


def _verified(cached):
    """The arrays of a converted download, or `None` if it must be repeated."""
    if not cached.exists():
        return None
    try:
        named = read_state_dict(cached)
        if np.array_equal(named.pop(DIGEST), _digest(named)):
            return named
        reason = "its numbers are not those that were written"
    except (ValueError, KeyError) as error:
        reason = f"{type(error).__name__}: {error}"
    warnings.warn(
        f"The cached weights {cached} are damaged ({reason}). They are "
        "downloaded again.",
        stacklevel=5,
    )
    return None


def _digest(named):
    """A checksum of named arrays, itself an array."""
    found = hashlib.blake2b(digest_size=16)
    for name in sorted(named):
        found.update(name.encode())
        found.update(np.ascontiguousarray(named[name]).data)
    return np.frombuffer(found.digest(), "uint8")


def _assignments(model, found):
    """Pairs of variable and value; all fit, or an error says which does not."""
    architecture = architecture_of_model(model)
    parts = by_whole_name(model.weights)
    names = [
        name
        for name in dict.fromkeys((*architecture.layer_names, *found.arrays))
        if f"{name}/kernel" in parts
    ]
    missing = set(names) - set(found.arrays)
    if missing:
        raise ValueError(
            f"{found.source} has no weights for {', '.join(sorted(missing))}."
        )
    if not names:
        raise ValueError(
            "The model has none of the layers "
            f"{', '.join(architecture.layer_names)}."
        )
    pairs = []
    for name in names:
        values = found.arrays[name]
        if (
            name == architecture.first_layer
            and architecture.channel_order != found.channel_order
        ):
            values = swapped_channels(*values)
        for kind, value in zip(("kernel", "bias"), values, strict=True):
            variables = parts[f"{name}/{kind}"]
            pairs += _divided(variables, value, name, found.source)
    return pairs


def _divided(variables, value, name, source):
    """Pairs of a variable and its part of a whole layer's array."""
    shape = list(variables[0].shape)
    shape[-1] = sum(variable.shape[-1] for variable in variables)
    if tuple(shape) != value.shape:
        raise ValueError(
            f"{source} does not fit layer `{name}`: it has shape "
            f"{value.shape}, wanted is {tuple(shape)} (as Keras lays them "
            "out). For another number of classes pass `classes`; for another "
            "image size build the network with `include_top=False`."
        )
    if not np.isfinite(value).all():
        raise ValueError(
            f"{source} holds NaN or infinity in layer `{name}`: it comes from "
            "training that diverged, or is damaged."
        )
    shapes = [tuple(variable.shape) for variable in variables]
    return zip(variables, divided([value], shapes, name), strict=True)
