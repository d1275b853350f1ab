"""The shape of GoogLeNet, which is no chain of layers."""

import dataclasses

import keras

from keras_alexnet.fields import check_pixels
from keras_alexnet.fields import check_positive_integers
from keras_alexnet.fields import check_shares
from keras_alexnet.fields import check_types
from keras_alexnet.fields import tuples_for_lists
from keras_alexnet.models.difference import describe

INITIALIZATIONS = ("xavier", "he", "glorot")
NORMS = ("norm1", "norm2")


@keras.saving.register_keras_serializable("keras_alexnet")
@dataclasses.dataclass(frozen=True)
class InceptionArchitecture:
    """A network of inception modules; `GoogLeNet` builds it.

    The defaults are Caffe's `bvlc_googlenet`. Vary one with
    `dataclasses.replace`:

    >>> import dataclasses
    >>> from keras_alexnet.models import GOOGLENET
    >>> from keras_alexnet.models import difference
    >>> print(difference(GOOGLENET, dataclasses.replace(GOOGLENET, norms=())))
    norms: ('norm1', 'norm2') -> ()

    Args:
        name: String, what tables and messages call it.
        input_size: Pixels per side of the crops it is trained on.
        stem: Kernels of the three convolutions before the first module.
        stem_stride: Pixels, the stride of the first convolution.
        modules: Per inception module its name and six numbers of kernels: of
            the 1 x 1 convolution; of the one before the 3 x 3 and the 3 x 3;
            of the one before the 5 x 5 and the 5 x 5; of the one after the
            pooling.
        pools_after: Names of the modules that a pooling follows.
        norms: `"norm1"` (after the first pooling), `"norm2"` (before the
            second), both or neither.
        lrn_k, lrn_n, lrn_alpha, lrn_beta, lrn_convention: As in
            `LocalResponseNormalization`.
        dropout: Share of units dropped before the last layer.
        auxiliary_after: Names of the modules whose outputs auxiliary
            classifiers see, in training.
        auxiliary_filters, auxiliary_units: Kernels of their convolution, and
            units of their dense layer.
        auxiliary_dropout: Share of those units dropped.
        auxiliary_weight: Factor of their losses.
        initialization: `"xavier"` (Caffe's: uniform, by the inputs alone),
            `"he"` or `"glorot"`, of all kernels.
        initial_bias: Float, of all layers but the classifiers, which have 0.
        pixel_mean: Mean color subtracted from images, RGB in 0-255.
        pixel_std: What centered pixels are divided by, RGB.
        mean: `"image"` or `"color"`, what is subtracted.
        channel_order: `"rgb"` or `"bgr"`, what the first convolution sees.
        image_size: Pixels per side of the images that the crops are cut from;
            `None` for 256 / 224 of the crops.

    Raises:
        ValueError: If the fields cannot be a network; the message names the
            field.

    Reference: `models/bvlc_googlenet/train_val.prototxt` of Caffe; [Szegedy et
    al., 2015](https://arxiv.org/abs/1409.4842), Table 1.
    """

    name: str = "googlenet"
    input_size: int = 224
    stem: tuple = (64, 64, 192)
    stem_stride: int = 2
    modules: tuple = (
        ("3a", 64, 96, 128, 16, 32, 32),
        ("3b", 128, 128, 192, 32, 96, 64),
        ("4a", 192, 96, 208, 16, 48, 64),
        ("4b", 160, 112, 224, 24, 64, 64),
        ("4c", 128, 128, 256, 24, 64, 64),
        ("4d", 112, 144, 288, 32, 64, 64),
        ("4e", 256, 160, 320, 32, 128, 128),
        ("5a", 256, 160, 320, 32, 128, 128),
        ("5b", 384, 192, 384, 48, 128, 128),
    )
    pools_after: tuple = ("3b", "4e")
    # :88-98 and :162-172; caffe.proto: k=1, alpha divided by n.
    norms: tuple = NORMS
    lrn_k: float = 1.0
    lrn_n: int = 5
    lrn_alpha: float = 1e-4
    lrn_beta: float = 0.75
    lrn_convention: str = "mean"
    # :2373.
    dropout: float = 0.4
    # :823-934 and :1586-1697.
    auxiliary_after: tuple = ("4a", "4d")
    auxiliary_filters: int = 128
    auxiliary_units: int = 1024
    auxiliary_dropout: float = 0.7
    auxiliary_weight: float = 0.3
    initialization: str = "xavier"
    initial_bias: float = 0.2
    # :13-15, there BGR.
    pixel_mean: tuple = (123.0, 117.0, 104.0)
    pixel_std: tuple = (1.0, 1.0, 1.0)
    mean: str = "color"
    channel_order: str = "bgr"
    image_size: int | None = None

    def __post_init__(self):
        check_types(self)
        tuples_for_lists(self)
        check_shares(self, "dropout", "auxiliary_dropout")
        check_pixels(self)
        check_positive_integers(self, "input_size", "image_size", "stem_stride")
        for name, choices in (
            ("lrn_convention", ("sum", "mean")),
            ("initialization", INITIALIZATIONS),
            ("mean", ("image", "color")),
            ("channel_order", ("rgb", "bgr")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"`{name}` must be one of {choices}. Received: "
                    f"{name}={getattr(self, name)!r}"
                )
        if not set(self.norms) <= set(NORMS):
            raise ValueError(
                f"`norms` must be of {NORMS}. Received: norms={self.norms}"
            )
        if len(self.stem) != 3:
            raise ValueError(
                "`stem` must have three numbers of kernels. "
                f"Received: stem={self.stem}"
            )
        if not self.modules or any(len(m) != 7 for m in self.modules):
            raise ValueError(
                "`modules` must hold a name and six numbers of kernels each. "
                f"Received: modules={self.modules}"
            )
        if len(self.auxiliary_after) > 2:
            raise ValueError(
                "`auxiliary_after` must name two modules at most: the last "
                "classifier is the third. Received: "
                f"auxiliary_after={self.auxiliary_after}"
            )
        for name in ("pools_after", "auxiliary_after"):
            if not set(getattr(self, name)) <= set(self.module_names):
                raise ValueError(
                    f"`{name}` must name modules among {self.module_names}. "
                    f"Received: {name}={getattr(self, name)}"
                )

    def __getattr__(self, name):
        # What is asked for here is what an `Architecture` has.
        raise AttributeError(
            f"{type(self).__name__} has no `{name}`. A GoogLeNet is no chain "
            "of layers; what needs one takes an `Architecture`."
        )

    @property
    def columns(self):
        """One: a GoogLeNet is not divided."""
        return 1

    @property
    def module_names(self):
        return tuple(module[0] for module in self.modules)

    @property
    def layer_names(self):
        """The layers that have weights, in Caffe's order.

        Keras does not allow the `/` of Caffe's names; it is a `_` here.
        """
        names = ["conv1_7x7_s2", "conv2_3x3_reduce", "conv2_3x3"]
        heads = 0
        for module in self.module_names:
            parts = "1x1 3x3_reduce 3x3 5x5_reduce 5x5 pool_proj".split()
            names += [f"inception_{module}_{part}" for part in parts]
            if module in self.auxiliary_after:
                heads += 1
                parts = "conv fc classifier".split()
                names += [f"loss{heads}_{part}" for part in parts]
        return (*names, "loss3_classifier")

    @property
    def first_layer(self):
        """The name of the layer that sees the image."""
        return self.layer_names[0]

    def resize(self, input_size=None):
        """As `Architecture.resize`."""
        if self.image_size is None:
            return None
        share = (input_size or self.input_size) / self.input_size
        return round(self.image_size * share)

    def initialized(self, initialization):
        """With another initialization of all kernels, and biases of 0."""
        return dataclasses.replace(
            self, initialization=initialization, initial_bias=0.0
        )

    def divided_by(self, pixel_std):
        """As `Architecture.divided_by`."""
        own = sum(self.pixel_std) / len(self.pixel_std)
        return dataclasses.replace(
            self,
            pixel_std=(pixel_std,) * 3,
            lrn_alpha=self.lrn_alpha * (pixel_std / own) ** 2,
        )

    def scaled(self, factor):
        """With all layers wider or narrower by a factor, see `with_width`."""

        def width(count):
            return max(1, round(count * factor))

        return dataclasses.replace(
            self,
            stem=tuple(map(width, self.stem)),
            modules=tuple((m[0], *map(width, m[1:])) for m in self.modules),
            auxiliary_filters=width(self.auxiliary_filters),
            auxiliary_units=width(self.auxiliary_units),
        )

    def computation(self):
        """Dict of what the outputs depend on, beside weights and widths."""
        facts = {
            "modules": self.module_names,
            "pools_after": self.pools_after,
            "stem_stride": self.stem_stride,
            "norms": self.norms,
        }
        if self.norms:
            divisor = self.lrn_n if self.lrn_convention == "mean" else 1
            facts["lrn_k"] = float(self.lrn_k)
            facts["lrn_n"] = self.lrn_n
            facts["lrn_alpha per square"] = self.lrn_alpha / divisor
            facts["lrn_beta"] = float(self.lrn_beta)
        return facts

    def get_config(self):
        """The fields, as Keras saves them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_config(cls, config):
        """The architecture with these fields; lists become tuples."""
        return cls(**config)

    def __str__(self):
        return describe(self)


GOOGLENET = InceptionArchitecture()
