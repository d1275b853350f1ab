"""Turns the package's docstrings into what the site's generator expects.

The docstrings are in Keras's style, which help() shows well. In Markdown an
example at the margin would be a quotation within a quotation, and the
generator knows no "Call arguments" and no entry for several arguments.
"""

import re

import griffe

# An entry of a list such as `Args:`; also one for several arguments.
ENTRY = re.compile(r"^    (\*{0,2}\w+(?:, \*{0,2}\w+)*): ", re.MULTILINE)
# Sections that the generator would not make a table or a paragraph of.
LISTS = ("Call arguments", "Attributes")


class KerasDocstrings(griffe.Extension):
    """Rewrites each docstring once, before it is parsed."""

    def on_object(self, *, obj, **kwargs):
        if obj.docstring and not obj.is_alias:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text):
    """A docstring whose examples, formulas and lists are Markdown."""
    text = "\n\n".join(
        _block(part) for part in re.split(r"\n{2,}", text.strip("\n"))
    )
    for title in LISTS:
        text = re.sub(
            rf"^{title}:\n((?:    .*\n?|\n)+)",
            lambda found, title=title: _list(title, found[1]),
            text,
            flags=re.MULTILINE,
        )
    return text


def _block(text):
    """One paragraph; examples are fenced."""
    if not text.startswith(">>> "):
        # The link's address stands in a line of its own.
        return re.sub(r"\]\(\n\s*", "](", text)
    return f"```pycon\n{text}\n```"


def _list(title, body):
    """A section as a bold title and a list."""
    entries = ENTRY.sub(r"\n- `\1`: ", body)
    entries = re.sub(r"^        ", "    ", entries, flags=re.MULTILINE)
    return f"**{title}**\n\n{entries.strip()}\n\n"
