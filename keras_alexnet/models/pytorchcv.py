"""Reads the AlexNets and ZFNets of pytorchcv, and tells them from others.

Their images are RGB in [0, 1], minus a mean and divided by a standard
deviation, as torchvision's.
"""

import dataclasses
import re

from keras_alexnet.models.family_presets import ALEXNET_PTCV
from keras_alexnet.models.family_presets import ZFNET_PTCV
from keras_alexnet.models.family_presets import ZFNETB_PTCV
from keras_alexnet.models.file_errors import explained
from keras_alexnet.models.geometry import with_fitting_input_size
from keras_alexnet.models.presets import OWT
from keras_alexnet.models.torchvision import recognize_torchvision
from keras_alexnet.weights.kernel_layouts import check_shapes
from keras_alexnet.weights.kernel_layouts import from_outputs_first
from keras_alexnet.weights.state_dict import read_state_dict

# pytorchcv/models/alexnet.py: stages of convolutional units, then the output.
MODULES = {
    "conv1": "features.stage1.unit1.conv",
    "conv2": "features.stage2.unit1.conv",
    "conv3": "features.stage3.unit1.conv",
    "conv4": "features.stage3.unit2.conv",
    "conv5": "features.stage3.unit3.conv",
    "fc6": "output.fc1.fc",
    "fc7": "output.fc2.fc",
    "fc8": "output.fc3",
}
# What a state dict does not say follows from the sizes of the kernels, and
# `alexnet` and `alexnetb` differ in the norms, which follow from the widths.
ALEXNETB = dataclasses.replace(OWT, pool_rounding="ceil")


def read_pytorch(path):
    """Reads a network of this family from a file of PyTorch's.

    Args:
        path: Path of a `.pth` or `.safetensors` file of torchvision's
            `alexnet`, or of pytorchcv's `alexnet`, `alexnetb`, `zfnet` or
            `zfnetb`; of any widths, also zipped.

    Returns:
        Tuple: the `Architecture`, the number of classes, and a dict of our
        layer name to `(kernel, bias)` in Keras's layouts.

    Raises:
        ValueError: If the file is damaged, or is of another network; the
            message names the layer.
    """
    named = read_state_dict(path)
    if any(name.startswith("features.stage") for name in named):
        with explained(path, "is no AlexNet or ZFNet of pytorchcv"):
            return recognize_pytorchcv(named)
    with explained(path, "is no state dict of torchvision's alexnet"):
        return recognize_torchvision(named)


def recognize_pytorchcv(named):
    """Finds which network of pytorchcv a state dict is of.

    Args:
        named: Dict of name to array.

    Returns:
        Tuple, as `read_pytorch`.

    Raises:
        ValueError: If it is of none; the message names the layer.
    """
    wanted = {
        f"{module}.{kind}"
        for module in MODULES.values()
        for kind in ("weight", "bias")
    }
    if set(named) != wanted:
        names = ", ".join(sorted(set(named) ^ wanted)[:5])
        raise ValueError(f"It differs in the arrays {names}.")
    layers = {}
    for name, module in MODULES.items():
        kernel, bias = (
            named[f"{module}.{kind}"].astype("float32", copy=False)
            for kind in ("weight", "bias")
        )
        rank = 4 if re.match("conv", name) else 2
        check_shapes(module, kernel, bias, rank)
        layers[name] = module, kernel, bias
    arrays, groups = from_outputs_first(layers)
    filters = tuple(len(arrays[name][1]) for name in groups)
    kernels = tuple(arrays[name][0].shape[0] for name in groups)
    if max(groups.values()) > 1:
        raise ValueError("It has convolutions in groups, as none of these has.")
    preset = _preset(filters, kernels)
    architecture = dataclasses.replace(
        preset,
        filters=filters,
        fc_units=tuple(len(arrays[name][1]) for name in ("fc6", "fc7")),
    )
    architecture = with_fitting_input_size(
        architecture, MODULES["fc6"], len(arrays["fc6"][0])
    )
    return architecture, len(arrays["fc8"][1]), arrays


def _preset(filters, kernels):
    """The network of these kernels whose widths have the same proportions."""
    presets = (ALEXNET_PTCV, ALEXNETB, ZFNET_PTCV, ZFNETB_PTCV)
    fitting = [
        preset
        for preset in presets
        if preset.kernel_sizes == kernels
        and all(
            count * preset.filters[0] == width * filters[0]
            for count, width in zip(filters, preset.filters, strict=True)
        )
    ]
    if len(fitting) != 1:
        raise ValueError(
            f"Its convolutions have kernels of {kernels} pixels and widths of "
            f"{filters}, in proportions unlike those of any of "
            "alexnet, alexnetb, zfnet and zfnetb."
        )
    return fitting[0]
