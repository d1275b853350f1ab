"""The preset architectures, each with its source."""

import dataclasses

from keras_alexnet.models.architecture import Architecture
from keras_alexnet.models.cifar_presets import CIFAR_ARCHITECTURES
from keras_alexnet.models.family_presets import FAMILY_ARCHITECTURES
from keras_alexnet.models.inception import GOOGLENET
from keras_alexnet.models.inception import InceptionArchitecture

PAPER = Architecture()

# Net #145, the author's own: layers/layers-145.cfg and
# layer-params-145.cfg of the 2012 code.
CODE_2012 = dataclasses.replace(
    PAPER,
    name="code_2012",
    # :9-63 LRN and pooling come before the ReLU of conv1; :107-117 a second
    # norm within each map of conv2; :218-236 ReLU after pool5.
    stages=(
        ("norm", "pool", "activation"),
        ("activation", "norm", "spatial_norm", "pool"),
        ("activation",),
        ("activation",),
        ("pool", "activation"),
    ),
    # layer.py:1183 divides alpha by n.
    lrn_convention="mean",
    # :149, :176, :206 initW=0.03 in conv3, conv4 and conv5.
    initial_stds=(0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01),
)

# Net #145-half of Section 3.2: half the kernels of both columns, but as many
# in conv5 and the fully connected layers, to have about as many parameters.
ONE_GPU = dataclasses.replace(
    CODE_2012,
    name="one_gpu",
    columns=1,
    filters=(48, 128, 192, 192, 256),
)

# Net #146 of Table 2: a sixth layer, over the last pooling of both columns.
SIX_CONV = dataclasses.replace(
    CODE_2012,
    name="six_conv",
    filters=(96, 256, 384, 384, 256, 256),
    kernel_sizes=(11, 5, 3, 3, 3, 3),
    strides=(4, 1, 1, 1, 1, 1),
    paddings=("ceil", "same", "same", "same", "same", "same"),
    stages=CODE_2012.stages + (("activation",),),
    cross=("conv3", "conv6", "fc6", "fc7"),
    initial_stds=(0.01, 0.01, 0.03, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01),
    initial_biases=(0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
)

# bvlc_alexnet of Caffe: models/bvlc_alexnet/train_val.prototxt.
CAFFE = dataclasses.replace(
    PAPER,
    name="caffe",
    # :12 crop_size; convolutions round down, poolings up.
    input_size=227,
    paddings=("valid", "same", "same", "same", "same"),
    # :73-83; caffe.proto:879-888 k=1, alpha divided by n; no groups in LRN.
    lrn_k=1.0,
    lrn_convention="mean",
    lrn_across_columns=True,
    # fc6 and fc7 .005, the other layers .01; non-zero biases .1.
    initial_stds=(0.01, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.01),
    initial_biases=(0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0),
    # python/caffe/imagenet/ilsvrc_2012_mean.npy, BGR 104/117/123.
    pixel_mean=(122.68, 116.67, 104.01),
    mean="color",
    channel_order="bgr",
)

# bvlc_reference_caffenet: pooling before LRN, biases 1.
CAFFENET = dataclasses.replace(
    CAFFE,
    name="caffenet",
    stages=(
        ("activation", "pool", "norm"),
        ("activation", "pool", "norm"),
        ("activation",),
        ("activation",),
        ("activation", "pool"),
    ),
    initial_biases=(0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0),
)

# torchvision/models/alexnet.py, after "One weird trick".
OWT = dataclasses.replace(
    PAPER,
    name="owt",
    columns=1,
    filters=(64, 192, 384, 256, 256),
    paddings=(2, "same", "same", "same", "same"),
    stages=(
        ("activation", "pool"),
        ("activation", "pool"),
        ("activation",),
        ("activation",),
        ("activation", "pool"),
    ),
    pool_rounding="floor",
    dropout_position="before",
    initial_stds=("torch",) * 8,
    initial_biases=("torch",) * 8,
    # transforms/_presets.py, in grey levels.
    pixel_mean=(0.485 * 255, 0.456 * 255, 0.406 * 255),
    pixel_std=(0.229 * 255, 0.224 * 255, 0.225 * 255),
    mean="color",
)

IMAGENET_ARCHITECTURES = {
    preset.name: preset
    for preset in (PAPER, CODE_2012, ONE_GPU, SIX_CONV, CAFFE, CAFFENET, OWT)
}
ARCHITECTURES = {
    **IMAGENET_ARCHITECTURES,
    **FAMILY_ARCHITECTURES,
    GOOGLENET.name: GOOGLENET,
    **CIFAR_ARCHITECTURES,
}


def resolve_architecture(architecture):
    """The `Architecture` that a preset's lower-case name stands for.

    Args:
        architecture: An `Architecture` or `InceptionArchitecture`, which is
            returned, or one of `"paper"`, `"code_2012"`, `"one_gpu"`,
            `"six_conv"`, `"caffe"`, `"caffenet"`, `"owt"`, `"alexnet_ptcv"`,
            or one of the networks of `ZFNet`, `VGG`, `GoogLeNet` and
            `CIFARNet`.

    Returns:
        An `Architecture` or `InceptionArchitecture`.

    Raises:
        ValueError: If there is no preset of that name.
        TypeError: If it is neither.

    Example:

    >>> resolve_architecture("caffe").input_size
    227
    """
    if isinstance(architecture, InceptionArchitecture):
        return architecture
    return choose_preset(architecture, ARCHITECTURES, "architecture")


def require_chain(architecture):
    """Refuses an architecture whose layers are no chain, such as GoogLeNet's.

    Args:
        architecture: An `Architecture` or `InceptionArchitecture`.

    Returns:
        The `Architecture`.

    Raises:
        ValueError: If it is an `InceptionArchitecture`.

    Example:

    >>> require_chain(PAPER) is PAPER
    True
    """
    if isinstance(architecture, InceptionArchitecture):
        raise ValueError(
            "`architecture` must be an `Architecture`, a chain of layers, "
            "whose stages can be varied. Received: an "
            f"`InceptionArchitecture`, {architecture.name!r}"
        )
    return architecture


def choose_preset(value, presets, argument):
    """The preset that a name stands for; a dataclass is returned as it is.

    Args:
        value: An instance, or a key of `presets`.
        presets: Dict of name to instance.
        argument: String, what error messages call it.

    Returns:
        An instance.

    Raises:
        ValueError: If there is no preset of that name.
        TypeError: If it is neither.

    Example:

    >>> choose_preset("owt", ARCHITECTURES, "architecture").columns
    1
    """
    kind = type(next(iter(presets.values())))
    if isinstance(value, kind):
        return value
    if not isinstance(value, str):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise TypeError(
            f"`{argument}` must be {article} `{kind.__name__}` or the name of "
            f"a preset. Received: {argument}={value!r}"
        )
    if value not in presets:
        raise ValueError(
            f"`{argument}` must be one of {', '.join(presets)}. "
            f"Received: {argument}={value!r}"
        )
    return presets[value]
