"""ILSVRC's development kit: the synsets and the labels of flat folders."""

import dataclasses
import io
import tarfile
import zlib


@dataclasses.dataclass(frozen=True)
class Synsets:
    """The classes of a challenge, and the classes of numbered images.

    Attributes:
        origin: String, where it was read.
        words: Dict from the synset's name, such as `"n01440764"`, to words,
            which may be empty.
        train_counts: Dict from the synset's name to its number of training
            images; empty if unknown.
        truth: Dict from `"validation"` and `"test"` to tuples of synsets:
            number i is that of image i + 1.
    """

    origin: str
    words: dict
    train_counts: dict
    truth: dict


def find_synsets(folder, year):
    """Reads the development kit in a folder, or what TFDS knows of 2012.

    The kit numbers the synsets by its own `ILSVRC2012_ID`, in an order that
    is not that of their names. These numbers go no further than here.

    Args:
        folder: `pathlib.Path` that holds `ILSVRC2012_devkit_t12.tar.gz`, or
            what it was extracted to; for 2010 also
            `ILSVRC2010_test_ground_truth.txt`.
        year: `2010` or `2012`.

    Returns:
        `Synsets`, or `None` if there is no kit and the year is 2010.

    Raises:
        ValueError: If a file of the kit is damaged or of another year.

    Reference: readme.txt of the development kits.
    """
    truths = {
        f"ILSVRC{year}_{split}_ground_truth.txt": split
        for split in ("validation", "test")
    }
    files = _kit_files(folder, year, ("meta.mat", *truths))
    if "meta.mat" not in files:
        return _tfds_synsets() if year == 2012 else None
    origin, content = files.pop("meta.mat")
    names, words, counts = _read_meta(origin, content, year)
    truth = {
        truths[name]: _read_truth(origin, content, names)
        for name, (origin, content) in files.items()
    }
    return Synsets(origin, words, counts, truth)


def _kit_files(folder, year, names):
    """Dict from the names that are found to (where, bytes)."""
    found = {}
    for path in sorted(folder.glob(f"ILSVRC{year}_devkit*")):
        if not path.is_file():
            continue
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    name = member.name.rpartition("/")[2]
                    if name in names and member.isfile():
                        content = archive.extractfile(member).read()
                        found[name] = (f"{path}/{member.name}", content)
        except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
            raise ValueError(
                f"{path} is damaged: {error}. Download it again"
            ) from error
    places = [folder, folder / "data", *sorted(folder.glob("*devkit*"))]
    places += sorted(folder.glob("*devkit*/data"))
    for name in names:
        for path in (place / name for place in places):
            if name not in found and path.is_file():
                found[name] = (str(path), path.read_bytes())
    return found


def _read_meta(origin, content, year):
    """Dicts: ILSVRC's numbers to synsets; synsets to words and counts."""
    from scipy import io as scipy_io

    number = f"ILSVRC{year}_ID"
    try:
        synsets = scipy_io.loadmat(io.BytesIO(content), squeeze_me=True)
        synsets = synsets["synsets"]
        fields = synsets.dtype.names
    # SciPy has no error of its own for a damaged file.
    except Exception as error:
        raise ValueError(
            f"{origin} is damaged: {error}. Download the kit again"
        ) from error
    if fields is None or number not in fields:
        raise ValueError(
            f"{origin} is not of the challenge of {year}: it has no field "
            f"{number!r}, but {fields}"
        )
    # Inner nodes of WordNet's tree are listed, too. They have no images.
    leaves = [s for s in synsets if s["num_children"] == 0]
    names = {int(s[number]): str(s["WNID"]) for s in leaves}
    words = {str(s["WNID"]): str(s["words"]) for s in leaves}
    counts = {str(s["WNID"]): int(s["num_train_images"]) for s in leaves}
    return names, words, counts


def _read_truth(origin, content, names):
    truth = []
    for line, number in enumerate(content.split(), 1):
        if not number.isdigit() or int(number) not in names:
            raise ValueError(
                f"{origin}, line {line}, must be the number of a synset in "
                f"meta.mat. Received: {number.decode(errors='replace')!r}"
            )
        truth.append(names[int(number)])
    return tuple(truth)


def _tfds_synsets():
    import tensorflow_datasets as tfds

    place = tfds.core.tfds_path("datasets/imagenet2012")
    names = (place / "labels.txt").read_text().split()
    # In the order of the images' names, which is that of their numbers.
    truth = (place / "validation_labels.txt").read_text().split()
    return Synsets(
        "TFDS's list of labels of imagenet2012",
        dict.fromkeys(names, ""),
        {},
        {"validation": tuple(truth)},
    )
