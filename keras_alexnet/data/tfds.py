"""TFDS data sets, as a source."""

import dataclasses
import os
import re

import tensorflow as tf

from keras_alexnet.data.disk_cache import digest
from keras_alexnet.data.lookup import lookup
from keras_alexnet.data.record_files import RecordFiles
from keras_alexnet.data.record_files import stored_order
from keras_alexnet.data.source import Split
from keras_alexnet.data.source import stored_split

# Up to here the encoded images of a split are kept in memory; beyond, they
# are read from their files by position.
MEMORY_LIMIT = 2**30

# What TFDS takes for a name, "namespace:name/config:version"; else it is a
# path.
NAME = re.compile(r"(\w+:)?[A-Za-z_]\w*(/[\w.-]+)?(:[\w.*]+)?")


def open_tfds(name, data_dir, split_names, memory_limit=None, copies=None):
    """Makes splits of a TFDS data set; downloads it if it is not there.

    Splits whose labels are all -1 (ImageNet's test images) are left out.

    Args:
        name: String, TFDS's name, such as `"imagenette/160px-v2"`, or the
            folder that holds a prepared set's `dataset_info.json`.
        data_dir: TFDS's data folder, or `None` for TFDS's default.
        split_names: Names of the splits that are looked for.
        memory_limit: Integer, bytes. Defaults to `MEMORY_LIMIT`.
        copies: `BlockCopies` of a folder like that, in its place.

    Returns:
        Tuple `(class_names, splits, fingerprint)`.

    Raises:
        ValueError: If there is no such data set, or `data_dir` is no folder.
        ImportError: If TFDS is not installed.
    """
    if copies is not None:
        name = copies.folder
    _check(name, data_dir)
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise ImportError(
            f'{name!r} is neither a folder nor "digits", and TFDS, which '
            "may know it, is not installed: `pip install tensorflow-datasets`"
        ) from error
    builder = _builder(tfds, name, data_dir)
    limit = MEMORY_LIMIT if memory_limit is None else memory_limit
    keys = _keys(builder.info)
    class_names = tuple(builder.info.features[keys[1]].names)
    builder.download_and_prepare()
    splits, sizes = {}, []
    for split in split_names:
        if split not in builder.info.splits:
            continue
        info = builder.info.splits[split]
        # A local copy may hold fewer examples than the published version.
        sizes += [split, info.num_examples, info.num_bytes]
        if copies is None:
            opened = _reader(builder, info, limit)(builder, split, keys)
        else:
            opened = _by_position(builder, split, keys, copies)
        if not opened.count or opened.fetch(tf.constant(0, tf.int64))[1] >= 0:
            files = [os.fspath(path) for path in info.filepaths]
            version = digest(*files, *RecordFiles(files, copies).versions)
            splits[split] = dataclasses.replace(opened, version=version)
            sizes += stored_order(files)
    return class_names, splits, digest(builder.info.full_name, *sizes)


def _check(name, data_dir):
    """Refuses what TFDS would answer with a puzzle, or a download."""
    if data_dir is not None and not os.path.isdir(os.path.expanduser(data_dir)):
        raise ValueError(
            "`data_dir` must be a folder that exists. If TFDS shall download "
            f"into it, make it first. Received: data_dir={str(data_dir)!r}"
        )
    is_folder = os.path.isdir(os.path.expanduser(name))
    if not (is_folder or NAME.fullmatch(name)):
        raise ValueError(
            f"There is no folder {os.path.abspath(os.path.expanduser(name))}. "
            f"Received: source={name!r}"
        )


def _builder(tfds, name, data_dir):
    if os.path.isfile(os.path.join(name, "dataset_info.json")):
        return tfds.builder_from_directory(name)
    try:
        if NAME.fullmatch(name):
            return tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        pass
    except (ValueError, AssertionError) as error:
        raise ValueError(f"TFDS cannot open {name!r}: {error}") from error
    raise ValueError(
        '`source` must be "digits", a folder of class folders (with no '
        "`data_dir`, which is TFDS's), a TFDS name or arrays. There is no "
        f"such folder or name. Received: source={name!r}, "
        f"data_dir={data_dir if data_dir is None else str(data_dir)!r}"
    )


def _keys(info):
    """The features that are the image and the label."""
    import tensorflow_datasets as tfds

    keys = info.supervised_keys or ("image", "label")
    kinds = (tfds.features.Image, tfds.features.ClassLabel)
    for key, kind in zip(keys, kinds, strict=True):
        if not isinstance(dict(info.features).get(key), kind):
            raise ValueError(
                f"{info.full_name} is not a set of images with one class each:"
                f" its feature {key!r} is no {kind.__name__}. "
                f"It has: {list(info.features)}"
            )
    return keys


def _read_all(builder, split, keys):
    import tensorflow_datasets as tfds

    examples = builder.as_dataset(
        split=split,
        decoders={keys[0]: tfds.decode.SkipDecoding()},
        read_config=tfds.ReadConfig(
            interleave_cycle_length=1, add_tfds_id=True, try_autocache=False
        ),
    )
    images, labels, ids = [], [], []
    for batch in examples.batch(1024).as_numpy_iterator():
        images += batch[keys[0]].tolist()
        labels += batch[keys[1]].tolist()
        ids += batch["tfds_id"].tolist()
    return stored_split(images, labels, ids, encoded=True)


def _reader(builder, split_info, limit):
    """The function that opens a split, by how the set is stored."""
    import tensorflow_datasets as tfds

    formats = tfds.core.FileFormat
    if builder.info.file_format == formats.ARRAY_RECORD:
        return _from_array_records
    if split_info.num_bytes <= limit:
        return _read_all
    if builder.info.file_format == formats.TFRECORD:
        return _by_position
    raise ValueError(
        f"{builder.info.full_name} is too large to be kept in memory and "
        f"stored as {builder.info.file_format.value}. Store it as tfrecord or "
        "array_record"
    )


def _from_array_records(builder, split, keys):
    """Reads ArrayRecord files, which know where their records are."""
    import tensorflow_datasets as tfds

    try:
        records = builder.as_data_source(
            split=split,
            deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES,
        )
        count = len(records)
    except ImportError as error:
        raise ImportError(
            f"{builder.info.full_name} is stored as array_record, which a "
            "library reads: `pip install array_record`"
        ) from error

    def read(index):
        return records[int(index)]

    def record(index):
        return tf.numpy_function(read, [index], tf.string, stateful=False)

    return _split_of_records(builder.info, split, keys, count, record)


def _by_position(builder, split, keys, copies=None):
    """Reads records where they lie, so that any order costs the same."""
    info = builder.info.splits[split]
    files = RecordFiles([os.fspath(path) for path in info.filepaths], copies)
    positions = files.positions(info.num_examples)
    where = lookup(positions)

    def record(index):
        return tf.numpy_function(
            files.read, tf.unstack(where(index), 3), tf.string, stateful=False
        )

    return _split_of_records(builder.info, split, keys, len(positions), record)


def _split_of_records(info, split, keys, count, record):
    import tensorflow_datasets as tfds

    def fetch(index):
        example = info.features.deserialize_example(
            tf.ensure_shape(record(index), ()),
            decoders={keys[0]: tfds.decode.SkipDecoding()},
        )
        name = tf.strings.join([split, "[", tf.strings.as_string(index), "]"])
        return example[keys[0]], tf.cast(example[keys[1]], tf.int64), name

    return Split(count, fetch, encoded=True)
