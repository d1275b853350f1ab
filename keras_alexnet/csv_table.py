"""Records as a CSV file."""

import csv
import math
import numbers


def write_csv(path, records, columns=None):
    """Writes a row per record; what is not finite is an empty field.

    A single network has neither a standard error nor an interval, and
    spreadsheets do not know the words "nan" and "inf".

    Args:
        path: Path of the file; one that is there is replaced.
        records: List of dicts.
        columns: List of strings. Defaults to the keys of the first record.

    Raises:
        ValueError: If there is no record to take the columns of, or one has
            another column.

    Example:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "table.csv")
    >>> write_csv(path, [{"n": 1, "error": 0.25, "low": float("-inf")}])
    >>> print(path.read_text(), end="")
    n,error,low
    1,0.25,
    """
    if not records and columns is None:
        raise ValueError("Give `columns` with no `records`. Received: []")
    columns = list(records[0] if columns is None else columns)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        for record in records:
            writer.writerow({k: _finite(v) for k, v in record.items()})


def _finite(value):
    number = isinstance(value, numbers.Real)
    return None if number and not math.isfinite(value) else value
