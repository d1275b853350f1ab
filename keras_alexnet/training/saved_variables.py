"""Variables as named arrays, for a network of columns or a grouped one."""

import re
import types

from keras import ops

from keras_alexnet.columns.shares import by_whole_name
from keras_alexnet.columns.shares import divided

SEED = "seed_generator_state"
# The name of an optimizer before that of its variable.
OPTIMIZER = re.compile(r"^(loss_scale_optimizer(_\d+)?/)?[^/]+/")


def gather(kind, variables):
    """Named arrays of variables, for a snapshot.

    Args:
        kind: String, where their names begin.
        variables: List of `keras.Variable`.

    Returns:
        Dict of `kind/index/path` to NumPy array.

    Example:

    >>> import keras
    >>> gather("model", [keras.Variable([1.0], name="w")])
    {'model/0/w': array([1.], dtype=float32)}
    """
    return {
        f"{kind}/{index}/{variable.path}": ops.convert_to_numpy(variable)
        for index, variable in enumerate(variables)
    }


def assign(kind, variables, arrays):
    """Puts into variables what `gather` took from them.

    Args:
        kind: String, as there.
        variables: List of `keras.Variable`: the same ones, or those of the
            same network in its other form, grouped or of columns.
        arrays: Dict of a snapshot; it may hold other kinds.

    Raises:
        ValueError: If their number or their shapes differ.
    """
    values = fitted(kind, variables, arrays)
    for variable, value in zip(variables, values, strict=True):
        if value is not None:
            variable.assign(value)


def fitted(kind, variables, arrays):
    """The arrays of a snapshot that belong to variables.

    Args:
        kind: String, as in `gather`.
        variables: List of `keras.Variable`, as in `assign`.
        arrays: Dict of a snapshot; it may hold other kinds.

    Returns:
        List of one NumPy array per variable; `None` for the state of a seed
        generator of a network that was saved in its other form.

    Raises:
        ValueError: If their number or their shapes differ.

    Example:

    >>> import keras
    >>> variable = keras.Variable([1.0], name="w")
    >>> fitted("model", [variable], gather("model", [variable]))
    [array([1.], dtype=float32)]
    """
    stored = {
        name: value
        for name, value in arrays.items()
        if name.startswith(f"{kind}/")
    }
    other_form = _in_other_form(kind, stored, variables)
    if other_form is not None:
        return other_form
    if len(stored) != len(variables):
        raise ValueError(
            f"The backup holds {len(stored)} variables of the {kind}, which "
            f"has {len(variables)}. Build it as it was, or use another "
            "`directory`."
        )
    for (name, value), variable in zip(stored.items(), variables, strict=True):
        if value.shape != tuple(variable.shape):
            raise ValueError(
                f"The backup holds {name} of shape {value.shape}, but "
                f"{variable.path} has {tuple(variable.shape)}. Build the "
                "model as it was, or use another `directory`."
            )
    return [
        _named(value, variable)
        for value, variable in zip(stored.values(), variables, strict=True)
    ]


def _in_other_form(kind, stored, variables):
    """Grouped arrays for columns or the reverse; `None` if they are neither.

    Columns have more seed generators than a grouped network, or fewer; those
    draw other numbers after the change, as they do after `to_columns`.
    """

    def name_of(path):
        # A second optimizer of a process is called `sgd_1`.
        return OPTIMIZER.sub("", path) if kind == "optimizer" else path

    sources = [
        types.SimpleNamespace(path=name_of(name.split("/", 2)[2]), value=value)
        for name, value in stored.items()
        if not name.endswith(SEED)
    ]
    targets = [
        types.SimpleNamespace(path=name_of(v.path), variable=v)
        for v in variables
        if not v.path.endswith(SEED)
    ]
    try:
        sources, targets = by_whole_name(sources), by_whole_name(targets)
    except ValueError:
        return None
    same_parts = all(
        len(sources[name]) == len(parts)
        for name, parts in targets.items()
        if name in sources
    )
    if sources.keys() != targets.keys() or same_parts:
        return None
    found = {}
    for name, parts in targets.items():
        parts = [part.variable for part in parts]
        values = [_named(source.value, parts[0]) for source in sources[name]]
        shapes = [tuple(part.shape) for part in parts]
        values = divided(values, shapes, name)
        found |= dict(zip(map(id, parts), values, strict=True))
    return [found.get(id(variable)) for variable in variables]


def _named(value, variable):
    """NumPy stores bfloat16 as bytes without a name."""
    if value.dtype.kind != "V":
        return value
    return value.view(ops.convert_to_numpy(variable).dtype)
