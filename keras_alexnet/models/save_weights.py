"""Saves weights for Keras, Caffe, torchvision and this package."""

import os

import keras
import numpy as np

from keras_alexnet.columns.conversion import has_columns
from keras_alexnet.columns.shares import by_whole_name
from keras_alexnet.disk import replacing
from keras_alexnet.layers.mean_subtraction import MeanSubtraction
from keras_alexnet.models.alexnet import AlexNet
from keras_alexnet.models.architecture import Architecture
from keras_alexnet.models.caffe_export import write_caffe
from keras_alexnet.models.difference import different_computations
from keras_alexnet.models.keras_files import for_images
from keras_alexnet.models.keras_files import image_shape_of
from keras_alexnet.models.keras_files import is_keras_file
from keras_alexnet.models.presets import OWT
from keras_alexnet.models.pretrained import architecture_of_model
from keras_alexnet.models.pretrained import ending_of
from keras_alexnet.models.pretrained import swapped_channels
from keras_alexnet.models.safetensors_files import in_precision
from keras_alexnet.models.safetensors_files import write_safetensors
from keras_alexnet.models.torchvision import write_torchvision

ENDINGS = (".caffemodel", ".safetensors")

# Settings that do not change what a trained layer computes.
NEEDLESS = (
    "name",
    "dtype",
    "trainable",
    "kernel_initializer",
    "bias_initializer",
    "rate",
    "seed",
)


def save_weights(model, path, dtype="float32"):
    """Saves weights in the format that a file's ending names.

    `.caffemodel` (with the deploy `.prototxt` beside it) for Caffe and OpenCV,
    `.safetensors` for torchvision's `alexnet`, `.weights.h5` and `.keras` (the
    whole model) for Keras. A file that exists is replaced once the new one is
    complete.

    PyTorch has no other network of this family. Those are written to
    `.safetensors` under this package's own names, `conv1.kernel` and so on, in
    Keras's layouts, with a description by which `load_network` builds them
    again; the mean of the images is in that file, too.

    In files for others `conv1` takes pixels as the other software gives them:
    Caffe's in BGR, minus the mean; torchvision's also divided by its standard
    deviations. The mean itself is not among the weights; a `.safetensors` file
    notes it in its metadata, with the size of the images.

    Args:
        model: What `AlexNet` returned; as one graph or of columns.
        path: Path of the file.
        dtype: String, `"float32"` or `"float16"`, of the numbers in a
            `.safetensors` file. Defaults to `"float32"`.

    Raises:
        ValueError: If Caffe has no such network, layers were changed after
            the network was built, `.safetensors` shall hold batch
            normalization, or `dtype` is not for this file or network.

    Example:

    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "net.caffemodel")
    >>> save_weights(AlexNet(architecture="caffe"), path)
    >>> from keras_alexnet.models import architecture_of
    >>> architecture_of(path)[0].name
    'caffe'
    """
    path = os.fspath(path)
    if dtype not in ("float32", "float16") or (
        dtype != "float32" and ending_of(path) != ".safetensors"
    ):
        raise ValueError(
            '`dtype` must be "float32", or "float16" of a .safetensors file. '
            f"Received: dtype={dtype!r}, path={path!r}"
        )
    if is_keras_file(path):
        with replacing(path) as temporary:
            if path.endswith(".keras"):
                model.save(temporary)
            else:
                model.save_weights(temporary)
    else:
        _save_for_others(model, path, dtype)


def _save_for_others(model, path, dtype):
    ending = ending_of(path)
    if ending == ".caffemodel":
        write_caffe(model, path)
        return
    if ending not in ENDINGS:
        advice = ""
        if ending in (".pth", ".pt"):
            advice = (
                " PyTorch's own format can run code when it is read; "
                "`safetensors.torch.load_file` reads a .safetensors file."
            )
        raise ValueError(
            f"`path` must end in {', '.join(ENDINGS)}, .weights.h5 or .keras."
            f"{advice} Received: path={path!r}"
        )
    _save_safetensors(model, path, dtype)


def _save_safetensors(model, path, dtype):
    architecture = architecture_of_model(model)
    if not isinstance(architecture, Architecture):
        raise ValueError(
            "A .safetensors file holds a chain of layers. Save a .caffemodel, "
            f".weights.h5 or .keras file. Received: {architecture.name!r}"
        )
    arrays = _arrays(model, architecture)
    _check_layers(model, architecture)
    shape, mean = image_shape_of(model), _mean(model)
    size = for_images(OWT, shape).input_size
    in_pytorch = not different_computations(architecture, OWT, size)
    if not in_pytorch or len(arrays) < len(architecture.layer_names):
        write_safetensors(path, architecture, arrays, shape, mean, dtype)
        return
    first = architecture.first_layer
    kernel, bias = arrays[first]
    scale = np.divide(OWT.pixel_std, architecture.pixel_std)
    if architecture.channel_order == "bgr":
        scale = scale[::-1]
    arrays[first] = (kernel * scale[:, None]).astype(kernel.dtype), bias
    if architecture.channel_order == "bgr":
        arrays[first] = swapped_channels(*arrays[first])
    arrays = {
        name: tuple(in_precision(value, dtype) for value in values)
        for name, values in arrays.items()
    }
    write_torchvision(path, architecture, arrays, shape, mean)


def _mean(model):
    """The mean of the images that the model subtracts, channels last."""
    for layer in model.layers:
        if isinstance(layer, MeanSubtraction):
            mean = keras.ops.convert_to_numpy(layer.offset)
            if layer.data_format == "channels_first":
                mean = np.moveaxis(mean, 0, -1)
            return mean if layer.per_pixel else mean.ravel()
    return None


def _arrays(model, architecture):
    """Whole layers, also of a model of columns."""
    parts = by_whole_name(model.weights)
    arrays = {}
    for name in architecture.layer_names:
        if f"{name}/kernel" not in parts:
            # The network is without its top.
            continue
        arrays[name] = tuple(
            np.concatenate(
                [
                    keras.ops.convert_to_numpy(variable)
                    for variable in parts[f"{name}/{kind}"]
                ],
                axis=-1,
            )
            for kind in ("kernel", "bias")
        )
    return arrays


def _check_layers(model, architecture):
    """Refuses a model whose layers are not those of its architecture."""
    if has_columns(model):
        # Built from the architecture as well; its layers are shares.
        return
    last = architecture.layer_names[-1]
    include_top = last in {layer.name for layer in model.layers}
    wanted = AlexNet(
        input_shape=model.input_shape[1:],
        include_top=include_top,
        classes=model.output_shape[-1],
        classifier_activation=None,
        architecture=architecture,
    )
    for layer in wanted.layers[1:]:
        found = {own.name: own for own in model.layers}.get(layer.name)
        if found is None or _computation(found) != _computation(layer):
            raise ValueError(
                f"Layer `{layer.name}` is not that of the architecture "
                f"{architecture.name!r}: the model was changed after it was "
                "built. Change the architecture with `dataclasses.replace`, "
                "and build the network from that."
            )


def _computation(layer):
    config = layer.get_config()
    return {key: x for key, x in config.items() if key not in NEEDLESS}
