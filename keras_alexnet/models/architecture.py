"""The one place where the shape of the network is written down."""

import dataclasses

STAGES = ("activation", "norm", "spatial_norm", "pool")
PADDINGS = ("valid", "same", "ceil")
INITIALIZATIONS = ("he", "torch")


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A network of the AlexNet family; `AlexNet` builds it.

    The defaults are the printed text of the paper. Tuples hold one entry per
    convolutional layer, `conv1` first; `initial_stds` and `initial_biases` go
    on with `fc6`, `fc7` and `fc8`. Vary one with `dataclasses.replace`:

    >>> import dataclasses
    >>> from keras_alexnet.models import PAPER, difference
    >>> print(difference(PAPER, dataclasses.replace(PAPER, lrn_n=9)))
    lrn_n: 5 -> 9

    Args:
        name: What it is called in tables.
        input_size: Pixels per side of the crops it is trained on.
        columns: Halves that a private layer is split into. Also the number of
            groups of its convolution.
        filters: Kernels per convolutional layer, over all columns.
        kernel_sizes: Pixels per side.
        strides: Pixels.
        paddings: `"valid"`, `"same"`, `"ceil"` (rounds the size up) or a
            number of pixels.
        stages: What follows each convolution, in order: words out of
            `"activation"`, `"norm"`, `"spatial_norm"` and `"pool"`.
        cross: The layers that see all columns. `conv1` sees the image and
            `fc8` everything, whatever this says.
        activation: Name of a Keras activation, also of `fc6` and `fc7`.
        normalization: `"lrn"` or `"batch"`, what `"norm"` stands for.
        lrn_k, lrn_n, lrn_alpha, lrn_beta, lrn_convention: As in
            `LocalResponseNormalization`.
        lrn_across_columns: Whether windows reach into the next column.
        spatial_n, spatial_alpha, spatial_beta: The norm within a channel, with
            `k=1` and `convention="mean"`.
        pool_size, pool_strides: Pixels.
        pool_rounding: `"ceil"` or `"floor"`.
        fc_units: Units of `fc6`, `fc7`, over all columns.
        dropout: Share of units dropped.
        dropout_position: `"after"` or `"before"` the layers of `fc_units`.
        initial_stds: Per layer the standard deviation of normal weights,
            `"he"`, or `"torch"` (PyTorch's default, uniform).
        initial_biases: Per layer a constant, or `"torch"`.
        pixel_mean: Mean color subtracted from images, RGB in 0-255.
        pixel_std: What centered pixels are divided by, RGB.
        mean: `"image"` or `"color"`, what is subtracted.
        channel_order: `"rgb"` or `"bgr"`, what `conv1` sees.

    Raises:
        ValueError: If the fields cannot be a network; the message names the
            field.
    """

    name: str = "paper"
    # Section 2: "crops of 224 x 224". The figure's 55 x 55 needs rounding up.
    input_size: int = 224
    columns: int = 2
    # Section 3.5.
    filters: tuple = (96, 256, 384, 384, 256)
    kernel_sizes: tuple = (11, 5, 3, 3, 3)
    strides: tuple = (4, 1, 1, 1, 1)
    # layer.py:1004 rounds up; pad=2 and pad=1 of layers-145.cfg are "same".
    paddings: tuple = ("ceil", "same", "same", "same", "same")
    # Section 3.5: LRN after conv1 and conv2, pooling after both and conv5.
    stages: tuple = (
        "activation norm pool",
        "activation norm pool",
        "activation",
        "activation",
        "activation pool",
    )
    # Section 3.5: conv3 and the fully connected layers see all of the layer
    # before; conv2, conv4 and conv5 only their own column.
    cross: tuple = ("conv3", "fc6", "fc7")
    # Section 3.1.
    activation: str = "relu"
    normalization: str = "lrn"
    # Section 3.3.
    lrn_k: float = 2.0
    lrn_n: int = 5
    lrn_alpha: float = 1e-4
    lrn_beta: float = 0.75
    lrn_convention: str = "sum"
    # layers-145.cfg:35: each column normalizes its own 48 maps.
    lrn_across_columns: bool = False
    # layer-params-145.cfg:157; unused by the printed network.
    spatial_n: int = 5
    spatial_alpha: float = 1e-3
    spatial_beta: float = 0.75
    # Section 3.4; layer.py:1164 rounds up.
    pool_size: int = 3
    pool_strides: int = 2
    pool_rounding: str = "ceil"
    fc_units: tuple = (4096, 4096)
    # Section 4.2: after the first two fully connected layers.
    dropout: float = 0.5
    dropout_position: str = "after"
    # Section 5: 0.01 everywhere; 1 in conv2, conv4, conv5 and the hidden fully
    # connected layers.
    initial_stds: tuple = (0.01,) * 8
    initial_biases: tuple = (0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0)
    # Section 2: "the mean activity over the training set", per pixel; its
    # color, for want of the image, from cuda-convnet2's make-data/input_meta.
    pixel_mean: tuple = (127.30, 119.72, 104.91)
    pixel_std: tuple = (1.0, 1.0, 1.0)
    mean: str = "image"
    channel_order: str = "rgb"

    def __post_init__(self):
        for name in ("filters", "kernel_sizes", "strides", "paddings"):
            if len(getattr(self, name)) != len(self.stages):
                raise ValueError(
                    f"`{name}` must have one entry per convolutional layer, "
                    f"{len(self.stages)} as `stages` has. Received: "
                    f"{name}={getattr(self, name)}"
                )
        for name in ("initial_stds", "initial_biases"):
            if len(getattr(self, name)) != len(self.layer_names):
                raise ValueError(
                    f"`{name}` must have one entry for each of "
                    f"{', '.join(self.layer_names)}. Received: "
                    f"{name}={getattr(self, name)}"
                )
        self._check_choices()
        self._check_columns()

    def _check_choices(self):
        for name, choices in (
            ("normalization", ("lrn", "batch")),
            ("lrn_convention", ("sum", "mean")),
            ("pool_rounding", ("ceil", "floor")),
            ("dropout_position", ("after", "before")),
            ("mean", ("image", "color")),
            ("channel_order", ("rgb", "bgr")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"`{name}` must be one of {choices}. Received: "
                    f"{name}={getattr(self, name)!r}"
                )
        for stages in self.stages:
            if not set(stages.split()) <= set(STAGES):
                raise ValueError(
                    f"`stages` must be made of the words {STAGES}. Received: "
                    f"stages={self.stages}"
                )
        for padding in self.paddings:
            if padding not in PADDINGS and not isinstance(padding, int):
                raise ValueError(
                    f"`paddings` must be of {PADDINGS} or integers. Received: "
                    f"paddings={self.paddings}"
                )
        for name in ("initial_stds", "initial_biases"):
            for value in getattr(self, name):
                if isinstance(value, str) and value not in INITIALIZATIONS:
                    raise ValueError(
                        f"`{name}` must be of numbers or {INITIALIZATIONS}. "
                        f"Received: {name}={getattr(self, name)}"
                    )

    def _check_columns(self):
        unknown = set(self.cross) - set(self.layer_names)
        if unknown:
            raise ValueError(
                f"`cross` must name layers among {self.layer_names}. "
                f"Received: cross={self.cross}"
            )
        if self.columns < 1:
            raise ValueError(
                f"`columns` must be 1 or more. Received: columns={self.columns}"
            )
        for name, width in zip(
            self.layer_names, self.filters + self.fc_units, strict=False
        ):
            if width % self.columns:
                raise ValueError(
                    f"The width of {name} must be divisible by `columns`. "
                    f"Received: {width} in `filters` or `fc_units`, "
                    f"columns={self.columns}"
                )

    @property
    def conv_names(self):
        return tuple(f"conv{i + 1}" for i in range(len(self.stages)))

    @property
    def fc_names(self):
        """Caffe's names, whatever the number of convolutional layers."""
        return tuple(f"fc{i + 6}" for i in range(len(self.fc_units) + 1))

    @property
    def layer_names(self):
        return self.conv_names + self.fc_names

    def groups(self, layer_name):
        """Into how many parts the inputs of a layer are divided."""
        whole = layer_name in ("conv1", self.fc_names[-1])
        return 1 if whole or layer_name in self.cross else self.columns

    def __str__(self):
        return describe(self)


def describe(instance):
    """The fields of a dataclass, a line each.

    Example:

    >>> print(describe(PAPER).splitlines()[1])
    input_size          224
    """
    fields = dataclasses.fields(instance)
    width = max(len(field.name) for field in fields)
    return "\n".join(
        f"{field.name:{width}}  {getattr(instance, field.name)}"
        for field in fields
    )


def difference(a, b):
    """The fields in which two dataclasses of one kind differ.

    Args:
        a: An `Architecture`, or any dataclass.
        b: Another of the same class.

    Returns:
        String, one line `field: a -> b` per field other than `name`; empty
        where there is none.

    Raises:
        TypeError: If they are of different classes.

    Example:

    >>> from keras_alexnet.models import CAFFE, CAFFENET
    >>> print(difference(CAFFE, CAFFENET).splitlines()[1])
    initial_biases: (0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0) -> \
(0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0)
    """
    if type(a) is not type(b):
        raise TypeError(
            "`a` and `b` must be of one class. Received: "
            f"a={type(a).__name__}, b={type(b).__name__}"
        )
    return "\n".join(
        f"{field.name}: {getattr(a, field.name)} -> {getattr(b, field.name)}"
        for field in dataclasses.fields(a)
        if field.name != "name"
        and getattr(a, field.name) != getattr(b, field.name)
    )


PAPER = Architecture()

# Net #145, the author's own: layers/layers-145.cfg and
# layer-params-145.cfg of the 2012 code.
CODE_2012 = dataclasses.replace(
    PAPER,
    name="code_2012",
    # :9-63 LRN and pooling come before the ReLU of conv1; :107-117 a second
    # norm within each map of conv2; :218-236 ReLU after pool5.
    stages=(
        "norm pool activation",
        "activation norm spatial_norm pool",
        "activation",
        "activation",
        "pool activation",
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
    stages=CODE_2012.stages + ("activation",),
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
        "activation pool norm",
        "activation pool norm",
        "activation",
        "activation",
        "activation pool",
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
        "activation pool",
        "activation pool",
        "activation",
        "activation",
        "activation pool",
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

PRESETS = {
    preset.name: preset
    for preset in (PAPER, CODE_2012, ONE_GPU, SIX_CONV, CAFFE, CAFFENET, OWT)
}


def resolve(architecture):
    """An `Architecture` from itself or from a preset's lower-case name.

    Args:
        architecture: An `Architecture` or one of `"paper"`, `"code_2012"`,
            `"one_gpu"`, `"six_conv"`, `"caffe"`, `"caffenet"`, `"owt"`.

    Returns:
        An `Architecture`.

    Raises:
        ValueError: If there is no preset of that name.
        TypeError: If it is neither.

    Example:

    >>> resolve("caffe").input_size
    227
    """
    return choose(architecture, PRESETS, "architecture")


def choose(value, presets, argument):
    """A dataclass from itself or from a preset's name.

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

    >>> choose("owt", PRESETS, "architecture").columns
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
