"""Networks that are ready for use: trained, and for raw images."""

import os
import warnings

import keras

from keras_alexnet.layers.mean_subtraction import MeanSubtraction
from keras_alexnet.models.build_network import build_network
from keras_alexnet.models.builder import check_arguments
from keras_alexnet.models.builder import default_input_shape
from keras_alexnet.models.caffe_import import recognize
from keras_alexnet.models.caffe_pixels import stated_pixels
from keras_alexnet.models.difference import different_computations
from keras_alexnet.models.file_errors import explained
from keras_alexnet.models.keras_files import load_model_file
from keras_alexnet.models.load_caffe import caffe_model
from keras_alexnet.models.load_caffe import read_caffe_net
from keras_alexnet.models.presets import CAFFE
from keras_alexnet.models.presets import resolve_architecture
from keras_alexnet.models.pretrained import TrainedWeights
from keras_alexnet.models.pretrained import assign_weights
from keras_alexnet.models.pretrained import ending_of
from keras_alexnet.models.pretrained import read_weights


def load_network(weights, architecture=None, prototxt=None):
    """Builds the network that a file holds, for raw images.

    A `.caffemodel` is recognized if it is of one of the presets, of whatever
    widths: AlexNet's family, ZFNet, VGG or GoogLeNet. Any other network of
    Caffe's is built as `load_caffe` builds it, with the preparation of images
    in front. Either gets BGR pixels minus the mean color and times the scale
    that the file states, or else minus the mean color of the preset or of
    Caffe's own networks.

    Args:
        weights: `"imagenet"`, `"cifar10"`, or the path of a `.caffemodel`, a
            `.pth`, `.pt` or `.safetensors` of torchvision, a `.safetensors`
            of this package, a `.weights.h5` or a `.keras` file.
        architecture: An architecture, or a preset's name. Defaults to what
            the file is of, to `"caffe"` for `"imagenet"`, and to `"cifar_13"`
            for `"cifar10"`.
        prototxt: Path of the `.prototxt` of a `.caffemodel`, see `load_caffe`.
            Defaults to `None`.

    Returns:
        A `keras.Model` from raw RGB images in 0-255 to probabilities. (What a
        `.keras` file holds is returned as it is.)

    Raises:
        ValueError: If the file is damaged, computes something else than
            `architecture`, or has layers that are not supported.
        OSError: If weights cannot be downloaded.

    Example:

    >>> import tempfile
    >>> from keras_alexnet import AlexNet
    >>> path = tempfile.mkdtemp() + "/net.keras"
    >>> shape = (67, 67, 3)
    >>> AlexNet(input_shape=shape, include_preprocessing=True).save(path)
    >>> load_network(path).get_layer("fc7").output.shape
    (None, 4096)
    """
    is_caffe = ending_of(weights) == ".caffemodel"
    if prototxt is not None and not is_caffe:
        raise ValueError(
            "`prototxt` belongs to a `.caffemodel`. Received: "
            f"weights={os.fspath(weights)!r}, prototxt={os.fspath(prototxt)!r}"
        )
    check_arguments(weights, None, None, True)
    path = os.fspath(weights)
    if path.endswith(".keras"):
        model = load_model_file(path)
        if architecture is not None:
            _check_architecture(model, architecture, path)
        return model
    if is_caffe and (architecture is None or prototxt is not None):
        return _caffe_network(path, prototxt, architecture)
    found = read_weights(path, architecture)
    return _built(found, architecture)


def _built(found, architecture=None):
    if architecture is None and found.architecture is None:
        raise ValueError(
            f"{found.source} does not say which architecture its weights are "
            'of. Pass `architecture`, such as `architecture="paper"`.'
        )
    architecture = resolve_architecture(architecture or found.architecture)
    model = build_network(
        architecture,
        input_shape=default_input_shape(architecture, found, fixed=True),
        classes=found.classes,
        include_preprocessing=True,
    )
    assign_weights(model, found)
    return model


def _caffe_network(path, prototxt, architecture):
    net, source = read_caffe_net(path, prototxt)
    try:
        preset, classes, arrays = recognize(net)
    except ValueError as error:
        if architecture is not None:
            raise ValueError(
                f"{source} is no network of the AlexNet family. {error}"
            ) from error
        return _other_network(net, source)
    found = TrainedWeights(
        path,
        preset,
        classes,
        arrays,
        "bgr",
        image_shape=(preset.input_size, preset.input_size, 3),
    )
    return _built(found, architecture)


def _other_network(net, source):
    """A plain Keras model of a Caffe network, behind its preprocessing."""
    size = net.input_size
    if size is None:
        raise ValueError(
            f"{source} does not say how large its images are. Pass the deploy "
            "file as `prototxt`."
        )
    shapes = [
        layer.settings["shape"]
        for layer in net.layers
        if layer.type == "Input" and layer.settings
    ]
    if shapes and len(shapes[0]) == 4 and shapes[0][1] != 3:
        raise ValueError(
            f"{source} takes images of {shapes[0][1]} channels, which nobody "
            "knows how to prepare; `load_caffe` builds the network alone."
        )
    first = keras.config.image_data_format() == "channels_first"
    image = keras.Input((3, size, size) if first else (size, size, 3))
    with explained(source, "cannot be built"):
        x = _preparation(net, source)(image)
    return caffe_model(net, source, (image, x))


def _preparation(net, source):
    """The layer that prepares images as the network's file says."""
    pixels = stated_pixels(net)
    mean = pixels.get("pixel_mean")
    if mean is None:
        mean = CAFFE.pixel_mean
        warnings.warn(
            f"{source} does not state the mean color of its images; that of "
            "Caffe's own networks is subtracted, "
            f"{'/'.join(map(str, CAFFE.pixel_mean))} (RGB). Set another with "
            '`network.get_layer("preprocessing").set_mean(...)`.',
            stacklevel=5,
        )
    return MeanSubtraction(
        mean,
        pixels["pixel_std"],
        pixels["channel_order"],
        name="preprocessing",
    )


def _check_architecture(model, architecture, path):
    """Refuses a model that computes something else than was asked for."""
    wanted = resolve_architecture(architecture)
    found = getattr(model, "architecture", None)
    if found is None:
        raise ValueError(
            f"The model in {path} does not say which architecture it has. "
            "Leave `architecture` out to take it as it is. Received: "
            f"architecture={wanted.name!r}"
        )
    # A recipe may have scaled the pixels, and the norms with them.
    scale = sum(found.pixel_std) / len(found.pixel_std)
    different = different_computations(found, wanted.divided_by(scale))
    if different:
        raise ValueError(
            f"{path} is of architecture {found.name!r}, which computes "
            f"something else than {wanted.name!r}. It has "
            f"{'; '.join(different)}. Leave `architecture` out to take the "
            "network of the file."
        )
