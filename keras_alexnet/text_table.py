"""Rows of strings as a table of text."""


def text_table(rows, alignment="<"):
    """Lays rows out in columns that are two spaces apart.

    Args:
        rows: List of sequences of strings, all of one length.
        alignment: String of a character per column, `"<"` for left and `">"`
            for right; the last one holds for all further columns. Defaults
            to `"<"`.

    Returns:
        String, one line per row, without spaces at the ends of lines.

    Raises:
        ValueError: If the rows are not of one length.

    Example:

    >>> print(text_table([("class", "n"), ("cat", "120")], "<>"))
    class    n
    cat    120
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    alignment = alignment.ljust(len(widths), alignment[-1])
    return "\n".join(
        "  ".join(
            f"{cell:{side}{width}}"
            for cell, side, width in zip(row, alignment, widths, strict=False)
        ).rstrip()
        for row in rows
    )
