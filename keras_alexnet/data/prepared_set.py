"""What makes a folder of records a data set: metadata, words, the mean."""

import os
import pathlib
import tempfile

from keras_alexnet.data.preparation_folder import REPORT
from keras_alexnet.data.preparation_folder import WORKING
from keras_alexnet.data.preparation_folder import write_json
from keras_alexnet.data.record_files import write_lengths
from keras_alexnet.data.record_shards import read_result
from keras_alexnet.data.training_statistics import ColorSums
from keras_alexnet.data.training_statistics import write_statistics
from keras_alexnet.disk import replacing


def finish_set(output, shards, index, settings):
    """Adds up the results of all shards; writes what makes it a data set.

    Args:
        output: `pathlib.Path` of the folder.
        shards: List of `Shard`s, all of them finished.
        index: An `Index`.
        settings: Dict of the arguments of `prepare_imagenet`.

    Returns:
        Dict, the report.

    Raises:
        ValueError: If no image of a split could be decoded.
    """
    results = [read_result(shard) for shard in shards]
    sums = ColorSums.zeros(settings["side"])
    report = {
        "settings": settings,
        "counts": dict.fromkeys(index.splits, 0),
        "bytes": 0,
        "skipped": [],
        "damaged": {},
        "notes": list(index.notes),
        "inputs": index.inputs,
    }
    for shard, (facts, own) in zip(shards, results, strict=True):
        report["counts"][shard.split] += facts["count"]
        report["bytes"] += facts["bytes"]
        report["skipped"] += facts["skipped"]
        report["damaged"].update(facts["damaged"])
        if own is not None:
            sums.add(own)
    if not all(report["counts"].values()):
        raise ValueError(
            "No image of a split can be decoded. The first: "
            f"{report['skipped'][0]}"
        )
    training = [shard.path for shard in shards if shard.split == "train"]
    upright = None
    if settings["encoding"] == "original":
        upright = settings["upright"]
    write_statistics(output, sums, training, upright)
    write_lengths(output, [shard.path for shard in shards])
    with replacing(output / "synset_words.txt") as temporary:
        pairs = zip(index.class_names, index.words, strict=True)
        lines = [f"{name} {words}".rstrip() for name, words in pairs]
        pathlib.Path(temporary).write_text("\n".join(lines) + "\n")
    features = _features(index.class_names, settings["encoding"])
    _write_metadata(output, shards, results, features, settings)
    write_json(output / REPORT, report)
    return report


def _write_metadata(output, shards, results, features, settings):
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core import dataset_info

    year = settings["year"]
    splits = []
    for split in dict.fromkeys(shard.split for shard in shards):
        own = [
            facts
            for shard, (facts, _) in zip(shards, results, strict=True)
            if shard.split == split
        ]
        splits.append(
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=[facts["count"] for facts in own],
                num_bytes=sum(facts["payload"] for facts in own),
                filename_template=tfds.core.ShardedFileTemplate(
                    data_dir=output,
                    dataset_name=f"ilsvrc{year}",
                    split=split,
                    filetype_suffix="tfrecord",
                ),
            )
        )
    size = f"the shorter side {settings['side']} pixels"
    how = {
        "jpeg": f"JPEG of quality {settings['quality']}, {size}",
        "png": f"PNG, {size}",
        "original": "the original files",
    }[settings["encoding"]]
    info = tfds.core.DatasetInfo(
        builder=dataset_info.DatasetIdentity(
            name=f"ilsvrc{year}",
            version=tfds.core.Version("1.0.0"),
            data_dir=os.fspath(output),
            module_name="",
        ),
        description=f"ImageNet, ILSVRC{year}, as {how}. Labels are indices "
        f"into the sorted synsets; {REPORT} says how it was prepared.",
        features=features,
        supervised_keys=("image", "label"),
        homepage="https://image-net.org/",
    )
    info.set_file_format("tfrecord")
    info.set_splits(tfds.core.splits.SplitDict(splits))
    with tempfile.TemporaryDirectory(dir=output / WORKING) as folder:
        info.write_to_directory(folder)
        # What makes the folder a data set comes last.
        for path in sorted(
            pathlib.Path(folder).iterdir(),
            key=lambda path: path.name == "dataset_info.json",
        ):
            os.replace(path, output / path.name)


def _features(class_names, encoding):
    import tensorflow_datasets as tfds

    # Originals are JPEG by name. TFDS decodes by content.
    stored = "png" if encoding == "png" else "jpeg"
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(
                shape=(None, None, 3), encoding_format=stored
            ),
            "label": tfds.features.ClassLabel(names=list(class_names)),
            "file_name": tfds.features.Text(),
        }
    )
