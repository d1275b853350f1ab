"""The types of a dataclass's fields, which Python does not look at."""

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


def check_dropout(instance, *names):
    """Refuses shares of dropped units that leave no unit, or are none.

    Args:
        instance: Of a dataclass.
        *names: Names of fields.

    Raises:
        ValueError: If a value is not in [0, 1).

    Example:

    >>> import types
    >>> check_dropout(types.SimpleNamespace(dropout=30), "dropout")
    Traceback (most recent call last):
    ValueError: `dropout` must be in [0, 1). Received: dropout=30
    """
    for name in names:
        value = getattr(instance, name)
        if not 0 <= value < 1:
            raise ValueError(
                f"`{name}` must be in [0, 1). Received: {name}={value}"
            )


def _is(value, classes):
    # A boolean counts as an integer in Python.
    if isinstance(value, bool) and classes is not KINDS[bool][0]:
        return False
    return isinstance(value, classes)
