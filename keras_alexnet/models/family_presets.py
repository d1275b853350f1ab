"""AlexNet's successors that are chains of layers, each with its source."""

import dataclasses

from keras_alexnet.models.architecture import Architecture
from keras_alexnet.models.architecture import conv_names

# Zeiler and Fergus, 2014, https://arxiv.org/abs/1311.2901. The sizes of its
# Figure 3 (110, 55, 26, 13, 6) come out without padding and rounded up.
ZFNET = Architecture(
    name="zfnet",
    columns=1,
    cross=(),
    # Section 3.1: "dense connections" in layers 3, 4 and 5; Figure 3.
    filters=(96, 256, 384, 384, 256),
    kernel_sizes=(7, 5, 3, 3, 3),
    strides=(2, 2, 1, 1, 1),
    paddings=("ceil", "ceil", "same", "same", "same"),
    # Figure 3: "contrast normalized across feature maps" after the pooling.
    stages=(
        ("activation", "pool", "norm"),
        ("activation", "pool", "norm"),
        ("activation",),
        ("activation",),
        ("activation", "pool"),
    ),
    # Section 3.1: "all weights are initialized to 10^-2 and biases are set
    # to 0". The constants of LRN are not printed; these are Krizhevsky's.
    initial_biases=(0.0,) * 8,
    # "a fixed radius of 10^-1".
    kernel_max_rms=0.1,
)

# Table 3, "Adjust layers 3,4,5: 512,1024,512 maps".
ZFNET_512 = dataclasses.replace(
    ZFNET, name="zfnet_512", filters=(96, 256, 512, 1024, 512)
)


def _vgg(name, blocks, pointwise=(), initial_std=0.01):
    """A column of Table 1 of Simonyan and Zisserman.

    Args:
        name: String.
        blocks: Convolutions per block.
        pointwise: Names of the convolutions by 1 x 1 pixels.
        initial_std: As each of `Architecture.initial_stds`.

    Returns:
        An `Architecture`.
    """
    count = sum(blocks)
    widths = zip((64, 128, 256, 512, 512), blocks, strict=True)
    return Architecture(
        name=name,
        columns=1,
        cross=(),
        blocks=blocks,
        filters=tuple(width for width, n in widths for _ in range(n)),
        # Section 2.1: 3 x 3 pixels, a stride of 1 and a padding of 1; max
        # pooling by 2 x 2 pixels at a stride of 2, after each block.
        kernel_sizes=tuple(
            1 if conv in pointwise else 3 for conv in conv_names(count, blocks)
        ),
        strides=(1,) * count,
        paddings=("same",) * count,
        stages=tuple(
            ("activation", "pool") if place == n else ("activation",)
            for n in blocks
            for place in range(1, n + 1)
        ),
        pool_size=2,
        pool_strides=2,
        initial_stds=(initial_std,) * (count + 3),
        # Section 3.1.
        initial_biases=(0.0,) * (count + 3),
        # The files that the authors published see BGR, minus the mean color.
        pixel_mean=(123.68, 116.779, 103.939),
        mean="color",
        channel_order="bgr",
    )


# Simonyan and Zisserman, 2015, https://arxiv.org/abs/1409.1556, Table 1.
# Section 3.1 prints normal weights of a variance of 0.01, by which the signal
# grows 16 times in fc6 alone; 0.01 is the standard deviation here, as in all
# networks of that time.
VGG_A = _vgg("vgg_a", (1, 1, 2, 2, 2))

# Section 2.1: the norm's constants are "those of (Krizhevsky et al., 2012)".
VGG_A_LRN = dataclasses.replace(
    VGG_A,
    name="vgg_a_lrn",
    stages=(("activation", "norm", "pool"), *VGG_A.stages[1:]),
)

# In these the signal would fade. Section 3.1 gives two remedies: to begin with
# the weights of A (`copy_common_layers`), or Glorot and Bengio's.
VGG_B = _vgg("vgg_b", (2, 2, 2, 2, 2), initial_std="glorot")
VGG_C = _vgg(
    "vgg_c",
    (2, 2, 3, 3, 3),
    pointwise=("conv3_3", "conv4_3", "conv5_3"),
    initial_std="glorot",
)
VGG_D = _vgg("vgg_d", (2, 2, 3, 3, 3), initial_std="glorot")
VGG_E = _vgg("vgg_e", (2, 2, 4, 4, 4), initial_std="glorot")

# pytorchcv's `alexnet`: models/alexnet.py. Its layers are not in groups, and
# it sees pixels in [0, 1], whose squares the norm hardly notices.
ALEXNET_PTCV = Architecture(
    name="alexnet_ptcv",
    columns=1,
    cross=(),
    # conv1 has no padding and gives 54 x 54 pixels.
    paddings=("valid", "same", "same", "same", "same"),
    # torch.nn.LocalResponseNorm divides alpha by n.
    lrn_convention="mean",
    # He et al. for convolutions (uniform there), PyTorch's own for the rest.
    initial_stds=("he",) * 5 + ("torch",) * 3,
    initial_biases=(0.0,) * 5 + ("torch",) * 3,
    pixel_mean=(0.485 * 255, 0.456 * 255, 0.406 * 255),
    pixel_std=(0.229 * 255, 0.224 * 255, 0.225 * 255),
    mean="color",
)

# pytorchcv's `zfnet` and `zfnetb`: models/zfnet.py. conv1 is padded by a pixel,
# sizes of convolutions are rounded down, and the norm comes before the pooling.
ZFNET_PTCV = dataclasses.replace(
    ALEXNET_PTCV,
    name="zfnet_ptcv",
    kernel_sizes=(7, 5, 3, 3, 3),
    strides=(2, 2, 1, 1, 1),
    paddings=(1, "valid", "same", "same", "same"),
)
ZFNETB_PTCV = dataclasses.replace(
    ZFNET_PTCV, name="zfnetb_ptcv", filters=(96, 256, 512, 1024, 512)
)

FAMILY_ARCHITECTURES = {
    preset.name: preset
    for preset in (
        ZFNET,
        ZFNET_512,
        VGG_A,
        VGG_A_LRN,
        VGG_B,
        VGG_C,
        VGG_D,
        VGG_E,
        ALEXNET_PTCV,
        ZFNET_PTCV,
        ZFNETB_PTCV,
    )
}
