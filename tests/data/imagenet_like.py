"""A small set that is built as ImageNet is, to test with."""

import tarfile

from data.pictures import encode
from data.pictures import picture

from benchmarks.ilsvrc_archives import write_archives

SYNSETS = ("n01440764", "n02105855", "n03394916")
SIDE = 24
# Of `prepare_imagenet`.
OPTIONS = {
    "side": SIDE,
    "expected": None,
    "images_per_shard": 5,
    "verbose": 0,
}


def photo(seed, kind="JPEG", mode="RGB", **options):
    """The bytes of an image; some are smaller than `SIDE`, some larger."""
    height, width = ((40, 60), (50, 30), (20, 33), (24, 24))[seed % 4]
    return encode(picture(height, width, seed), kind, mode, **options)


def training_images():
    """Eight images of each synset, with the known odd ones."""
    train = {
        name: [photo(10 * label + i) for i in range(8)]
        for label, name in enumerate(SYNSETS)
    }
    train[SYNSETS[0]][3] = photo(3, mode="CMYK")
    # As n02105855_2933.JPEG is.
    train[SYNSETS[1]][2] = photo(12, kind="PNG")
    train[SYNSETS[2]][0] = photo(20, mode="L")
    return train


def numbered_images(seed, count=7):
    """Pairs of a synset and an image, in an order of their own."""
    return [(SYNSETS[(i * 2) % 3], photo(seed + i)) for i in range(count)]


def write_small(folder, year=2012, train=None):
    """Archives of 24 training and 7 validation images; 5 test ones of 2010."""
    test = numbered_images(200, 5) if year == 2010 else None
    train = training_images() if train is None else train
    return write_archives(folder, train, numbered_images(100), test, year)


def extract(archives, folder, year=2012):
    """The folders that people extract the archives to."""
    from benchmarks.ilsvrc_archives import NAMES

    names = NAMES[year]
    for split, name in (("train", "train"), ("validation", "val")):
        with tarfile.open(archives / names[split]) as archive:
            archive.extractall(folder / name, filter="data")
    for path in (folder / "train").glob("*.tar"):
        with tarfile.open(path) as archive:
            archive.extractall(path.with_suffix(""), filter="data")
        path.unlink()
    return folder


def contents(folder):
    """The bytes of all files in a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
