"""The images that an index knows, and where their features are."""

import numpy as np

from keras_alexnet.retrieval import index_files


class Rows:
    """Which row of which part belongs to which path.

    Of two rows of one path the later one counts. Rows that were removed, and
    those that a later one replaces, stay in their parts and are passed over.

    Args:
        directory: Path of an index, whose parts are read and which gets every
            change; or `None`, to keep all in memory. Defaults to `None`.
        width: Integer, numbers per image. Defaults to `0`.

    Example:

    >>> from keras_alexnet.retrieval.index_files import Part
    >>> rows = Rows()
    >>> entries = [("a.png", 10, 0), ("b.png", 20, 0)]
    >>> rows.append(Part(np.zeros((2, 4), "float32"), entries))
    >>> rows.remove(["a.png"])
    >>> rows.paths, rows.entry("b.png"), rows.blocks()[0].shape
    (['b.png'], ('b.png', 20, 0), (1, 4))
    """

    def __init__(self, directory=None, width=0):
        self._directory = directory
        self._parts, self._places = [], {}
        self._removed = set()
        if directory is not None:
            self._removed = index_files.read_removed(directory)
            for part in index_files.read_parts(directory, width):
                self._take(part)

    def __len__(self):
        return len(self._places)

    def __contains__(self, path):
        return path in self._places

    @property
    def paths(self):
        """List of paths, in the order of their features in `blocks()`."""
        return sorted(self._places, key=self._places.get)

    def entry(self, path):
        """Path, size and time of a file, as they were when it was added."""
        part, row = self._places[path]
        return self._parts[part].entries[row]

    def blocks(self):
        """List of arrays, the features that count, part by part."""
        counts = [np.zeros(len(part.entries), bool) for part in self._parts]
        for part, row in self._places.values():
            counts[part][row] = True
        return [
            part.features if own.all() else part.features[own]
            for part, own in zip(self._parts, counts, strict=True)
        ]

    def append(self, part):
        """Adds a `Part`; one without images is not kept."""
        if not part.entries:
            return
        if self._directory is not None:
            number = len(self._parts)
            index_files.write_part(self._directory, number, part)
        self._take(part)

    def remove(self, paths):
        """Forgets the rows of some paths."""
        if paths:
            for path in paths:
                del self._places[path]
            gone = set(paths)
            # Earlier rows of these paths, too, or they would count again.
            self._removed |= {
                (number, row)
                for number, part in enumerate(self._parts)
                for row, (path, _, _) in enumerate(part.entries)
                if path in gone
            }
            if self._directory is not None:
                index_files.write_removed(self._directory, self._removed)

    def _take(self, part):
        number = len(self._parts)
        self._parts.append(part)
        for row, (path, _, _) in enumerate(part.entries):
            if (number, row) not in self._removed:
                self._places[path] = number, row
