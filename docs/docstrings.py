"""Turns the package's docstrings, which are in Keras's style, into Markdown.

A docstring such as `Args:` with entries for several arguments at once, or with
an example at the margin, reads well in `help()`. Markdown would make one
paragraph of the first, and a quotation within a quotation of the second.
"""

import re

import griffe

TITLES = ("Args", "Call arguments", "Attributes", "Yields", "Raises")
SECTION = re.compile(
    rf"^({'|'.join((*TITLES, 'Returns'))}):\n((?:    .*\n|\n)+)", re.MULTILINE
)
# One entry of a section, of one argument or of several.
ENTRY = re.compile(r"^(\*{0,2}\w+(?:, \*{0,2}\w+)*): ", re.MULTILINE)


class KerasDocstrings(griffe.Extension):
    """Rewrites each docstring once, before it is shown."""

    def on_object(self, *, obj, **kwargs):
        if obj.docstring and not obj.is_alias:
            obj.docstring.value = as_markdown(obj.docstring.value)


def as_markdown(text):
    """Lists for the sections, fenced blocks for the examples."""
    text = SECTION.sub(_section, f"{text}\n")
    return "\n\n".join(map(_block, re.split(r"\n{2,}", text)))


def _section(found):
    title, body = found[1], re.sub("^    ", "", found[2], flags=re.MULTILINE)
    if title in TITLES:
        body = ENTRY.sub(r"- `\1`: ", body)
    return f"**{title}**\n\n{body.rstrip()}\n\n"


def _block(text):
    if text.startswith(">>> "):
        return f"```pycon\n{text}\n```"
    # The address of a link may stand in a line of its own.
    return re.sub(r"\]\(\n\s*", "](", text)
