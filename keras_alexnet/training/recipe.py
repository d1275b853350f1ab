"""How a network is trained: the values, each with its source."""

import dataclasses
import math
import numbers

from keras_alexnet.fields import ADDED_LATER
from keras_alexnet.fields import check_types
from keras_alexnet.fields import tuples_for_lists
from keras_alexnet.layers.pca_color_augmentation import PCAColorAugmentation
from keras_alexnet.models.difference import describe
from keras_alexnet.training.optimizer import AlexNetSGD

SCHEDULES = ("plateau", "as_run", "cosine", "constant", "steps", "poly")


def _is_count(value):
    return isinstance(value, int) and value >= 1


# What each number must be, and how an error says so.
RANGES = {
    "batch_size": (_is_count, "a positive integer"),
    "epochs": (_is_count, "a positive integer"),
    "divisions": (_is_count, "a positive integer"),
    "patience": (_is_count, "a positive integer"),
    "learning_rate": (lambda x: 0 < x < math.inf, "positive"),
    "division": (lambda x: 1 < x < math.inf, "greater than 1"),
    "momentum": (lambda x: 0 <= x < 1, "in [0, 1)"),
    "weight_decay": (lambda x: 0 <= x < math.inf, "0 or more"),
    "bias_multiplier": (lambda x: 0 <= x < math.inf, "0 or more"),
    "color_sigma": (lambda x: 0 <= x < math.inf, "0 or more"),
    "warmup_epochs": (lambda x: 0 <= x < math.inf, "0 or more"),
    "label_smoothing": (lambda x: 0 <= x < 1, "in [0, 1)"),
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A way to train a network of the AlexNet family.

    The defaults are the printed text of the paper, and what its code says
    where the text is silent. Vary one with `dataclasses.replace`:

    >>> import dataclasses
    >>> from keras_alexnet.models.difference import difference
    >>> from keras_alexnet.training.presets import PAPER_RECIPE
    >>> smaller = dataclasses.replace(PAPER_RECIPE, batch_size=64)
    >>> print(difference(PAPER_RECIPE, smaller))
    batch_size: 128 -> 64

    Args:
        name: String, what tables and messages call it.
        batch_size: Examples per step.
        epochs: Passes over the training set.
        learning_rate: The learning rate at the beginning.
        momentum, weight_decay, bias_multiplier: As in `AlexNetSGD`.
        schedule: `"plateau"`, `"as_run"`, `"cosine"`, `"constant"`,
            `"steps"` or `"poly"`.
        division: What `"plateau"` and `"steps"` divide the learning rate by.
        divisions: How many times `"plateau"` divides before it stops.
        patience: Epochs without a better validation error after which
            `"plateau"` divides.
        milestones: Shares of the epochs after which `"steps"` divides.
        crop: `"random"`, `"corners"` or `"center"`, see `TrainingData`.
        flip: Whether half of the images are mirrored.
        color_sigma: Standard deviation of the color noise, in standard
            deviations of the training set's pixels along a component.
        color_division: Whether images are divided by `1 + color_sigma`.
        initialization: `None` for the architecture's own or `"he"`.
        pixel_std: What centered pixels are divided by; `None` for the
            architecture's own.
        multipliers: Tuple of pairs of a layer's name and the factor of its
            learning rate, see `AlexNetSGD`.
        warmup_epochs: Epochs in which the rate of `"cosine"` rises linearly
            to `learning_rate`, before it falls.
        weight_decays: Tuple of pairs of a layer's name and the decay of its
            weights, where that is not `weight_decay`.
        power: What `"poly"` raises the rest of the training to.
        scales: Pair of the least and the largest shorter side to which an
            image is scaled before it is cropped, in sides of the crop;
            `None` for one size.
        label_smoothing: Share of the label that is spread over all classes,
            see `LabelCrossentropy`.

    Raises:
        ValueError: If a value is out of its range; the message names the
            field.
    """

    name: str = "paper"
    # Section 5: "a batch size of 128 examples".
    batch_size: int = 128
    # Section 5: "roughly 90 cycles through the training set".
    epochs: int = 90
    # Section 5: "initialized at 0.01".
    learning_rate: float = 0.01
    # Section 5.
    momentum: float = 0.9
    # Section 5.
    weight_decay: float = 5e-4
    # layer-params-145.cfg: epsB=0.02 beside epsW=0.01; the text is silent.
    bias_multiplier: float = 2.0
    # Section 5: "when the validation error rate stopped improving".
    schedule: str = "plateau"
    # Section 5: "divide the learning rate by 10".
    division: float = 10.0
    # Section 5: "reduced three times prior to termination".
    divisions: int = 3
    # Ours: the paper's author judged by eye.
    patience: int = 5
    # The author of the CIFAR nets named his epochs.
    milestones: tuple = ()
    # Section 4.1: "random 224x224 patches".
    crop: str = "random"
    # Section 4.1: "and their horizontal reflections".
    flip: bool = True
    # Section 4.1: "mean zero and standard deviation 0.1".
    color_sigma: float = 0.1
    # Not in the text; convdata.py:205 does.
    color_division: bool = False
    # Section 5: the constants are those of the architecture.
    initialization: str | None = None
    # Section 2: "centered raw RGB values of the pixels".
    pixel_std: float | None = None
    # Section 5: "an equal learning rate for all layers".
    multipliers: tuple = ()
    warmup_epochs: float = 0.0
    # None in the paper's network; each CIFAR net has some.
    weight_decays: tuple = ()
    # Only GoogLeNet's Caffe recipe has one.
    power: float | None = None
    # Section 2: all images are scaled to 256 pixels.
    scales: tuple | None = None
    # The paper's labels are sure of themselves.
    label_smoothing: float = dataclasses.field(
        default=0.0, metadata=ADDED_LATER
    )

    def __str__(self):
        return describe(self)

    def __post_init__(self):
        self._check_ranges()
        check_types(self)
        tuples_for_lists(self)
        for name, choices in (
            ("schedule", SCHEDULES),
            ("initialization", (None, "he")),
            ("crop", ("random", "corners", "center")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"`{name}` must be one of {choices}. Received: "
                    f"{name}={getattr(self, name)!r}"
                )
        self._check_numbers()
        self._check_scales_and_power()
        if self.warmup_epochs and self.schedule != "cosine":
            raise ValueError(
                '`warmup_epochs` is of the schedule "cosine". Received: '
                f"warmup_epochs={self.warmup_epochs}, "
                f"schedule={self.schedule!r}"
            )

    def _check_ranges(self):
        for name, (holds, wanted) in RANGES.items():
            value = getattr(self, name)
            # Neither text nor NaN is in any range.
            if not (isinstance(value, numbers.Real) and holds(value)):
                raise ValueError(
                    f"`{name}` must be {wanted}. Received: {name}={value!r}"
                )

    def _check_numbers(self):
        for name, factor in self.multipliers:
            if not (isinstance(factor, numbers.Real) and factor >= 0):
                raise ValueError(
                    "`multipliers` must be pairs of a layer's name and a "
                    f"factor of 0 or more. Received: {(name, factor)!r}"
                )
        if self.pixel_std is not None and not self.pixel_std > 0:
            raise ValueError(
                "`pixel_std` must be positive, or `None`. "
                f"Received: pixel_std={self.pixel_std!r}"
            )
        for name, decay in self.weight_decays:
            if not (isinstance(decay, numbers.Real) and decay >= 0):
                raise ValueError(
                    "`weight_decays` must be pairs of a layer's name and a "
                    f"decay of 0 or more. Received: {(name, decay)!r}"
                )
        rising = sorted({0.0, 1.0, *self.milestones})
        if list(self.milestones) != rising[1:-1]:
            raise ValueError(
                "`milestones` must be rising shares of the epochs, between 0 "
                f"and 1. Received: milestones={self.milestones}"
            )

    def _check_scales_and_power(self):
        needed = self.schedule == "poly"
        if (self.power is not None) != needed or (
            needed and not 0 < self.power < math.inf
        ):
            raise ValueError(
                '`power` must be positive with the schedule "poly", and '
                f"`None` with others. Received: power={self.power!r}, "
                f"schedule={self.schedule!r}"
            )
        if self.scales is None:
            return
        pair = isinstance(self.scales, list | tuple) and len(self.scales) == 2
        if not pair or not 1 <= self.scales[0] <= self.scales[1] < math.inf:
            raise ValueError(
                "`scales` must be a rising pair of numbers, 1 or more, or "
                f"`None`. Received: scales={self.scales!r}"
            )
        if self.crop != "random":
            raise ValueError(
                '`scales` needs `crop="random"`. Received: '
                f"scales={self.scales}, crop={self.crop!r}"
            )

    def prepare(self, architecture):
        """The architecture as this recipe initializes and scales it.

        Where pixels are divided by `pixel_std`, the alphas of the response
        normalization are multiplied by its square: what they multiply is
        squares of activations. The scale is relative to the architecture's
        own, so preparing twice is as preparing once.

        Args:
            architecture: An `Architecture`.

        Returns:
            An `Architecture`.

        Example:

        >>> from keras_alexnet.models.presets import PAPER
        >>> from keras_alexnet.training.presets import SMALL_DATA_RECIPE
        >>> round(SMALL_DATA_RECIPE.prepare(PAPER).lrn_alpha, 4)
        0.3364
        """
        if self.initialization:
            architecture = architecture.initialized(self.initialization)
        if self.pixel_std is not None:
            architecture = architecture.divided_by(self.pixel_std)
        return architecture

    def augmentation(self, architecture, input_size=None):
        """Arguments of `TrainingData`: the batch size and what is random.

        Args:
            architecture: An `Architecture`; its mean color is the one about
                which `color_division` shrinks.
            input_size: Integer, pixels per side of the crops. Defaults to the
                architecture's.

        Returns:
            Dict.

        Example:

        >>> from keras_alexnet.models.presets import CAFFE
        >>> from keras_alexnet.training.presets import PAPER_RECIPE
        >>> sorted(PAPER_RECIPE.augmentation(CAFFE))
        ['batch_size', 'color', 'crop', 'flip', 'resize']
        """
        color = self.color_sigma > 0 and PCAColorAugmentation(
            self.color_sigma,
            divide=self.color_division,
            center=architecture.pixel_mean,
        )
        found = {
            "batch_size": self.batch_size,
            "crop": self.crop,
            "flip": self.flip,
            "color": color,
            "resize": architecture.resize(input_size),
        }
        if self.scales is not None:
            side = input_size or architecture.input_size
            found["scales"] = tuple(round(s * side) for s in self.scales)
            found["resize"] = None
        return found

    def optimizer(self, **kwargs):
        """An `AlexNetSGD` of these values.

        Args:
            **kwargs: Further arguments of `AlexNetSGD`.
        """
        return AlexNetSGD(
            self.learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            bias_multiplier=self.bias_multiplier,
            weight_decays=dict(self.weight_decays),
            **{"multipliers": dict(self.multipliers), **kwargs},
        )
