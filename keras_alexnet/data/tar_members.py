"""Where the files in a tar archive lie, nothing of it extracted."""

import os
import posixpath
import tarfile
import typing

END = bytes(512)


class Member(typing.NamedTuple):
    """A file in an archive: its bare name, its first byte, its size."""

    name: str
    offset: int
    size: int


def tar_members(path, start=0, size=None):
    """Lists the files in a tar archive, or in one that lies in another.

    Only headers are read. The `tarfile` module takes an archive that was cut
    off, or has a damaged header, for one that ends there; here both are
    errors.

    Args:
        path: Path of an archive that is not compressed.
        start: Integer, where in the file the archive begins. Defaults to `0`.
        size: Integer, its bytes. Defaults to all that follow.

    Yields:
        `Member`s, folders left out.

    Raises:
        ValueError: If the archive is damaged, cut off, or none.

    Example:

    >>> import io, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "a.tar")
    >>> with tarfile.open(path, "w") as archive:
    ...     entry = tarfile.TarInfo("folder/a.JPEG")
    ...     entry.size = 3
    ...     archive.addfile(entry, io.BytesIO(b"abc"))
    >>> list(tar_members(path))
    [Member(name='a.JPEG', offset=512, size=3)]
    """
    end = os.path.getsize(path) if size is None else start + size
    with open(path, "rb") as file:
        file.seek(start)
        try:
            archive = tarfile.TarFile(fileobj=file)
            while (member := archive.next()) is not None:
                behind = member.offset_data + member.size
                if behind > end:
                    raise _cut_off(path, member.name, behind, end)
                if member.isfile():
                    name = posixpath.basename(member.name)
                    yield Member(name, member.offset_data, member.size)
                elif not member.isdir():
                    raise ValueError(
                        f"{path} is damaged, or no archive of images: "
                        f"{member.name!r} in it is neither a file nor a folder"
                    )
        except tarfile.TarError as error:
            raise ValueError(
                f"{path} is no tar archive, or is damaged at byte "
                f"{file.tell():,}: {error}. Download it again"
            ) from error
        file.seek(archive.offset)
        if archive.offset + len(END) > end or file.read(len(END)) != END:
            raise ValueError(
                f"{path} is cut off or damaged: no further file and no end of "
                f"the archive at byte {archive.offset:,} of {end:,}. Download "
                "it again"
            )


def _cut_off(path, name, behind, end):
    return ValueError(
        f"{path} is cut off: {name} in it ends at byte {behind:,}, the archive "
        f"at {end:,}. Download it again"
    )
