"""The author's networks for CIFAR-10, from before the paper."""

import dataclasses

from keras_alexnet.models.architecture import Architecture

# What the three plain ones have, and the others change. Files are those of
# cuda-convnet, `example-layers`. Biases begin at 0 (the default of layer.py);
# poolings are 3 x 3 at a stride of 2 and round up.
_COMMON = Architecture(
    columns=1,
    cross=(),
    fc_units=(),
    dropout=0.0,
    # Without translations the images are shown whole.
    input_size=32,
    image_size=32,
    # The mean color of CIFAR-10's training images.
    pixel_mean=(125.31, 122.96, 113.86),
    # layer.py divides `scale` by the window's size; its constant is 1.
    lrn_k=1.0,
    lrn_n=9,
    lrn_alpha=1e-3,
    lrn_convention="mean",
    spatial_n=3,
    spatial_alpha=5e-5,
    name="cifar_common",
    filters=(32, 32, 64),
    kernel_sizes=(5, 5, 5),
    strides=(1, 1, 1),
    paddings=("same", "same", "same"),
    # example-layers/layers-19pct.cfg: ReLU follows the pooling of conv1.
    stages=(
        ("pool", "activation"),
        ("activation", "pool"),
        ("activation", "pool"),
    ),
    average_pools=("conv2", "conv3"),
    initial_stds=(1e-4, 0.01, 0.01, 0.01),
    initial_biases=(0.0,) * 4,
)

# example-layers/layers-80sec.cfg: "26% error on CIFAR-10 in 80 seconds".
CIFAR_26 = dataclasses.replace(
    _COMMON,
    name="cifar_26",
    fc_units=(64,),
    initial_stds=(1e-4, 0.01, 0.01, 0.1, 0.1),
    initial_biases=(0.0,) * 5,
)

# example-layers/layers-19pct.cfg: "19% error on CIFAR-10 in 20 minutes".
CIFAR_19 = dataclasses.replace(_COMMON, name="cifar_19")

# example-layers/layers-18pct.cfg: the norm within each map after two poolings.
CIFAR_18 = dataclasses.replace(
    _COMMON,
    name="cifar_18",
    stages=(
        ("pool", "activation", "spatial_norm"),
        ("activation", "pool", "spatial_norm"),
        ("activation", "pool"),
    ),
)

# example-layers/layers-conv-local-13pct.cfg: local3 and local4 are unshared.
CIFAR_13 = dataclasses.replace(
    _COMMON,
    name="cifar_13",
    input_size=24,
    filters=(64, 64, 32, 32),
    kernel_sizes=(5, 5, 3, 3),
    strides=(1, 1, 1, 1),
    paddings=("same",) * 4,
    stages=(
        ("activation", "pool"),
        ("activation", "pool"),
        ("activation",),
        ("activation",),
    ),
    average_pools=(),
    unshared=("conv3", "conv4"),
    initial_stds=(1e-4, 0.01, 0.04, 0.04, 0.01),
    initial_biases=(0.0,) * 5,
)

# cuda-convnet2 layers/layers-cifar10-11pct.cfg: the norms, and a wider local3.
CIFAR_11 = dataclasses.replace(
    CIFAR_13,
    name="cifar_11",
    filters=(64, 64, 64, 32),
    stages=(
        ("activation", "pool", "norm"),
        ("activation", "norm", "pool"),
        ("activation",),
        ("activation",),
    ),
)

# The paper does not say which "four-layer convolutional neural network" its
# Figure 1 is of. The 19 % net is the author's plainest of four layers.
FIGURE_1 = dataclasses.replace(CIFAR_19, name="figure_1")

CIFAR_ARCHITECTURES = {
    preset.name: preset
    for preset in (
        CIFAR_26,
        CIFAR_19,
        CIFAR_18,
        CIFAR_13,
        CIFAR_11,
        FIGURE_1,
    )
}
