"""A reader of protocol buffers in their text format, such as `.prototxt`.

The result is that of `protobuf.read_message`, and each message has the number
of its first line under `LINE` besides. Names that the schema lacks are skipped
if they are known not to matter, and are errors otherwise: a misspelt setting
must not be lost.

A file cannot fill the memory or the stack: its size and the number of its
words are limited, schemas limit the depth, and what is skipped is skipped
without recursion.
"""

import math
import os
import re

from keras_alexnet.weights.caffe_generations import LINE
from keras_alexnet.weights.caffe_schema import ALIASES
from keras_alexnet.weights.caffe_schema import REPEATED
from keras_alexnet.weights.caffe_schema import SKIPPED
from keras_alexnet.weights.protobuf import LONGEST_STRING

# A ResNet of 152 layers has some 150 kB and 25,000 words.
LONGEST_TEXT = 2**22
MOST_WORDS = 100_000
DEEPEST = 100

TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\f\v]+|\#[^\n]*)
    |(?P<line>\n)
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>-?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fF]?
        |inf\b|nan\b))
    |(?P<string>"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+')
    |(?P<mark>[{}<>:;,\[\]])
    """,
    re.VERBOSE,
)
ESCAPE = re.compile(r"\\([0-7]{1,3}|x[0-9a-fA-F]{1,2}|.)")
ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
CLOSING = {"{": "}", "<": ">", "[": "]"}
BOOLEANS = {"true": 1, "t": 1, "1": 1, "false": 0, "f": 0, "0": 0}


def read_text(path, schema):
    """Reads the message that fills a file of text.

    Args:
        path: Path of the file.
        schema: The schema of the message, see `protobuf`.

    Returns:
        Dict of field name to list of values.

    Raises:
        ValueError: If the file is not such a message; the message names the
            line, and the layer if it is within one.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > LONGEST_TEXT:
            raise ValueError(
                f"{path} has {size} bytes, too many for a description of a "
                f"network (at most {LONGEST_TEXT}). Is it a .caffemodel?"
            )
        data = file.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}, line {line}: this is not text. Is the file a .caffemodel?"
        ) from error
    return _TextReader(path, text).message(schema, None)


class _TextReader:
    def __init__(self, path, text):
        self._path = path
        self._line = 1
        self._open = []
        self._tokens = self._split(text)
        self._next = next(self._tokens)

    def message(self, schema, closing):
        found = {LINE: self._line}
        self._open.append(found)
        kinds = dict(schema.values())
        while self._next[1] != closing:
            kind, name = self._take()
            if kind != "word":
                wanted = "" if closing is None else f" or {closing!r}"
                self._refuse(
                    f"a field's name{wanted} is wanted, not {name[:50]!r}"
                )
            name = ALIASES.get(name, name)
            if name in kinds and name != "blobs":
                values = self._values(name, kinds[name])
                if name in found and name not in REPEATED:
                    self._refuse(f"`{name}` is given twice")
                found.setdefault(name, []).extend(values)
            elif name in SKIPPED:
                self._skip(name)
            else:
                self._refuse(self._unknown(name))
            if self._next[1] in (",", ";"):
                self._take()
        if closing is not None:
            self._take()
        self._open.pop()
        return found

    def _unknown(self, name):
        if name == "blobs":
            return "weights are not read from text; they are in a .caffemodel"
        return (
            f"Caffe has no field `{name[:50]}` here, or its layer is "
            "unsupported"
        )

    def _values(self, name, kind):
        """The values of one field: one, or those of a list in brackets."""
        colon = self._next[1] == ":"
        if colon:
            self._take()
        if isinstance(kind, dict):
            if self._next[1] != "[":
                return [self._inner(name, kind)]
            return self._list(lambda: self._inner(name, kind))
        if not colon:
            self._refuse(f"`{name}` must be followed by a colon")
        if self._next[1] == "[":
            values = self._list(lambda: self._scalar(name, kind))
            if len(values) != 1 and name not in REPEATED:
                self._refuse(f"`{name}` must have one value")
            return values
        return [self._scalar(name, kind)]

    def _inner(self, name, schema):
        opening = self._take()[1]
        if opening not in ("{", "<"):
            self._refuse(f"`{name}` must be followed by braces")
        return self.message(schema, CLOSING[opening])

    def _list(self, read):
        self._take()
        values = []
        while self._next[1] != "]":
            values.append(read())
            if self._next[1] == ",":
                self._take()
            elif self._next[1] != "]":
                self._refuse("a list must end with ']'")
        self._take()
        return values

    def _scalar(self, name, kind):
        what, text = self._take()
        if kind == "string":
            if what != "string":
                self._refuse(f"`{name}` must be a string in quotes")
            return self._string(name, text)
        if kind == "bool" and text in BOOLEANS:
            return BOOLEANS[text]
        if isinstance(kind, tuple) and text in kind:
            return kind.index(text)
        try:
            if kind == "float":
                value = float(text.rstrip("fF"))
            else:
                octal = re.fullmatch("-?0[0-7]+", text)
                value = int(text, 8 if octal else 0)
        except ValueError:
            value = None
        if what == "number" and value is not None:
            if kind == "float" and math.isfinite(value):
                return value
            if kind == "int" and abs(value) < 2**31:
                return value
            if isinstance(kind, tuple) and 0 <= value < len(kind):
                return value
        wanted = {
            "int": "an integer below 2**31",
            "float": "a finite number",
            "bool": "true or false",
        }
        self._refuse(
            f"`{name}` must be "
            + (
                f"one of {', '.join(kind)}"
                if isinstance(kind, tuple)
                else wanted[kind]
            )
            + f". Received: {text[:50]}"
        )

    def _string(self, name, text):
        parts = [text]
        # Neighboring strings are one, as in C.
        while self._next[0] == "string":
            parts.append(self._take()[1])
        whole = "".join(ESCAPE.sub(_unescaped, part[1:-1]) for part in parts)
        if len(whole) > LONGEST_STRING:
            self._refuse(f"`{name}` has {len(whole)} characters")
        return whole

    def _skip(self, name):
        """Passes over a field's value, whatever is in it."""
        if self._next[1] == ":":
            self._take()
        pending = []
        while True:
            what, text = self._take()
            if text in CLOSING and what == "mark":
                pending.append(CLOSING[text])
                if len(pending) > DEEPEST:
                    self._refuse(f"`{name}` is nested too deeply")
            elif pending and text == pending[-1]:
                pending.pop()
            elif what == "mark" and (not pending or text in "}>]"):
                self._refuse(f"{text!r} is not wanted here")
            if not pending:
                break
        while what == "string" and self._next[0] == "string":
            self._take()

    def _take(self):
        taken = self._next
        if taken[0] == "end":
            self._refuse("the file ends in the middle of a message")
        self._line = taken[2]
        self._next = next(self._tokens)
        return taken[:2]

    def _split(self, text):
        line, position, words = 1, 0, 0
        while position < len(text):
            match = TOKEN.match(text, position)
            if match is None:
                self._line = line
                self._refuse(
                    f"{text[position : position + 20].split(chr(10))[0]!r} "
                    "is no text of Caffe's"
                )
            position = match.end()
            if match.lastgroup == "line":
                line += 1
            elif match.lastgroup != "space":
                words += 1
                if words > MOST_WORDS:
                    self._line = line
                    self._refuse(f"there are more than {MOST_WORDS} words")
                yield match.lastgroup, match.group(), line
        while True:
            yield "end", None, line

    def _refuse(self, reason):
        names = [
            found["name"][-1] for found in self._open[1:] if "name" in found
        ]
        layer = f" (in layer `{names[-1]}`)" if names else ""
        raise ValueError(f"{self._path}, line {self._line}: {reason}{layer}.")


def _unescaped(match):
    code = match.group(1)
    if code[0] in "01234567":
        return chr(int(code, 8))
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    return ESCAPES.get(code, code)
