"""torchvision's `alexnet` as ours, and back.

It takes RGB images in [0, 1], minus a mean and divided by a standard
deviation. `AlexNet(architecture="owt", include_preprocessing=True)` takes raw
0-255 pixels and does the same in its first layer.
"""

import dataclasses

from keras_alexnet.models.architecture import OWT
from keras_alexnet.models.computation import different_computations
from keras_alexnet.weights.layouts import conv_from_oihw
from keras_alexnet.weights.layouts import conv_to_oihw
from keras_alexnet.weights.layouts import dense_from_oi
from keras_alexnet.weights.layouts import dense_to_oi
from keras_alexnet.weights.state_dict import read_state_dict
from keras_alexnet.weights.state_dict import write_state_dict

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
    try:
        return _recognize(arrays)
    except ValueError as error:
        raise ValueError(
            f"{path} is no state dict of torchvision's alexnet. {error}"
        ) from error


def write_torchvision(path, architecture, arrays, input_size=None):
    """Writes a state dict for torchvision's `alexnet`, as safetensors.

    Args:
        path: Path that ends in `.safetensors`.
        architecture: `OWT`, or one that differs from it in widths only.
        arrays: Dict of layer name to `(kernel, bias)` in Keras's layouts.
        input_size: Pixels per side of the images. Defaults to 224.

    Raises:
        ValueError: If torchvision's `alexnet` is another network.
    """
    different = different_computations(architecture, OWT, input_size)
    if different:
        raise ValueError(
            "A state dict of torchvision holds architecture 'owt', of any "
            f"widths; {architecture.name!r} has another "
            f"{'; '.join(different)}. Save a `.caffemodel` or `.weights.h5`."
        )
    flattened = architecture.filters[-1]
    named = {}
    for name, module in MODULES.items():
        kernel, bias = arrays[name]
        if kernel.ndim == 4:
            kernel = conv_to_oihw(kernel)
        else:
            kernel = dense_to_oi(kernel, flattened if name == "fc6" else None)
        named[f"{module}.weight"] = kernel
        named[f"{module}.bias"] = bias
    write_state_dict(path, named)


def _recognize(named):
    unknown = set(named) - {
        f"{module}.{kind}"
        for module in MODULES.values()
        for kind in ("weight", "bias")
    }
    if unknown:
        names = ", ".join(sorted(unknown)[:5])
        raise ValueError(f"It has what is no part of it: {names}.")
    arrays, channels = {}, 3
    for index, (name, module) in enumerate(MODULES.items()):
        kernel, bias = _kernel_and_bias(
            named, module, rank=4 if index < 5 else 2
        )
        flattened = channels if name == "fc6" else None
        wanted = kernel.shape[1] if flattened else channels
        size = OWT.kernel_sizes[index : index + 1] * 2
        if kernel.shape[1:] != (wanted, *size):
            raise ValueError(
                f"Layer `{module}` has a kernel of shape {kernel.shape}; "
                f"wanted is {(len(kernel), wanted, *size)}."
            )
        try:
            arrays[name] = (
                (
                    conv_from_oihw(kernel)
                    if size
                    else dense_from_oi(kernel, flattened)
                ),
                bias,
            )
        except ValueError as error:
            raise ValueError(f"Layer `{module}`: {error}") from error
        channels = len(kernel)
    filters = tuple(len(arrays[name][1]) for name in OWT.conv_names)
    architecture = dataclasses.replace(
        OWT,
        filters=filters,
        fc_units=tuple(len(arrays[name][1]) for name in ("fc6", "fc7")),
    )
    return architecture, channels, arrays


def _kernel_and_bias(named, module, rank):
    try:
        kernel = named[f"{module}.weight"].astype("float32", copy=False)
        bias = named[f"{module}.bias"].astype("float32", copy=False)
    except KeyError as error:
        raise ValueError(f"It lacks {error}.") from error
    if kernel.ndim != rank or bias.shape != kernel.shape[:1]:
        raise ValueError(
            f"Layer `{module}` has a kernel of shape {kernel.shape} and a bias "
            f"of shape {bias.shape}; wanted is a kernel of rank {rank} and one "
            "bias per output."
        )
    return kernel, bias
