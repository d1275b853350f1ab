"""Weight files inside a zip archive."""

import contextlib
import os
import shutil
import tempfile
import zipfile
import zlib

ENDING = ".zip"

# Trained weights are noise, which hardly compresses.
MOST_COMPRESSION = 10


@contextlib.contextmanager
def unzipped(path, folder=None):
    """Gives the path of the only file in a zip archive.

    Args:
        path: Path. A file whose name does not end in `.zip` is given as it
            is.
        folder: Path of a folder for the unpacked file, or `None` for a
            temporary one. It is removed after the block in either case.

    Yields:
        String, the path.

    Raises:
        ValueError: If the archive is damaged, holds more than one file, or
            would unpack to much more than it is.

    Example:

    >>> with unzipped("net.pth") as path:
    ...     path
    'net.pth'
    """
    path = os.fspath(path)
    if not path.lower().endswith(ENDING):
        yield path
        return
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        # Nothing of the archive's own names is used.
        target = os.path.join(temporary, "unpacked.pth")
        try:
            with zipfile.ZipFile(path) as archive:
                record = _only_file(archive, os.path.getsize(path))
                with archive.open(record) as source, open(target, "wb") as out:
                    shutil.copyfileobj(source, out)
        except (
            EOFError,
            NotImplementedError,
            RuntimeError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise ValueError(f"{path} cannot be unpacked: {error}") from error
        yield target


def _only_file(archive, size):
    files = [record for record in archive.infolist() if not record.is_dir()]
    if len(files) != 1:
        raise ValueError(
            f"{archive.filename} holds {len(files)} files; one file of "
            "weights is wanted."
        )
    if files[0].file_size > MOST_COMPRESSION * size:
        raise ValueError(
            f"{archive.filename} has {size} bytes, and says that it unpacks "
            f"to {files[0].file_size}, which trained weights do not."
        )
    return files[0]
