"""A small reader and writer of protocol buffers.

A schema maps field numbers to `(name, kind)`, where the kind is `"int"`,
`"bool"`, `"float"`, `"string"`, a tuple of the names of an enumeration (which
are numbers in a message, 0 first), another schema, or, for packed numbers,
`"floats"` or `"doubles"`. A message is a dict of field name to the list
(packed: the array) of its values; fields that the schema lacks are skipped.

A file that lies about its lengths cannot fill the memory: lengths are compared
with the bytes that are there, schemas limit the depth, and the number of
values is limited.
"""

import os

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
PACKED = {"floats": (FIXED32, "<f4"), "doubles": (FIXED64, "<f8")}
# Schemas, which are kinds too, cannot be looked up in a dict.
PACKED_KINDS = tuple(PACKED)

# A ResNet of 152 layers has about 30,000.
MOST_VALUES = 100_000
LONGEST_STRING = 10_000


def read_message(path, schema):
    """Reads the message that fills a file.

    Args:
        path: Path of the file.
        schema: The schema of the message.

    Returns:
        Dict of field name to list or array.

    Raises:
        ValueError: If the file is not such a message, or is cut off.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        return _Reader(file, path).message(schema, size)


class _Reader:
    def __init__(self, file, path):
        self._file = file
        self._path = path
        self._position = 0
        self._values_left = MOST_VALUES

    def message(self, schema, end):
        found = {}
        while self._position < end:
            number, wire = divmod(self._varint(end), 8)
            name, kind = schema.get(number, (None, None))
            if name is None or number == 0:
                self._skip(number, wire, end)
            else:
                found.setdefault(name, []).extend(
                    self._values(name, kind, wire, end)
                )
        for name, kind in schema.values():
            if kind in PACKED_KINDS and name in found:
                parts = found[name]
                # Joining one part would copy it.
                found[name] = (
                    parts[0] if len(parts) == 1 else np.concatenate(parts)
                )
        return found

    def _values(self, name, kind, wire, end):
        if whole_number(kind) and wire == VARINT:
            return [self._varint(end)]
        if kind == "float" and wire == FIXED32:
            self._count()
            return [_decimal(np.frombuffer(self._bytes(4, end), "<f4")[0])]
        if kind == "float" and wire == BYTES:
            values = self._array("<f4", name, self._length(end))
            self._count(len(values))
            return [_decimal(value) for value in values]
        if kind in PACKED_KINDS and wire == PACKED[kind][0]:
            self._count()
            dtype = np.dtype(PACKED[kind][1])
            return [np.frombuffer(self._bytes(dtype.itemsize, end), dtype)]
        if kind == "float" or wire != BYTES:
            self._refuse(f"field `{name}` has wire type {wire}")
        stop = self._length(end)
        if isinstance(kind, dict):
            return [self.message(kind, stop)]
        if whole_number(kind):
            packed = []
            while self._position < stop:
                packed.append(self._varint(stop))
            return packed
        if kind == "string":
            if stop - self._position > LONGEST_STRING:
                self._refuse(f"`{name}` has {stop - self._position} bytes")
            data = self._bytes(stop - self._position, end)
            return [data.decode("utf-8", "replace")]
        return [self._array(PACKED[kind][1], name, stop)]

    def _array(self, dtype, name, stop):
        length = stop - self._position
        if length % np.dtype(dtype).itemsize:
            self._refuse(f"`{name}` is not a whole number of values")
        return np.frombuffer(self._bytes(length, stop), dtype)

    def _skip(self, number, wire, end):
        if number == 0 or wire not in (VARINT, FIXED64, BYTES, FIXED32):
            self._refuse(f"there is no field {number} of wire type {wire}")
        if wire == VARINT:
            self._varint(end)
            return
        self._count()
        stop = {
            FIXED64: self._position + 8,
            FIXED32: self._position + 4,
        }.get(wire) or self._length(end)
        if stop > end:
            self._refuse(f"field {number} is cut off")
        self._position = self._file.seek(stop)

    def _length(self, end):
        length = self._varint(end)
        if length > end - self._position:
            self._refuse(
                f"a field of {length} bytes begins where only "
                f"{end - self._position} are left"
            )
        return self._position + length

    def _varint(self, end):
        self._count()
        value = 0
        for shift in range(0, 70, 7):
            byte = self._bytes(1, end)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & (2**64 - 1)
        self._refuse("a number has more than ten bytes")

    def _bytes(self, count, end):
        data = b""
        if count <= end - self._position:
            data = self._file.read(count)
        if len(data) != count:
            self._refuse("it ends in the middle of a field")
        self._position += count
        return data

    def _count(self, values=1):
        self._values_left -= values
        if self._values_left < 0:
            self._refuse(f"it has more than {MOST_VALUES} fields")

    def _refuse(self, reason):
        raise ValueError(
            f"{self._path} is not a Caffe file, or is damaged: at byte "
            f"{self._position} {reason}."
        )


def _decimal(value):
    """The shortest decimal number: 0.0001, not 9.999999747378752e-05."""
    return float(str(value))


def whole_number(kind):
    """Whether values of a kind are written as whole numbers."""
    return kind in ("int", "bool") or isinstance(kind, tuple)


def encode(message, schema):
    """The bytes of a message, as a list of buffers to write in order.

    Args:
        message: Dict of field name to list or array. Arrays are not copied.
        schema: The schema of the message.

    Returns:
        List of bytes and memory views.
    """
    chunks = []
    for number, (name, kind) in sorted(schema.items()):
        values = message.get(name, ())
        if kind in PACKED_KINDS and len(values):
            data = np.ascontiguousarray(values, PACKED[kind][1])
            chunks += [
                _varint(number * 8 + BYTES) + _varint(data.nbytes),
                data.reshape(-1).data.cast("B"),
            ]
        elif kind == "float":
            key = _varint(number * 8 + FIXED32)
            chunks += [
                key + np.array(value, "<f4").tobytes() for value in values
            ]
        elif whole_number(kind):
            key = _varint(number * 8 + VARINT)
            chunks += [key + _varint(value) for value in values]
        elif kind == "string":
            for value in values:
                data = value.encode()
                chunks.append(
                    _varint(number * 8 + BYTES) + _varint(len(data)) + data
                )
        elif isinstance(kind, dict):
            for value in values:
                inner = encode(value, kind)
                length = sum(memoryview(chunk).nbytes for chunk in inner)
                chunks += [_varint(number * 8 + BYTES) + _varint(length)]
                chunks += inner
    return chunks


def _varint(value):
    value &= 2**64 - 1
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def format_text(message, schema, indent=""):
    """The message in the text format of `.prototxt` files.

    Args:
        message: Dict of field name to list or array.
        schema: The schema of the message.
        indent: String that begins every line. Defaults to `""`.

    Returns:
        String.

    Example:

    >>> print(format_text({"dim": [1, 3]}, {1: ("dim", "int")}), end="")
    dim: 1
    dim: 3
    """
    text = ""
    for _, (name, kind) in sorted(schema.items()):
        for value in message.get(name, ()):
            if isinstance(kind, dict):
                inner = format_text(value, kind, indent + "  ")
                text += f"{indent}{name} {{\n{inner}{indent}}}\n"
            elif kind == "string":
                quoted = value.replace("\\", "\\\\").replace('"', '\\"')
                text += f'{indent}{name}: "{quoted}"\n'
            elif kind == "float":
                digits = np.format_float_positional(np.float32(value), trim="0")
                text += f"{indent}{name}: {digits}\n"
            elif kind == "bool":
                text += f"{indent}{name}: {'true' if value else 'false'}\n"
            elif isinstance(kind, tuple):
                text += f"{indent}{name}: {kind[value]}\n"
            else:
                text += f"{indent}{name}: {value}\n"
    return text
