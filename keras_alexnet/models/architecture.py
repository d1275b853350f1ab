"""The one place where the shape of the network is written down."""

import dataclasses

import keras

from keras_alexnet.fields import check_pixels
from keras_alexnet.fields import check_positive_integers
from keras_alexnet.fields import check_shares
from keras_alexnet.fields import check_types
from keras_alexnet.fields import is_finite
from keras_alexnet.fields import tuples_for_lists
from keras_alexnet.models.difference import describe

STAGES = ("activation", "norm", "spatial_norm", "pool")
PADDINGS = ("valid", "same", "ceil")
INITIALIZATIONS = ("he", "glorot", "torch")


@keras.saving.register_keras_serializable("keras_alexnet")
@dataclasses.dataclass(frozen=True)
class Architecture:
    """A network of the AlexNet family; `AlexNet` builds it.

    The defaults are the printed text of the paper. Tuples hold one entry per
    convolutional layer, `conv1` first; `initial_stds` and `initial_biases` go
    on with `fc6`, `fc7` and `fc8`. Vary one with `dataclasses.replace`:

    >>> import dataclasses
    >>> from keras_alexnet.models import PAPER
    >>> from keras_alexnet.models import difference
    >>> print(difference(PAPER, dataclasses.replace(PAPER, lrn_n=9)))
    lrn_n: 5 -> 9

    Args:
        name: String, what tables and messages call it.
        input_size: Pixels per side of the crops it is trained on.
        columns: Number of columns. A layer that is not in `cross` is divided
            into as many groups.
        filters: Kernels per convolutional layer, over all columns.
        kernel_sizes: Pixels per side.
        strides: Pixels.
        paddings: `"valid"`, `"same"`, `"ceil"` (rounds the size up) or a
            number of pixels.
        stages: What follows each convolution, in order: per layer a tuple of
            `"activation"`, `"norm"`, `"spatial_norm"` and `"pool"`.
        cross: Names of the layers that see all columns; the others see their
            own. The first always sees the whole image, and the last layer
            all columns.
        activation: Name of a Keras activation, also of `fc6` and `fc7`.
        normalization: `"lrn"` or `"batch"`, what `"norm"` stands for.
        lrn_k, lrn_n, lrn_alpha, lrn_beta, lrn_convention: As in
            `LocalResponseNormalization`.
        lrn_across_columns: Whether windows reach into the next column.
        spatial_n, spatial_alpha, spatial_beta: As `lrn_n` and so on, of the
            norm within each channel; it has `k=1`, `convention="mean"`.
        pool_size, pool_strides: Pixels.
        pool_rounding: `"ceil"` or `"floor"`.
        fc_units: Units of `fc6`, `fc7`, over all columns.
        dropout: Share of units dropped.
        dropout_position: `"after"` or `"before"` the layers of `fc_units`.
        initial_stds: Per layer the standard deviation of normal weights,
            `"he"`, `"glorot"` (uniform), or `"torch"` (PyTorch's default,
            uniform).
        initial_biases: Per layer a constant, or `"torch"`.
        pixel_mean: Mean color subtracted from images, RGB in 0-255.
        pixel_std: What centered pixels are divided by, RGB.
        mean: `"image"` or `"color"`, what is subtracted.
        channel_order: `"rgb"` or `"bgr"`, what `conv1` sees.
        unshared: The convolutions whose kernel is another one at every
            position, as of `LocallyConnected2D`.
        average_pools: The convolutions whose pooling averages.
        image_size: Pixels per side of the images that the crops are cut from;
            `None` for 256 / 224 of the crops.
        blocks: Convolutions per block, for networks whose layers are called
            `conv1_1`, `conv1_2`, …, and the pooling after the first block
            `pool1`; empty for `conv1`, `conv2`, ….
        kernel_max_rms: The largest root mean square of a filter's weights in
            convolutions, kept by `MaxRMS` in training; `None` for no limit.

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
        ("activation", "norm", "pool"),
        ("activation", "norm", "pool"),
        ("activation",),
        ("activation",),
        ("activation", "pool"),
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
    # Section 2: "the mean activity over the training set", per pixel.
    # Until that image is set its color is used, from cuda-convnet2's
    # make-data/input_meta.
    pixel_mean: tuple = (127.30, 119.72, 104.91)
    pixel_std: tuple = (1.0, 1.0, 1.0)
    mean: str = "image"
    channel_order: str = "rgb"
    # None in the paper's network; two of the author's CIFAR nets have some.
    unshared: tuple = ()
    average_pools: tuple = ()
    image_size: int | None = None
    # VGG's networks have some.
    blocks: tuple = ()
    # ZFNet has one.
    kernel_max_rms: float | None = None

    def __post_init__(self):
        check_types(self)
        tuples_for_lists(self)
        check_shares(self, "dropout")
        check_pixels(self)
        check_positive_integers(
            self,
            *("input_size", "image_size", "columns", "pool_size"),
            *("pool_strides", "filters", "kernel_sizes", "strides", "fc_units"),
        )
        for name in ("filters", "kernel_sizes", "strides", "paddings"):
            if len(getattr(self, name)) != len(self.stages):
                raise ValueError(
                    f"`{name}` must have one entry per convolutional layer, "
                    f"{len(self.stages)} as `stages` has. Received: "
                    f"{name}={getattr(self, name)}"
                )
        self._check_blocks()
        for name in ("initial_stds", "initial_biases"):
            if len(getattr(self, name)) != len(self.layer_names):
                raise ValueError(
                    f"`{name}` must have one entry for each of "
                    f"{', '.join(self.layer_names)}. Received: "
                    f"{name}={getattr(self, name)}"
                )
        self._check_choices()
        self._check_columns()
        self._check_places()

    def _check_blocks(self):
        counts = all(isinstance(n, int) and n > 0 for n in self.blocks)
        if not counts or sum(self.blocks) not in (0, len(self.stages)):
            raise ValueError(
                "`blocks` must be empty, or of positive integers whose sum is "
                f"the number of convolutions, {len(self.stages)}. Received: "
                f"blocks={self.blocks}"
            )

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
            if isinstance(stages, str) or not set(stages) <= set(STAGES):
                raise ValueError(
                    "`stages` must hold one tuple per convolutional layer, "
                    f"made of {STAGES}. Received: stages={self.stages}"
                )
        for padding in self.paddings:
            if padding not in PADDINGS and not (
                isinstance(padding, int) and padding >= 0
            ):
                raise ValueError(
                    f"`paddings` must be of {PADDINGS} or integers, 0 or more. "
                    f"Received: paddings={self.paddings}"
                )
        self._check_initialization()

    def _check_initialization(self):
        for value in self.initial_stds:
            if value not in INITIALIZATIONS and not (
                is_finite(value) and value >= 0
            ):
                raise ValueError(
                    "`initial_stds` must be of numbers, 0 or more, or "
                    f"{INITIALIZATIONS}. Received: "
                    f"initial_stds={self.initial_stds}"
                )
        for value in self.initial_biases:
            if value != "torch" and not is_finite(value):
                raise ValueError(
                    '`initial_biases` must be of numbers or "torch". Received: '
                    f"initial_biases={self.initial_biases}"
                )

    def _check_columns(self):
        unknown = set(self.cross) - set(self.layer_names)
        if unknown:
            raise ValueError(
                f"`cross` must name layers among {self.layer_names}. "
                f"Received: cross={self.cross}"
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

    def _check_places(self):
        """Refuses names of layers that cannot be what they are said to be."""
        for name in ("unshared", "average_pools"):
            if set(getattr(self, name)) - set(self.conv_names):
                raise ValueError(
                    f"`{name}` must name layers among {self.conv_names}. "
                    f"Received: {name}={getattr(self, name)}"
                )
        for name in self.unshared:
            padding = self.paddings[self.conv_names.index(name)]
            if self.groups(name) > 1 or padding not in ("valid", "same"):
                raise ValueError(
                    "A layer of `unshared` must see all columns, and its "
                    'padding must be "valid" or "same". Received: '
                    f"unshared={self.unshared}, columns={self.columns}, "
                    f"paddings={self.paddings}"
                )
        if self.kernel_max_rms is not None and (
            self.unshared or not self.kernel_max_rms > 0
        ):
            raise ValueError(
                "`kernel_max_rms` must be positive or `None`, and `None` with "
                "`unshared` layers. Received: "
                f"kernel_max_rms={self.kernel_max_rms}, "
                f"unshared={self.unshared}"
            )
        if self.image_size is not None and self.image_size < self.input_size:
            raise ValueError(
                "`image_size` must be at least `input_size`. Received: "
                f"image_size={self.image_size}, input_size={self.input_size}"
            )

    @property
    def conv_names(self):
        return conv_names(len(self.stages), self.blocks)

    @property
    def fc_names(self):
        """Caffe's names, whatever the number of convolutional layers."""
        return tuple(f"fc{i + 6}" for i in range(len(self.fc_units) + 1))

    @property
    def layer_names(self):
        return self.conv_names + self.fc_names

    def stage_name(self, stage, conv_name):
        """The name of a layer that follows a convolution.

        Args:
            stage: String, `"pool"`, `"norm"` or another of its stages, or the
                name of the activation.
            conv_name: String, such as `"conv1"`.

        Returns:
            String; the pooling after a block has the number of the block.

        Example:

        >>> from keras_alexnet.models import VGG_D
        >>> VGG_D.stage_name("pool", "conv1_2")
        'pool1'
        >>> VGG_D.stage_name("norm", "conv1_2")
        'norm1_2'
        """
        number = conv_name.removeprefix("conv")
        block, _, place = number.partition("_")
        if stage == "pool" and place:
            if int(place) == self.blocks[int(block) - 1]:
                return f"pool{block}"
        return f"{stage}{number}"

    def resize(self, input_size=None):
        """Pixels per side of the images that crops of a size are cut from.

        Args:
            input_size: Integer. Defaults to the architecture's own; others
                keep its proportion of images to crops.

        Returns:
            Integer; `None` where `image_size` is.

        Example:

        >>> from keras_alexnet.models.cifar_presets import CIFAR_13
        >>> CIFAR_13.resize(), CIFAR_13.resize(48), Architecture().resize()
        (32, 64, None)
        """
        if self.image_size is None:
            return None
        share = (input_size or self.input_size) / self.input_size
        return round(self.image_size * share)

    def groups(self, layer_name):
        """The number of groups of a layer, 1 if it sees all columns."""
        whole = layer_name in (self.conv_names[0], self.fc_names[-1])
        return 1 if whole or layer_name in self.cross else self.columns

    def initialized(self, initialization):
        """With one initialization of all kernels, and biases of 0.

        Args:
            initialization: As each of `initial_stds`.

        Returns:
            An `Architecture`.
        """
        count = len(self.layer_names)
        return dataclasses.replace(
            self,
            initial_stds=(initialization,) * count,
            initial_biases=(0.0,) * count,
        )

    def divided_by(self, pixel_std):
        """For pixels that are divided by another number.

        The alphas of the norms are multiplied by the square of the change:
        what they multiply is squares of activations.

        Args:
            pixel_std: Float.

        Returns:
            An `Architecture`.
        """
        own = sum(self.pixel_std) / len(self.pixel_std)
        square = (pixel_std / own) ** 2
        return dataclasses.replace(
            self,
            pixel_std=(pixel_std,) * 3,
            lrn_alpha=self.lrn_alpha * square,
            spatial_alpha=self.spatial_alpha * square,
        )

    def scaled(self, factor):
        """With all layers wider or narrower by a factor, see `with_width`."""

        def widths(counts):
            unit = self.columns
            return tuple(
                max(1, round(count * factor / unit)) * unit for count in counts
            )

        return dataclasses.replace(
            self, filters=widths(self.filters), fc_units=widths(self.fc_units)
        )

    @property
    def first_layer(self):
        """The name of the layer that sees the image."""
        return self.conv_names[0]

    def get_config(self):
        """The fields, as Keras saves them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config):
        """The architecture with these fields; lists become tuples."""
        return cls(**config)

    def __str__(self):
        return describe(self)


def conv_names(count, blocks=()):
    """The names of the convolutions of a network.

    Args:
        count: Integer.
        blocks: As of `Architecture`. Defaults to none.

    Returns:
        Tuple of strings.

    Example:

    >>> conv_names(3), conv_names(3, (1, 2))
    (('conv1', 'conv2', 'conv3'), ('conv1_1', 'conv2_1', 'conv2_2'))
    """
    if not blocks:
        return tuple(f"conv{i + 1}" for i in range(count))
    return tuple(
        f"conv{block}_{place + 1}"
        for block, size in enumerate(blocks, 1)
        for place in range(size)
    )
