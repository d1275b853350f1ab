"""A data set of many small records, opened in a process of its own."""

import io
import itertools
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

CLASSES = 1000
SHARDS = 1024


def framed_records(path):
    """A TFRecord file of a JPEG image of 16x16 pixels for each class.

    Args:
        path: String, where TensorFlow writes it.

    Returns:
        List of bytes: each record with its length and its checksums.
    """
    import tensorflow as tf
    from PIL import Image

    rng = np.random.default_rng(0)
    ends = [0]
    with tf.io.TFRecordWriter(path) as writer:
        for label in range(CLASSES):
            pixels = rng.integers(0, 256, (16, 16, 3), "uint8")
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "JPEG", quality=95)
            features = {
                "image": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[file.getvalue()])
                ),
                "label": tf.train.Feature(
                    int64_list=tf.train.Int64List(value=[label])
                ),
            }
            example = tf.train.Example(
                features=tf.train.Features(feature=features)
            ).SerializeToString()
            writer.write(example)
            # 8 bytes of length and 4 of checksum before, 4 behind.
            ends.append(ends[-1] + 12 + len(example) + 4)
    written = pathlib.Path(path).read_bytes()
    return [written[i:j] for i, j in itertools.pairwise(ends)]


def write_records(folder, count):
    """A TFDS data set of JPEG images of 16x16 pixels; returns its bytes."""
    import tensorflow_datasets as tfds

    records = framed_records(str(folder / "each_class"))
    (folder / "each_class").unlink()
    parts = np.array_split(np.arange(count), SHARDS)
    total = 0
    for shard, numbers in enumerate(parts):
        # A call of a writer for each record takes minutes for a million.
        content = b"".join(records[n % CLASSES] for n in numbers.tolist())
        name = f"many-train.tfrecord-{shard:05d}-of-{SHARDS:05d}"
        (folder / name).write_bytes(content)
        total += len(content) - 16 * len(numbers)
    tfds.folder_dataset.write_metadata(
        data_dir=folder,
        features=tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(encoding_format="jpeg"),
                "label": tfds.features.ClassLabel(num_classes=CLASSES),
            }
        ),
        split_infos=[
            tfds.core.SplitInfo(
                name="train",
                shard_lengths=[len(part) for part in parts],
                num_bytes=total,
                filename_template=tfds.core.ShardedFileTemplate(
                    dataset_name="many",
                    data_dir=folder,
                    split="train",
                    filetype_suffix="tfrecord",
                ),
            )
        ],
        supervised_keys=("image", "label"),
    )
    return total


def open_records(folder):
    """Seconds (clock, CPU) and memory of opening a set and beginning epochs."""
    from keras_alexnet.data import TrainingData
    from keras_alexnet.data import load_source

    times, start, cpu = {}, time.perf_counter(), time.process_time()

    def note(what):
        nonlocal start, cpu
        times[what] = time.perf_counter() - start, time.process_time() - cpu
        start, cpu = time.perf_counter(), time.process_time()

    source = load_source(folder, holdout=0.1)
    note("opening")
    data = TrainingData(source, input_size=16, resize=16, batch_size=128)
    next(iter(data.dataset))
    note("first batch")
    data.seek(1)
    next(iter(data.dataset))
    note("planning the next epoch, and its first batch")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"counts": source.counts, "times": times, "peak": peak}


def measure_records(count):
    """Writes the records and opens them three times, in new processes.

    Twice without `record_lengths.npz`, like a set that TFDS has made; then
    with it, like a set of `prepare_imagenet`.
    """
    from keras_alexnet.data.record_files import write_lengths

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        start = time.perf_counter()
        total = write_records(folder, count)
        print(
            f"{count} records, {total / 1e9:.2f} GB, in {SHARDS} shards, "
            f"written in {time.perf_counter() - start:.0f} s"
        )
        for title in ("first time", "later", "with stored lengths"):
            if title == "with stored lengths":
                write_lengths(folder, sorted(folder.glob("*.tfrecord-*")))
            done = subprocess.run(
                [sys.executable, __file__, folder],
                # The positions of these records are of use to nobody else.
                env={**os.environ, "KERAS_HOME": str(folder / "keras")},
                check=True,
                capture_output=True,
                text=True,
            )
            found = json.loads(done.stdout.splitlines()[-1])
            parts = [
                f"{what} {clock:.2f} s ({cpu:.2f} of CPU)"
                for what, (clock, cpu) in found["times"].items()
            ]
            print(
                f"{title}: {', '.join(parts)}; peak of resident memory "
                f"{found['peak']:.2f} GiB ({found['counts']})"
            )


if __name__ == "__main__":
    print(json.dumps(open_records(sys.argv[1])))
