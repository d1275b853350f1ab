"""Reads PyTorch's pickles as data. Nothing that they name is imported.

`pickletools.genops` lists the instructions without running them; the few that
a file of tensors needs are carried out here, on tuples, lists and dicts. What
the file would call is a name to compare with five known ones.
"""

import io
import pickletools
from typing import NamedTuple

# The pickle of AlexNet's state dict has 2 kB and 500 instructions.
LONGEST_PICKLE = 2_000_000
MOST_INSTRUCTIONS = 50_000

# NumPy has no bfloat16: its bits are the upper half of a float32.
DTYPES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class Name(NamedTuple):
    """A class or function that a pickle names, such as `os system`."""

    text: str


class Storage(NamedTuple):
    """`count` numbers in the record `key`, from number `first` on."""

    key: str
    dtype: str
    count: int
    first: int = 0


class StoredTensor(NamedTuple):
    """A tensor, as a view of a storage; strides and offset in elements."""

    storage: Storage
    offset: int
    size: tuple
    stride: tuple


class Pickle(NamedTuple):
    """A pickle's `value`, the bytes it fills, the `Storage` of each key."""

    value: object
    length: int
    storages: dict


def read_pickle(data):
    """What a pickle describes, out of plain values and tensors.

    Args:
        data: Bytes that begin with a pickle of PyTorch.

    Returns:
        A `Pickle`; in its value tensors are `StoredTensor`.

    Raises:
        ValueError: If it holds anything else, or is damaged.

    Example:

    >>> import pickle
    >>> read_pickle(pickle.dumps({"epoch": 90}, 2)).value
    {'epoch': 90}
    """
    stream = io.BytesIO(data[:LONGEST_PICKLE])
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(
            pickletools.genops(stream)
        ):
            if count > MOST_INSTRUCTIONS:
                raise ValueError("it has too many instructions")
            if opcode.name == "STOP":
                return Pickle(machine.pop(), stream.tell(), machine.storages)
            machine.step(opcode.name, argument)
    except (
        AttributeError,
        IndexError,
        KeyError,
        OverflowError,
        TypeError,
        ValueError,
    ) as error:
        raise ValueError(f"The pickle cannot be read: {error}.") from error
    raise ValueError("The pickle cannot be read: it has no end.")


class _Machine:
    """The stack machine of `pickle`, without the power to import or call."""

    def __init__(self):
        self.stack = []
        self.marks = []
        self.memo = {}
        self.storages = {}

    def pop(self):
        return self.stack.pop()

    def step(self, opcode, argument):
        if opcode in ("PROTO", "FRAME"):
            return
        if opcode in LITERALS:
            self.stack.append(LITERALS[opcode](argument))
        elif opcode in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif opcode == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif opcode in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif opcode == "MARK":
            self.marks.append(len(self.stack))
        elif opcode in TUPLES:
            count = TUPLES[opcode]
            self.stack.append(tuple(self._take(count)))
        elif opcode in ("APPEND", "APPENDS"):
            items = self._take(1 if opcode == "APPEND" else None)
            self._top(list).extend(items)
        elif opcode in ("SETITEM", "SETITEMS"):
            items = self._take(2 if opcode == "SETITEM" else None)
            _set_items(self._top(dict), items)
        elif opcode == "STACK_GLOBAL":
            module, name = self._take(2)
            self.stack.append(Name(f"{module} {name}"))
        elif opcode == "BINPERSID":
            storage, whole = _storage(self.pop())
            self.storages[storage.key] = whole
            self.stack.append(storage)
        elif opcode in ("REDUCE", "NEWOBJ"):
            function, arguments = self._take(2)
            self.stack.append(_rebuild(function, arguments))
        elif opcode == "BUILD":
            # The `_metadata` attribute of state dicts; no other is set.
            self.pop()
        else:
            raise ValueError(f"it has the instruction {opcode}")

    def _take(self, count):
        start = self.marks.pop() if count is None else len(self.stack) - count
        if not 0 <= start <= len(self.stack):
            raise ValueError("its stack is empty")
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _top(self, kind):
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"it adds to what is no {kind.__name__}")
        return self.stack[-1]


LITERALS = {
    "NONE": lambda argument: None,
    "NEWTRUE": lambda argument: True,
    "NEWFALSE": lambda argument: False,
    "EMPTY_DICT": lambda argument: {},
    "EMPTY_LIST": lambda argument: [],
    "EMPTY_TUPLE": lambda argument: (),
    "GLOBAL": Name,
    **dict.fromkeys(
        (
            "BININT",
            "BININT1",
            "BININT2",
            "LONG1",
            "BINFLOAT",
            "BINSTRING",
            "SHORT_BINSTRING",
            "BINUNICODE",
            "SHORT_BINUNICODE",
        ),
        lambda argument: argument,
    ),
}
TUPLES = {"TUPLE": None, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def _set_items(target, items):
    # Other keys, such as deep tuples, could not be hashed safely.
    if any(type(key) not in (str, int) for key in items[::2]):
        raise ValueError("it has a key that is no string")
    target.update(zip(items[::2], items[1::2], strict=True))
    return target


def _storage(identity):
    """The storage of a persistent identity, and the whole it may be part of."""
    kind, name, key, _, count, *view = identity
    dtype = DTYPES.get(name.text.removeprefix("torch "))
    if kind != "storage" or dtype is None or type(key) is not str:
        raise ValueError(f"it has a {kind} of {name.text}")
    whole = Storage(key, dtype, _whole(count))
    if view and view[0] is not None:
        _, first, count = view[0]
        return Storage(key, dtype, _whole(count), _whole(first)), whole
    return whole, whole


def _rebuild(function, arguments):
    if type(function) is not Name:
        raise ValueError(f"it calls a {type(function).__name__}")
    name = function.text
    if name == "collections OrderedDict":
        # Python 2 listed the items here; Python 3 sets them afterwards.
        pairs = arguments[0] if arguments else []
        return _set_items({}, [part for pair in pairs for part in pair])
    if name in (
        "torch._utils _rebuild_tensor",
        "torch._utils _rebuild_tensor_v2",
    ):
        return _tensor(*arguments[:4])
    if name == "torch._utils _rebuild_parameter":
        if type(arguments[0]) is not StoredTensor:
            raise ValueError("it has a parameter that is no tensor")
        return arguments[0]
    raise ValueError(
        f"it calls {name.replace(' ', '.')}, which is no part of a file of "
        "tensors. Save `model.state_dict()` rather than the model; and do not "
        "load a file that you do not trust by other means"
    )


def _tensor(storage, offset, size, stride):
    if type(storage) is not Storage or len(size) != len(stride):
        raise ValueError("it has a tensor without a storage")
    if len(size) > 8:
        raise ValueError(f"it has a tensor of rank {len(size)}")
    return StoredTensor(
        storage,
        _whole(offset),
        tuple(_whole(side) for side in size),
        tuple(_whole(step) for step in stride),
    )


def _whole(value):
    if type(value) is not int or not 0 <= value < 2**62:
        raise ValueError(f"it has a {type(value).__name__} for a count")
    return value
