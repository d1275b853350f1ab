"""ImageNet's archives or folders to records that can be trained on."""

import hashlib
import os
import pathlib
import shutil

import keras

from keras_alexnet.data.image_records import preparer
from keras_alexnet.data.imagenet_index import OFFICIAL
from keras_alexnet.data.imagenet_index import index_imagenet
from keras_alexnet.data.loader import is_path
from keras_alexnet.data.preparation_folder import WORKING
from keras_alexnet.data.preparation_folder import preparation_folder
from keras_alexnet.data.prepared_set import finish_set
from keras_alexnet.data.record_shards import plan_shards
from keras_alexnet.data.record_shards import read_result
from keras_alexnet.data.record_shards import remove_unfinished
from keras_alexnet.data.record_shards import shuffled
from keras_alexnet.data.record_shards import write_shards
from keras_alexnet.disk import is_remote
from keras_alexnet.disk import path_string

# Images that are prepared to learn how much space all of them take.
SAMPLE = 64


def prepare_imagenet(
    source,
    output,
    *,
    year=2012,
    side=256,
    encoding="jpeg",
    quality=95,
    square=False,
    upright=True,
    expected="official",
    on_error="raise",
    images_per_shard=1251,
    workers=None,
    seed=0,
    verbose=1,
    write=None,
):
    """Makes records of ImageNet's archives, which `load_source` reads.

    All that can be checked is checked before anything is written: the
    archives are whole, no image is missing or there twice, each has a label,
    and the disk has room. A preparation that is interrupted, by whatever,
    goes on where it was when it is called again; files are written whole or
    not at all. Where it ended at an image that cannot be decoded, the image
    may be repaired, or `on_error="skip"` be passed; of the finished files,
    only those whose images have changed are prepared again. The bytes of the
    result depend neither on interruptions nor on `workers`, nor on whether
    archives or folders were read.

    A label is the index of the image's synset in the sorted list of synsets,
    as Caffe, torchvision, TFDS and Keras number classes. The development kit
    numbers them in another order; its numbers are translated.

    The records are TFDS's: `tfds.builder_from_directory(output)` reads them,
    too. They are shuffled, so that a file, or the first tenth of the set, is
    a sample of all classes, and a reader who shuffles within a buffer does
    not meet one class at a time.

    Args:
        source: Folder that holds the official archives
            (`ILSVRC2012_img_train.tar`, `ILSVRC2012_img_val.tar`,
            `ILSVRC2012_devkit_t12.tar.gz`; or those of 2010,
            `ILSVRC2010_test_ground_truth.txt` and `patch_images.tar`), or
            folders in the place of archives: `train` with a folder or an
            archive for each synset, `val` and `test` of the same kind or
            flat. Without the kit of 2012, the validation labels are those
            that TFDS ships.
        output: Folder. It must be empty, absent, or of this preparation.
        year: `2012`, or `2010`, the set of the paper's table 1. Defaults to
            `2012`.
        side: Integer, pixels of the shorter side. Smaller images are
            enlarged. Defaults to `256` (section 2).
        encoding: `"jpeg"`; `"png"`, which loses nothing; or `"original"`, the
            bytes as they are, neither scaled nor turned. Defaults to
            `"jpeg"`.
        quality: Integer in 1 to 100, of JPEG. Defaults to `95`, OpenCV's
            default, with which the files of 2012 were written.
        square: Boolean. Whether the central square is cut out now. It takes
            less space, and serves all but views of whole images and scale
            jittering. Defaults to `False`.
        upright: Boolean. Whether photos are turned as their metadata ask.
            Defaults to `True`, as in `load_source`.
        expected: `"official"`, the challenge's own 1,000 synsets and numbers
            of images; a dict from split to number, of which other splits are
            left alone; or `None`, to take what is there. Defaults to
            `"official"`.
        on_error: `"raise"`, to end at an image that cannot be decoded, with
            an error that names it; or `"skip"`, to leave it out and list it.
            Damaged JPEG files that can be decoded are used and listed.
            Defaults to `"raise"`.
        images_per_shard: Integer, images in a file. Defaults to `1251`, which
            makes TFDS's 1,024 files of the training set.
        workers: Integer, threads. Defaults to the number of processors.
        seed: Integer, of the order. Defaults to `0`.
        verbose: `0` for silence, `1` for a progress bar. Defaults to `1`.
        write: Function of a list of `Shard`s that are to be written, and of
            the settings as they are in `preparation.json`; `workers` and
            `verbose` do not concern it. `keras_alexnet.beam.prepare_imagenet`
            hands one over. Defaults to threads of this process.

    Returns:
        Dict, as in `preparation.json` in `output`: the settings, `counts`,
        `skipped`, `damaged`, `notes` and `inputs`.

    Raises:
        ValueError: If an argument is out of range, an archive damaged, an
            image missing, there twice or without a label; or if `output`
            holds anything else.
        OSError: If there is too little space.
        RuntimeError: If another process prepares the same folder.

    Example:

    >>> prepare_imagenet("downloads", "imagenet", quality=0)
    Traceback (most recent call last):
    ValueError: `quality` must be an integer from 1 to 100. ...

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 2; cuda-convnet2 `make-data.py`.
    """
    _check(output, year, encoding, expected, on_error)
    for name, value, low, high in (
        ("side", side, 1, 2**16),
        ("quality", quality, 1, 100),
        ("images_per_shard", images_per_shard, 1, None),
        ("workers", workers, 1, None),
        ("seed", seed, None, None),
    ):
        if not (name == "workers" and value is None):
            _check_integer(name, value, low, high)
    index = index_imagenet(source, year, expected)
    settings = {
        "year": year,
        "side": side,
        "encoding": encoding,
        "quality": quality if encoding == "jpeg" else None,
        "square": bool(square) if encoding != "original" else None,
        "upright": bool(upright),
        "on_error": on_error,
        "images_per_shard": images_per_shard,
        "seed": seed,
        "names": _digest(index, sizes=False),
        "examples": _digest(index, sizes=True),
    }
    output = pathlib.Path(output).expanduser()
    shards = plan_shards(
        output,
        output / WORKING,
        f"ilsvrc{year}",
        index.splits,
        images_per_shard,
        seed,
    )
    with preparation_folder(output, settings) as finished:
        if finished is not None:
            _check_finished(finished, shards)
            return finished
        remove_unfinished(output, output / WORKING)
        remaining = [shard for shard in shards if read_result(shard) is None]
        prepare = preparer(side, encoding, quality, square, upright)
        _check_space(output, remaining, prepare, seed, side)
        if write is not None:
            write(remaining, settings)
            return finish_set(output, shards, index, settings)
        bar = keras.utils.Progbar(
            sum(len(shard.examples) for shard in remaining),
            unit_name="image",
            verbose=verbose,
            interval=1,
        )
        workers = workers or os.cpu_count()
        write_shards(
            remaining, prepare, side, on_error, workers, lambda: bar.add(1)
        )
        return finish_set(output, shards, index, settings)


def _check(output, year, encoding, expected, on_error):
    if not is_path(output):
        raise ValueError(
            f"`output` must be a folder to write to. Received: {output!r}"
        )
    if is_remote(output):
        raise ValueError(
            "`output` must be a folder of this machine, such as one where a "
            f"bucket is mounted. Received: {path_string(output)!r}"
        )
    for name, value, choices in (
        ("year", year, tuple(OFFICIAL)),
        ("encoding", encoding, ("jpeg", "png", "original")),
        ("on_error", on_error, ("raise", "skip")),
    ):
        if value not in choices:
            raise ValueError(
                f"`{name}` must be one of {choices}. Received: {name}={value!r}"
            )
    if expected is None or expected == "official":
        return
    splits = OFFICIAL[year].keys()
    if not (
        isinstance(expected, dict) and {"train"} <= expected.keys() <= splits
    ):
        raise ValueError(
            '`expected` must be "official", `None`, or a dict from '
            f"{list(splits)} to numbers of images, with "
            f"'train' among them. Received: expected={expected!r}"
        )
    for split, count in expected.items():
        _check_integer(f"expected[{split!r}]", count, 1, None)


def _check_integer(name, value, low, high):
    right = isinstance(value, int) and not isinstance(value, bool)
    right = right and (low is None or value >= low)
    if not right or (high is not None and value > high):
        kind = "an integer"
        if high is not None:
            kind = f"an integer from {low} to {high}"
        elif low is not None:
            kind = "a positive integer"
        raise ValueError(f"`{name}` must be {kind}. Received: {name}={value!r}")


def _digest(index, sizes):
    """Changes with the examples, not with the place where they lie."""
    hashed = hashlib.blake2b(digest_size=16)
    for split, examples in index.splits.items():
        lines = (
            f"{e.name} {e.label}" + (f" {e.size}" if sizes else "")
            for e in examples
        )
        for line in sorted(lines):
            hashed.update(f"{split} {line}\n".encode())
    hashed.update(" ".join(index.class_names).encode())
    return hashed.hexdigest()


def _check_finished(report, shards):
    sizes = [s.path.stat().st_size for s in shards if s.path.is_file()]
    if len(sizes) != len(shards) or sum(sizes) != report["bytes"]:
        raise ValueError(
            f"{shards[0].path.parent} was finished, and files of it are "
            "missing or changed. Remove the folder, and prepare it again"
        )


def _check_space(output, shards, prepare, seed, side):
    """Prepares a few images to estimate the space that all need."""
    waiting = [e for shard in shards for e in shard.examples]
    if not waiting:
        return
    sizes = []
    # Shuffled anew, as a shard's first images need not be like its last.
    for example in shuffled(waiting, f"sample {seed}")[:SAMPLE]:
        record = prepare(example, False).record
        if record is not None:
            sizes.append(len(record) + 16)
    mean = sum(sizes) / max(1, len(sizes))
    # The sums of a shard are kept until the end. A twentieth for the rest.
    sums = sum(shard.split == "train" for shard in shards) * side * side * 12
    needed = int(1.05 * mean * len(waiting)) + sums
    free = shutil.disk_usage(output).free
    if needed > free:
        raise OSError(
            f"{output} must have room for about {needed / 1e9:.1f} GB "
            f"({len(waiting):,} images of {mean / 1e3:.0f} kB, the mean of "
            f"{len(sizes)}). It has {free / 1e9:.1f} GB. Give another folder, "
            "a lower `quality`, or `square=True`"
        )
