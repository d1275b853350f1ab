"""Parquet files, which pyarrow reads and writes."""

# Rows that are written at a time: the row groups of a file.
GROUP = 1024


def import_pyarrow():
    """The modules `pyarrow` and `pyarrow.parquet`.

    Raises:
        ImportError: If pyarrow is not installed.
    """
    # Imported here: the package does without it otherwise.
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            "Parquet files are read and written by pyarrow. Install it with "
            "`pip install pyarrow`"
        ) from error
    return pyarrow, parquet
