import dataclasses

import numpy as np
import pytest

from keras_alexnet.fields import ADDED_LATER
from keras_alexnet.fields import check_shares
from keras_alexnet.fields import check_types
from keras_alexnet.fields import settings_of
from keras_alexnet.fields import tuples_for_lists
from keras_alexnet.models import PAPER
from keras_alexnet.training import Recipe


@dataclasses.dataclass
class Fields:
    flip: bool = True
    count: int = 3
    rate: float = 0.5
    name: str = "a"
    sizes: tuple = (1, 2)
    limit: float | None = None


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"flip": np.bool_(False), "count": np.int32(2)},
        {"rate": 1, "limit": np.float32(2), "sizes": [3]},
        {"rate": np.float64(0.1), "limit": 0},
    ],
)
def test_values_of_the_right_type(values):
    check_types(Fields(**values))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("flip", "no", "`flip` must be `True` or `False`. Received: flip='no'"),
        ("flip", 1, "`flip` must be `True` or `False`. Received: flip=1"),
        ("count", 2.0, "`count` must be an integer. Received: count=2.0"),
        ("count", True, "`count` must be an integer. Received: count=True"),
        ("rate", "1", "`rate` must be a number. Received: rate='1'"),
        ("rate", None, "`rate` must be a number. Received: rate=None"),
        ("name", 5, "`name` must be a string. Received: name=5"),
        ("sizes", 3, "`sizes` must be a tuple. Received: sizes=3"),
        ("sizes", "ab", "`sizes` must be a tuple. Received: sizes='ab'"),
        ("limit", "x", "`limit` must be a number, or `None`. Received: limit="),
    ],
)
def test_values_of_another_type(name, value, message):
    with pytest.raises(ValueError) as raised:
        check_types(Fields(**{name: value}))
    assert str(raised.value).startswith(message)


@dataclasses.dataclass
class Later:
    epochs: int = 90
    smoothing: float = dataclasses.field(default=0.0, metadata=ADDED_LATER)


def test_settings_of_a_training_from_before_a_field_was_added():
    assert settings_of(Later(epochs=3)) == {"epochs": 3}
    assert settings_of(Later(smoothing=0.1)) == {"epochs": 90, "smoothing": 0.1}
    settings = settings_of(Recipe())
    assert "label_smoothing" not in settings
    # A field that was always there stays, also with its default.
    assert settings["flip"] is True


def test_an_integer_and_the_float_that_it_means_are_one_setting():
    settings = settings_of(Fields(rate=1, limit=np.int64(2)))
    kinds = {name: type(value) for name, value in settings.items()}
    assert kinds["rate"] is kinds["limit"] is float
    assert (kinds["count"], kinds["flip"]) == (int, bool)
    assert settings_of(Fields())["limit"] is None


@pytest.mark.parametrize("value", [-0.1, 1, 30, float("nan")])
def test_shares_out_of_their_range(value):
    with pytest.raises(ValueError, match=r"`rate` must be in \[0, 1\)"):
        check_shares(Fields(rate=value), "rate")


def test_lists_become_tuples():
    fields = Fields(sizes=[1, [2, 3]])
    tuples_for_lists(fields)
    assert fields.sizes == (1, (2, 3)) and fields.name == "a"
    wider = dataclasses.replace(PAPER, filters=list(PAPER.filters))
    assert wider == PAPER and hash(wider.filters) == hash(PAPER.filters)
