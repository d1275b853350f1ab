"""The image files in a folder, and what lies beside them."""

import os
import pathlib
import posixpath

import tensorflow as tf

EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp"),
    *(".tif", ".tiff", ".avif", ".heic", ".heif"),
)

# What file managers, archives and annotators leave beside images.
CLUTTER = ("thumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir")
CLUTTER_ENDINGS = (
    *(".txt", ".md", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml"),
    *(".yml", ".html", ".log", ".ini", ".db", ".py"),
)


def leave_out(what, skipped):
    """Raises `what` as an error, or notes it in the list `skipped`."""
    if skipped is None:
        raise ValueError(
            f'{what}. Repair it, or pass `on_error="skip"` to `load_source`'
        )
    skipped.append(what)


def subfolders(folder):
    """The folders in a folder that may be classes, in the order of names.

    Args:
        folder: Path.

    Returns:
        List of paths.
    """
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_dir() and not _is_clutter(path)
    ]


def loose_files(folder, skipped, ignored):
    """Reports the images and broken links that lie outside class folders.

    Args:
        folder: Path of a folder of class folders.
        skipped: As of `leave_out`.
        ignored: Dict in which clutter is counted, by kind.
    """
    for path in sorted(folder.iterdir()):
        if path.is_symlink() and not path.exists():
            leave_out(f"A broken link: {path}", skipped)
        elif _is_clutter(path) or not (path.is_dir() or _is_image(path)):
            _count(path, ignored)
        elif not path.is_dir():
            leave_out(f"An image outside the class folders: {path}", skipped)


def image_files(folder, skipped, ignored):
    """The image files in a folder and its subfolders, in order of paths.

    Links are followed. What is neither an image nor clutter is reported.

    Args:
        folder: Path.
        skipped: As of `leave_out`.
        ignored: Dict in which clutter is counted, by kind.

    Returns:
        List of paths.
    """
    return sorted(_walk(folder, skipped, ignored, above=()))


def remote_image_files(folder, skipped, ignored):
    """As `image_files`, of a folder in one of TensorFlow's file systems.

    Args:
        folder: String, such as `"gs://bucket/photos"`.
        skipped: As of `leave_out`.
        ignored: Dict in which clutter is counted, by kind.

    Returns:
        List of strings.

    Raises:
        ValueError: If there is no such folder.

    Example:

    >>> tf.io.gfile.makedirs("ram://photos/red")
    >>> for name in ("red/b.png", "a.jpg", "notes.txt", "red/._b.png"):
    ...     with tf.io.gfile.GFile(f"ram://photos/{name}", "w") as file:
    ...         file.write("content")
    >>> ignored = {}
    >>> remote_image_files("ram://photos", [], ignored), ignored
    (['ram://photos/a.jpg', 'ram://photos/red/b.png'], {'*.txt': 1, '.*': 1})
    """
    if not tf.io.gfile.isdir(folder):
        raise ValueError(f"There is no folder {folder}")
    found = []
    for place, folders, names in tf.io.gfile.walk(folder):
        # What is removed from the list is not walked.
        folders[:] = [name for name in folders if not _is_clutter_name(name)]
        for name in sorted(names):
            path = posixpath.join(place, name)
            if _is_clutter_name(name) or name.lower().endswith(CLUTTER_ENDINGS):
                _count(pathlib.PurePosixPath(name), ignored)
            elif name.lower().endswith(EXTENSIONS):
                found.append(path)
            else:
                what = f"Not an image file ({', '.join(EXTENSIONS)}): {path}"
                leave_out(what, skipped)
    return sorted(found)


def holds_images(folder):
    """Whether an image file lies in a folder or in one below it."""
    return any(_is_image(path) for path in folder.rglob("*"))


def _walk(folder, skipped, ignored, above):
    real = folder.resolve()
    if real in above:
        leave_out(f"A link that leads back to where it is: {folder}", skipped)
        return
    if not os.access(folder, os.R_OK | os.X_OK):
        leave_out(f"No permission to read {folder}", skipped)
        return
    for path in sorted(folder.iterdir()):
        if _is_clutter(path):
            _count(path, ignored)
        elif path.is_dir():
            yield from _walk(path, skipped, ignored, (*above, real))
        elif _is_readable_image(path, skipped):
            yield path


def _is_readable_image(path, skipped):
    if path.is_symlink() and not path.exists():
        what = f"A broken link: {path}"
    elif not _is_image(path):
        what = f"Not an image file ({', '.join(EXTENSIONS)}): {path}"
    elif not path.is_file():
        what = f"Neither a file nor a folder: {path}"
    elif not os.access(path, os.R_OK):
        what = f"No permission to read {path}"
    else:
        return True
    leave_out(what, skipped)
    return False


def _is_image(path):
    return path.name.lower().endswith(EXTENSIONS)


def _is_clutter(path):
    if _is_clutter_name(path.name):
        return True
    # A folder may be called so; a broken link is reported as one.
    return path.name.lower().endswith(CLUTTER_ENDINGS) and path.is_file()


def _is_clutter_name(name):
    return name.startswith(".") or name.lower() in CLUTTER


def _count(path, ignored):
    kind = path.name
    if kind.lower() not in CLUTTER and kind != ".DS_Store":
        kind = ".*" if kind.startswith(".") else f"*{path.suffix.lower()}"
    ignored[kind] = ignored.get(kind, 0) + 1
