"""Converts torchvision's `alexnet` to this package's, and back.

It takes RGB images in [0, 1], minus a mean and divided by a standard
deviation. `AlexNet(architecture="owt", include_preprocessing=True)` takes raw
0-255 pixels and does the same in its first layer.
"""

import dataclasses
import json

import numpy as np

from keras_alexnet.models.difference import different_computations
from keras_alexnet.models.file_errors import explained
from keras_alexnet.models.geometry import with_fitting_input_size
from keras_alexnet.models.keras_files import for_images
from keras_alexnet.models.presets import OWT
from keras_alexnet.weights.kernel_layouts import check_shapes
from keras_alexnet.weights.kernel_layouts import from_outputs_first
from keras_alexnet.weights.kernel_layouts import to_outputs_first
from keras_alexnet.weights.state_dict import read_metadata
from keras_alexnet.weights.state_dict import read_state_dict
from keras_alexnet.weights.state_dict import write_state_dict

# The entry of the file's metadata. It is not that of the package's own files,
# which earlier versions would take this for.
NOTES = "keras_alexnet.notes"

# torchvision/models/alexnet.py: places in `features` and `classifier`.
MODULES = {
    "conv1": "features.0",
    "conv2": "features.3",
    "conv3": "features.6",
    "conv4": "features.8",
    "conv5": "features.10",
    "fc6": "classifier.1",
    "fc7": "classifier.4",
    "fc8": "classifier.6",
}


def read_torchvision(path):
    """Reads a state dict of torchvision's `alexnet`, of any widths.

    Args:
        path: Path of a `.pth` or `.safetensors` file.

    Returns:
        Tuple: the `Architecture`, the number of classes, and a dict of our
        layer name to `(kernel, bias)` in Keras's layouts.

    Raises:
        ValueError: If the file is damaged, or is of another network; the
            message names the layer.
    """
    arrays = read_state_dict(path)
    with explained(path, "is no state dict of torchvision's alexnet"):
        return recognize_torchvision(arrays)


def write_torchvision(path, architecture, arrays, image_shape=None, mean=None):
    """Writes a state dict for torchvision's `alexnet`, as safetensors.

    What PyTorch does not ask for is noted in the file's metadata.

    Args:
        path: Path that ends in `.safetensors`.
        architecture: `OWT`, or one that differs from it in widths only.
        arrays: Dict of layer name to `(kernel, bias)` in Keras's layouts.
        image_shape: Tuple of height, width (each an integer or `None`) and
            channels. Defaults to `None`, which stands for 224 pixels per side.
        mean: Array of shape `(3,)` or `(height, width, 3)`, RGB in 0-255, or
            `None`. Defaults to `None`.

    Raises:
        ValueError: If torchvision's `alexnet` is another network.
    """
    size = for_images(OWT, image_shape).input_size
    different = different_computations(architecture, OWT, size)
    if different:
        raise ValueError(
            "A state dict of torchvision holds architecture 'owt', of any "
            f"widths; {architecture.name!r} has another "
            f"{'; '.join(different)}. Save a `.caffemodel` or `.weights.h5`."
        )
    named = {}
    for name, (kernel, bias) in to_outputs_first(arrays).items():
        named[f"{MODULES[name]}.weight"] = kernel
        named[f"{MODULES[name]}.bias"] = bias
    notes = {
        "pixel_mean": architecture.pixel_mean,
        "mean": architecture.mean,
        "subtracted": None if mean is None else np.asarray(mean).tolist(),
        "image_shape": image_shape,
    }
    write_state_dict(path, named, {NOTES: json.dumps(notes)})


def read_notes(path):
    """Reads what `write_torchvision` noted beside the weights.

    Args:
        path: Path of a `.safetensors` file.

    Returns:
        `None` if the file is another's; else a tuple of the color
        `pixel_mean` and the `mean` of the architecture, the array that was
        subtracted or `None`, and the shape of the images or `None`.

    Raises:
        ValueError: If the file is damaged.
    """
    entry = read_metadata(path).get(NOTES)
    if entry is None:
        return None
    with explained(path, "has notes that cannot be read"):
        return _checked_notes(entry)


def _checked_notes(entry):
    try:
        notes = json.loads(entry)
        mean, shape = notes["subtracted"], notes["image_shape"]
        return (
            notes["pixel_mean"],
            notes["mean"],
            None if mean is None else np.array(mean, "float32"),
            shape and tuple(shape),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def recognize_torchvision(named):
    """Checks that a state dict is of torchvision's `alexnet`.

    Args:
        named: Dict of name to array.

    Returns:
        Tuple, as `read_torchvision`.

    Raises:
        ValueError: If it is of another network; the message names the layer.
    """
    unknown = set(named) - {
        f"{module}.{kind}"
        for module in MODULES.values()
        for kind in ("weight", "bias")
    }
    if unknown:
        names = ", ".join(sorted(unknown)[:5])
        raise ValueError(f"It has arrays that are no part of it: {names}.")
    layers = {
        name: (module, *_kernel_and_bias(named, name))
        for name, module in MODULES.items()
    }
    arrays, groups = from_outputs_first(layers)
    for name, count in groups.items():
        if count > 1:
            raise ValueError(f"Layer `{MODULES[name]}` has {count} groups.")
    filters = tuple(len(arrays[name][1]) for name in OWT.conv_names)
    architecture = dataclasses.replace(
        OWT,
        filters=filters,
        fc_units=tuple(len(arrays[name][1]) for name in ("fc6", "fc7")),
    )
    architecture = with_fitting_input_size(
        architecture, MODULES["fc6"], len(arrays["fc6"][0])
    )
    return architecture, len(arrays["fc8"][1]), arrays


def _kernel_and_bias(named, name):
    module = MODULES[name]
    try:
        kernel = named[f"{module}.weight"].astype("float32", copy=False)
        bias = named[f"{module}.bias"].astype("float32", copy=False)
    except KeyError as error:
        raise ValueError(f"It lacks {error}.") from error
    is_conv = name in OWT.conv_names
    check_shapes(module, kernel, bias, rank=4 if is_conv else 2)
    size = is_conv and OWT.kernel_sizes[OWT.conv_names.index(name)]
    if is_conv and kernel.shape[2] != size:
        raise ValueError(
            f"Layer `{module}` has a kernel of shape {kernel.shape}; wanted is "
            f"one of {size} x {size} pixels."
        )
    return kernel, bias
