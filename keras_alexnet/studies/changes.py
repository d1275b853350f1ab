"""The list of ablations: what the paper argues for, left out."""

import dataclasses
import typing

from keras_alexnet.models import variants
from keras_alexnet.models.without_conv import without_conv


@dataclasses.dataclass(frozen=True)
class Change:
    """A named change to an `Architecture`, a `Recipe` or both.

    Args:
        name: String.
        architecture: Function from an `Architecture`, prepared by the recipe
            and of the size of the images, to another.
        recipe: Function from a `Recipe` to another.

    Example:

    >>> from keras_alexnet.models.presets import PAPER
    >>> CHANGES[0].name, CHANGES[0].architecture(PAPER).activation
    ('tanh for ReLU', 'tanh')
    """

    name: str
    architecture: typing.Callable = lambda architecture: architecture
    recipe: typing.Callable = lambda recipe: recipe


def _replaced(**fields):
    return lambda dataclass: dataclasses.replace(dataclass, **fields)


def _edit(function, *arguments, **keywords):
    return lambda architecture: function(architecture, *arguments, **keywords)


CHANGES = (
    # Section 3.1.
    Change("tanh for ReLU", _replaced(activation="tanh")),
    Change("sigmoid for ReLU", _replaced(activation="sigmoid")),
    # Section 3.3.
    Change("no LRN", variants.without_norms),
    Change("LRN1 only", lambda a: variants.with_norms(a, a.conv_names[0])),
    Change("LRN2 only", lambda a: variants.with_norms(a, a.conv_names[1])),
    Change("batch norm for LRN", _replaced(normalization="batch")),
    # Section 3.4.
    Change("no overlap in pooling", variants.without_overlap),
    Change("pooling after every conv", variants.with_all_pooling),
    # Section 3.2.
    Change("one column of half width", variants.one_column),
    Change("no crossing at conv3", _edit(variants.without_cross, "conv3")),
    # Section 4.2.
    Change("no dropout", _replaced(dropout=0.0)),
    # Section 4.1.
    Change("no PCA color noise", recipe=_replaced(color_sigma=0.0)),
    Change("no crops or flips", recipe=_replaced(crop="center", flip=False)),
    # Section 5.
    Change(
        "no weight decay", recipe=_replaced(weight_decay=0.0, weight_decays=())
    ),
    Change("biases of 0", _edit(variants.with_biases, 0.0)),
    Change("biases of 0.1", _edit(variants.with_biases, 0.1)),
    Change("biases of 1", _edit(variants.with_biases, 1.0)),
    # Section 7.
    *(
        Change(f"no conv{number}", _edit(without_conv, number))
        for number in range(1, 6)
    ),
)
