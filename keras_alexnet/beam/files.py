"""Files on this machine or a remote one, whole or not at all."""

import contextlib
import os
import posixpath
import secrets
import tempfile

import tensorflow as tf

from keras_alexnet.disk import is_remote
from keras_alexnet.disk import replacing


@contextlib.contextmanager
def writing(path):
    """As `keras_alexnet.disk.replacing`; the path may be remote.

    Args:
        path: String.

    Yields:
        String, the path of a file on this machine to write to.

    Example:

    >>> with writing("ram://folder/x.txt") as temporary:
    ...     _ = open(temporary, "w").write("text")
    >>> with tf.io.gfile.GFile("ram://folder/x.txt") as file:
    ...     file.read()
    'text'
    """
    if not is_remote(path):
        with replacing(path) as temporary:
            yield temporary
        return
    folder, name = posixpath.split(path)
    uploaded = posixpath.join(folder, f".{secrets.token_hex(8)}-{name}")
    with tempfile.TemporaryDirectory() as scratch:
        temporary = os.path.join(scratch, name)
        yield temporary
        tf.io.gfile.makedirs(folder)
        try:
            tf.io.gfile.copy(temporary, uploaded)
            tf.io.gfile.rename(uploaded, path, overwrite=True)
        except tf.errors.OpError:
            if tf.io.gfile.exists(uploaded):
                tf.io.gfile.remove(uploaded)
            raise


@contextlib.contextmanager
def reading(path):
    """A file on this machine with the content of a path that may be remote.

    Args:
        path: String.

    Yields:
        String: the path itself, or that of a copy, which is then removed.
    """
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as scratch:
        copy = os.path.join(scratch, posixpath.basename(path))
        tf.io.gfile.copy(path, copy)
        yield copy


def write_lines(lines, path):
    """Writes a text file, whole or not at all.

    Args:
        lines: List of strings without line breaks.
        path: String.
    """
    with writing(path) as temporary, open(temporary, "wb") as file:
        file.writelines(os.fsencode(f"{line}\n") for line in lines)


def read_lines(path, start=0, size=-1):
    """The lines of a text file, or of a part of it.

    Args:
        path: String.
        start: Integer, the first byte. Defaults to `0`.
        size: Integer, how many bytes. Defaults to all that follow.

    Returns:
        List of strings.
    """
    with tf.io.gfile.GFile(path, "rb") as file:
        file.seek(start)
        text = file.read(size)
    return [os.fsdecode(line) for line in text.split(b"\n")[:-1]]
