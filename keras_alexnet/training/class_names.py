"""The names of the classes of a trained network, as a file."""

import pathlib

from keras_alexnet.disk import replacing


def write_class_names(path, names):
    """Writes a name per line, of folders whatever bytes their names have.

    Args:
        path: Path. What is there is replaced by a whole file, or stays.
        names: Sequence of strings.

    Example:

    >>> import tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "classes.txt")
    >>> write_class_names(path, ("cat", "dog"))
    >>> path.read_bytes()
    b'cat\\ndog\\n'
    """
    text = "".join(f"{name}\n" for name in names)
    with replacing(path) as temporary:
        encoded = text.encode("utf-8", "surrogateescape")
        pathlib.Path(temporary).write_bytes(encoded)
