"""Fields of dataclasses: their types and ranges, and what they tell apart."""

import dataclasses
import math
import numbers
import typing

import numpy as np

KINDS = {
    bool: ((bool, np.bool_), "`True` or `False`"),
    int: (numbers.Integral, "an integer"),
    float: (numbers.Real, "a number"),
    str: (str, "a string"),
    # What was read from JSON holds lists.
    tuple: ((tuple, list), "a tuple"),
}

# Metadata of a field that a dataclass of an earlier version did not have.
ADDED_LATER = {"added": "later"}


def check_types(instance):
    """Refuses values that are not of the type that their field names.

    Text is true, and so are most other things that were meant as something
    else: without this, `flip="no"` would mirror.

    Args:
        instance: Of a dataclass whose fields are booleans, integers, floats,
            strings and tuples, or one of these and `None`.

    Raises:
        ValueError: If a value is of another type.

    Example:

    >>> import dataclasses
    >>> @dataclasses.dataclass
    ... class Recipe:
    ...     flip: bool = True
    >>> check_types(Recipe(flip="no"))
    Traceback (most recent call last):
    ValueError: `flip` must be `True` or `False`. Received: flip='no'
    """
    for name, hint in typing.get_type_hints(type(instance)).items():
        value = getattr(instance, name)
        kinds = typing.get_args(hint) or (hint,)
        if value is None and type(None) in kinds:
            continue
        wanted = [KINDS[kind] for kind in kinds if kind is not type(None)]
        if not any(_is(value, classes) for classes, _ in wanted):
            what = " or ".join(word for _, word in wanted)
            if type(None) in kinds:
                what += ", or `None`"
            raise ValueError(
                f"`{name}` must be {what}. Received: {name}={value!r}"
            )


def tuples_for_lists(instance):
    """Makes tuples of lists, as JSON and users give them.

    Args:
        instance: Of a dataclass, which may be frozen.

    Example:

    >>> import dataclasses
    >>> @dataclasses.dataclass(frozen=True)
    ... class Widths:
    ...     filters: tuple = ()
    ...     def __post_init__(self):
    ...         tuples_for_lists(self)
    >>> Widths([96, [256, 384]])
    Widths(filters=(96, (256, 384)))
    """
    for name, hint in typing.get_type_hints(type(instance)).items():
        if tuple in (typing.get_args(hint) or (hint,)):
            value = _as_tuple(getattr(instance, name))
            object.__setattr__(instance, name, value)


def _as_tuple(value):
    if isinstance(value, (list, tuple)):
        return tuple(map(_as_tuple, value))
    return value


def check_shares(instance, *names):
    """Refuses shares that are not in [0, 1).

    Args:
        instance: Any object.
        *names: Names of its attributes.

    Raises:
        ValueError: If a value is not in [0, 1).

    Example:

    >>> import types
    >>> check_shares(types.SimpleNamespace(dropout=30), "dropout")
    Traceback (most recent call last):
    ValueError: `dropout` must be in [0, 1). Received: dropout=30
    """
    for name in names:
        value = getattr(instance, name)
        if not 0 <= value < 1:
            raise ValueError(
                f"`{name}` must be in [0, 1). Received: {name}={value}"
            )


def check_positive_integers(instance, *names):
    """Refuses what is no positive integer.

    Args:
        instance: Any object.
        *names: Names of its attributes: integers, tuples of them, or `None`.

    Raises:
        ValueError: If a value is another.

    Example:

    >>> import types
    >>> layers = types.SimpleNamespace(strides=(4, 0))
    >>> check_positive_integers(layers, "strides")
    Traceback (most recent call last):
    ValueError: `strides` must be of positive integers. Received: strides=(4, 0)
    """
    for name in names:
        value = getattr(instance, name)
        values = value if isinstance(value, tuple) else (value,)
        if value is not None and not all(
            _is(x, numbers.Integral) and x > 0 for x in values
        ):
            what = "of positive integers"
            if values is not value:
                what = "a positive integer"
            raise ValueError(
                f"`{name}` must be {what}. Received: {name}={value!r}"
            )


def check_pixels(instance):
    """Refuses a `pixel_mean` or `pixel_std` that is no three numbers.

    Args:
        instance: Of a dataclass with both fields.

    Raises:
        ValueError: If one is not of three finite numbers, or a standard
            deviation is not positive.

    Example:

    >>> import types
    >>> check_pixels(types.SimpleNamespace(pixel_mean=(127.0, 120.0)))
    Traceback (most recent call last):
    ValueError: `pixel_mean` must be three numbers, RGB. Received: \
pixel_mean=(127.0, 120.0)
    """
    for name, what, least in (
        ("pixel_mean", "three numbers", -math.inf),
        ("pixel_std", "three positive numbers", 0),
    ):
        value = getattr(instance, name)
        if len(value) != 3 or not all(
            is_finite(x) and x > least for x in value
        ):
            raise ValueError(
                f"`{name}` must be {what}, RGB. Received: {name}={value}"
            )


def is_finite(value):
    """Whether a value is a number, and not NaN or infinity.

    Example:

    >>> is_finite(0.5), is_finite(True), is_finite("he")
    (True, False, False)
    """
    return _is(value, numbers.Real) and math.isfinite(value)


def settings_of(instance):
    """The fields of a dataclass, to tell trainings apart by.

    What was trained before a field was added was trained with its default. So
    a field with `metadata=ADDED_LATER` is among the settings only where it has
    another value, and a training from before is found again. An integer in a
    field of floats is the float that it means.

    Args:
        instance: Of a dataclass.

    Returns:
        Dict from names to values.

    Example:

    >>> import dataclasses
    >>> @dataclasses.dataclass
    ... class Recipe:
    ...     epochs: int = 90
    ...     smoothing: float = dataclasses.field(
    ...         default=0.0, metadata=ADDED_LATER
    ...     )
    >>> settings_of(Recipe()), settings_of(Recipe(smoothing=0.1))
    ({'epochs': 90}, {'epochs': 90, 'smoothing': 0.1})
    """
    settings = dataclasses.asdict(instance)
    for name, hint in typing.get_type_hints(type(instance)).items():
        kinds = typing.get_args(hint) or (hint,)
        if float in kinds and isinstance(settings[name], numbers.Integral):
            settings[name] = float(settings[name])
    for field in dataclasses.fields(instance):
        if field.metadata == ADDED_LATER:
            if settings[field.name] == field.default:
                del settings[field.name]
    return settings


def _is(value, classes):
    # A boolean counts as an integer in Python.
    if isinstance(value, bool) and classes is not KINDS[bool][0]:
        return False
    return isinstance(value, classes)
