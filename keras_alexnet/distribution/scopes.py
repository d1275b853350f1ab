"""Explains errors where a model and a strategy do not belong together."""

import functools

from keras_alexnet.columns.conversion import has_columns

OUTSIDE = (
    "Build the model, make the optimizer and call `compile` under one "
    "strategy's `scope()`. {name} was created outside of it."
)
MIXED = (
    "Build the model, make the optimizer and call `compile` under one "
    "strategy's `scope()`. Received: an optimizer made outside of it, or "
    "under another strategy"
)
CLEARED = (
    "`keras.backend.clear_session()` was called within the `scope()` of a "
    "strategy, and has ended it: what was built since then is not "
    "distributed. KerasTuner's `search` calls it; give the strategy to the "
    "tuner, as `distribution_strategy=`, and search outside of the `scope()`."
)
UNDIVIDED = (
    "No layer of {model!r} is divided into columns: all of it is on "
    "{head}, and nothing on {others}. Build `AlexNet` with several columns "
    "under the strategy's `scope()`, or convert a grouped network there by "
    "`keras_alexnet.distribution.to_columns`."
)


class ClearScope:
    """Mixin: what was made outside of `scope()` is an error that says so.

    Before a `tf.distribute.Strategy` in the bases.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        _check_owner(self.extended)

    def scope(self):
        return _Scope(super().scope)


class _Scope:
    """A strategy's scope, with words for the errors of TensorFlow."""

    def __init__(self, make):
        self._make = make
        self._entered = []

    def __enter__(self):
        scope = self._make()
        strategy = scope.__enter__()
        self._entered.append(scope)
        return strategy

    def __exit__(self, kind, error, trace):
        try:
            handled = self._entered.pop().__exit__(kind, error, trace)
        except IndexError:
            # The graph that knew the strategy is gone.
            raise RuntimeError(CLEARED) from error
        if isinstance(error, RuntimeError) and "Mixing different" in str(error):
            raise ValueError(MIXED) from error
        return handled


def _check_owner(extended):
    """Makes what is done to variables check that they are the strategy's.

    Keras calls these two public methods to update weights and to make an
    optimizer's slots. By themselves they fail without words, fail with words
    about something else, or update variables that are nowhere distributed.
    """
    for name in ("update", "colocate_vars_with"):
        method = getattr(extended, name)

        @functools.wraps(method)
        def checked(variable, *args, method=method, **kwargs):
            if not extended.variable_created_in_scope(variable):
                raise ValueError(OUTSIDE.format(name=variable.name))
            return method(variable, *args, **kwargs)

        setattr(extended, name, checked)


def undivided(model, devices):
    """What to warn of where a column strategy runs a model without columns.

    Args:
        model: A `keras.Model`.
        devices: List of strings, the columns' devices.

    Returns:
        String; `None` if the model has columns, or there is one device.

    Example:

    >>> import keras
    >>> model = keras.Sequential(name="plain")
    >>> undivided(model, ["/GPU:0", "/GPU:1"])[:30]
    "No layer of 'plain' is divided"
    """
    others = sorted(set(devices) - {devices[0]})
    if not others or has_columns(model):
        return None
    return UNDIVIDED.format(
        model=model.name, head=devices[0], others=", ".join(others)
    )
