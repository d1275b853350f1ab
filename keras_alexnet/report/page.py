"""The page that holds a report: its style, tables and text."""

import html

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6672;
  --paper: #fff; --line: #dde2e8; --a: #2f5fb3; --b: #c4501b; --bad: #c4501b;
  --fill: #eef1f5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaee; --soft: #9aa6b2;
  --paper: #15181c; --line: #333a42; --a: #86abf0; --b: #f09a6b;
  --bad: #f09a6b; --fill: #20252b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 62rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif;
  overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; padding-top: .6rem;
  border-top: 1px solid var(--line); }
p, table, pre { margin: .5rem 0; }
.soft, figcaption, .legend { color: var(--soft); font-size: .88rem; }
.numbers, .charts, .images { display: flex; flex-wrap: wrap; gap: 1rem; }
.numbers div { flex: 1 1 9rem; background: var(--fill); padding: .6rem .8rem;
  border-radius: .4rem; }
.numbers b { display: block; font-size: 1.5rem; line-height: 1.2; }
.charts > div { flex: 1 1 20rem; max-width: 30rem; min-width: 0; }
.chart { width: 100%; height: auto; display: block; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
svg line, svg polyline { fill: none; stroke-width: 2; }
.a { stroke: var(--a); } .b { stroke: var(--b); }
.dashed { stroke-dasharray: 5 4; }
circle.a { fill: var(--a); } circle.b { fill: var(--b); }
circle { stroke: none !important; }
.grid { stroke: var(--line); stroke-width: 1 !important; }
.bar { fill: var(--a); opacity: .75; }
.whisker { stroke: var(--ink); stroke-width: 1.5 !important; }
.ideal { stroke: var(--soft); stroke-dasharray: 3 4; }
.key { margin-right: 1rem; white-space: nowrap; }
.mark { width: 26px; height: 8px; margin-right: .4rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; }
th, td { text-align: left; padding: .2rem .6rem .2rem 0;
  border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: normal; }
td:first-child { white-space: nowrap; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.matrix td, .matrix th { padding: .15rem .35rem; font-size: .8rem;
  white-space: nowrap; }
.matrix td { text-align: right; }
.images figure { margin: 0; width: 13rem; flex: 0 1 13rem; }
@media (max-width: 30rem) { .images figure { flex: 1 1 100%; width: 100%; }
  table { font-size: .82rem; } th, td { padding-right: .45rem; } }
.images .pair { display: flex; gap: 4px; }
.images .pair img { width: calc(50% - 2px); image-rendering: auto; }
.kernels figure { margin: 0 0 .8rem; }
.kernels img { width: 100%; max-width: 40rem; image-rendering: pixelated; }
.finding { border-left: 4px solid var(--bad); padding-left: .8rem; }
pre { white-space: pre-wrap; background: var(--fill); padding: .6rem .8rem;
  border-radius: .4rem; font-size: .85rem; }
summary { cursor: pointer; }
"""


def page(title, sections):
    """A whole HTML page that requests nothing from anywhere.

    Args:
        title: String.
        sections: List of `(heading, HTML)`.

    Returns:
        String.

    Example:

    >>> text = page("A & B", [("Errors", "<p>none</p>")])
    >>> "<title>A &amp; B</title>" in text, '<h2 id="errors">' in text
    (True, True)
    """
    body = "".join(
        f'<section><h2 id="{_anchor(heading)}">{html.escape(heading)}</h2>\n'
        f"{content}</section>\n"
        if heading
        else f"{content}\n"
        for heading, content in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Browsers ask a server for an icon otherwise.
        '<link rel="icon" href="data:,">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n"
        f"</head>\n<body>\n{body}</body>\n</html>\n"
    )


def table(rows, alignment, kind=""):
    """An HTML table whose first row is its head.

    Args:
        rows: List of sequences; what is no string is turned into one.
        alignment: String of `"<"` and `">"`, one per column; the last one
            holds for further columns.
        kind: String, its class. Defaults to none.

    Returns:
        String.

    Example:

    >>> table([("class", "n"), ("a<b", 3)], "<>").count("&lt;")
    1
    """
    alignment = alignment.ljust(max(map(len, rows)), alignment[-1])
    lines = []
    for number, row in enumerate(rows):
        tag = "td" if number else "th"
        cells = "".join(
            f"<{tag}{_right(side)}>{html.escape(str(cell))}</{tag}>"
            for cell, side in zip(row, alignment, strict=False)
        )
        lines.append(f"<tr>{cells}</tr>")
    found = f'<table class="{kind}">{"".join(lines)}</table>'
    return f'<div class="wide">{found}</div>'


def paragraph(text, kind=""):
    """Text as HTML, in a paragraph of a class."""
    return f'<p class="{kind}">{html.escape(text)}</p>'


def _right(side):
    return ' class="n"' if side == ">" else ""


def _anchor(heading):
    return "-".join(heading.lower().split())
