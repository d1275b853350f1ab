"""How long `prepare_imagenet` takes, and how large what it writes is.

    python benchmarks/prepare.py --dataset=imagenette/160px-v2 --images=2000

Writes archives of ImageNet's structure of a set's images, enlarged to the size
that most of ImageNet's have, 500 x 375 (the set above stores 224 x 224), as
JPEG of quality 100, to come near to their 115 kB each. Then it prepares them
with each number of threads, and with as many processes at a time, in turns.

Images per second are of the time on the clock; images per core and second of
the CPU time of the preparing process and its threads, which other work on the
machine changes less. Starting Python is not counted.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import app
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_string("dataset", "digits", "As of examples/train.py.")
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
flags.DEFINE_integer("images", 2000, "Training images; a tenth for validation.")
flags.DEFINE_list("threads", ["1", "2"], "Numbers of threads to compare.")
flags.DEFINE_bool("processes", True, "Compare with processes of one thread.")
flags.DEFINE_integer("repeats", 3, "Rounds.")
flags.DEFINE_list(
    "qualities", ["95", "90", "85", "75"], "Of JPEG; the first one is timed."
)
flags.DEFINE_integer("sizes_of", 200, "Images whose sizes are compared.")
flags.DEFINE_string("folder", None, "Where archives are kept; else nowhere.")

OFFICIAL = 1281167 + 50000

# Prepares archives, and prints what it took.
ONE = """
import json, sys, time
from keras_alexnet.data import prepare_imagenet
source, output, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
start, cpu = time.perf_counter(), time.process_time()
report = prepare_imagenet(source, output, expected=None, verbose=0, **options)
took = time.perf_counter() - start, time.process_time() - cpu
print(json.dumps([*took, sum(report["counts"].values()), report["bytes"]]))
"""


def make_archives(folder):
    """Archives of the first images of a set, 500 x 375 pixels."""
    import tensorflow as tf
    from ilsvrc_archives import write_archives

    from keras_alexnet.data import load_source

    source = load_source(FLAGS.dataset, FLAGS.data_dir)

    def encode(image, label, _):
        image = tf.image.resize(image, (375, 500), method="bicubic")
        image = tf.saturate_cast(tf.round(image), tf.uint8)
        return tf.io.encode_jpeg(image, quality=100), label

    def images(split, count):
        examples = source.dataset(split).take(count)
        for content, label in examples.map(encode).as_numpy_iterator():
            yield f"n{label:08d}", content

    train = {}
    for synset, content in images("train", FLAGS.images):
        train.setdefault(synset, []).append(content)
    validation = list(images("test", FLAGS.images // 10))
    return write_archives(folder, train, validation)


def start(source, output, **options):
    """Starts a preparation in a process of its own."""
    command = [sys.executable, "-c", ONE, source, output, json.dumps(options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def one_round(source, processes, **options):
    """Images per second, and per second and core."""
    with tempfile.TemporaryDirectory() as folder:
        started = [
            start(source, pathlib.Path(folder, str(number)), **options)
            for number in range(processes)
        ]
        found = [
            json.loads(p.communicate()[0].splitlines()[-1]) for p in started
        ]
    clock, cpu, count, size = zip(*found, strict=True)
    # The processes do equal work side by side; the slowest one counts.
    return sum(count) / max(clock), sum(count) / sum(cpu), size[0] / count[0]


def main(_):
    from keras_alexnet.data.imagenet_index import index_imagenet

    with tempfile.TemporaryDirectory() as temporary:
        source = pathlib.Path(FLAGS.folder or temporary, "archives")
        if not source.exists():
            make_archives(source)
        splits = index_imagenet(source, 2012, None).splits
        sizes = [example.size for split in splits.values() for example in split]
        mean = statistics.mean(sizes)
        print(f"{len(sizes)} images, {mean / 1e3:.1f} kB each", flush=True)
        time_all(source)
        tell_sizes(source)


def time_all(source):
    quality = int(FLAGS.qualities[0])
    ways = {
        f"{number} threads": {"processes": 1, "workers": int(number)}
        for number in FLAGS.threads
    }
    if FLAGS.processes:
        ways |= {
            f"{number} processes": {"processes": int(number), "workers": 1}
            for number in FLAGS.threads
            if int(number) > 1
        }
    rates = {name: [] for name in ways}
    for _ in range(FLAGS.repeats):
        for name, options in ways.items():
            begun = time.perf_counter()
            rates[name].append(one_round(source, quality=quality, **options))
            seconds = time.perf_counter() - begun
            print(f"  {name}: {rates[name][-1]}, {seconds:.0f} s", flush=True)
    for name, found in rates.items():
        clock, core, _ = map(statistics.median, zip(*found, strict=True))
        print(
            f"{name}: {clock:.0f} images/s, {core:.0f} images/s per core; "
            f"{OFFICIAL:,} images take {OFFICIAL / core / 3600:.1f} hours of a "
            f"core (median of {len(found)})"
        )


def tell_sizes(source):
    """Bytes of an image, and what JPEG changes in it, in grey levels."""
    import tensorflow as tf

    from keras_alexnet.data.image_records import read_bytes
    from keras_alexnet.data.imagenet_index import index_imagenet
    from keras_alexnet.data.images import decode
    from keras_alexnet.data.images import resize_and_crop
    from keras_alexnet.data.images import scale_shorter_side

    examples = index_imagenet(source, 2012, None).splits["validation"]
    for name, scale in (
        ("whole", scale_shorter_side),
        ("square", resize_and_crop),
    ):
        images = [
            scale(decode(tf.constant(read_bytes(example)), example.name), 256)
            for example in examples[: FLAGS.sizes_of]
        ]
        for quality in map(int, FLAGS.qualities):
            stored = [tf.io.encode_jpeg(x, quality=quality) for x in images]
            changes = [
                tf.abs(
                    tf.cast(tf.io.decode_jpeg(s), "int32") - tf.cast(x, "int32")
                )
                for s, x in zip(stored, images, strict=True)
            ]
            change = statistics.mean(
                float(tf.reduce_mean(tf.cast(x, "float32"))) for x in changes
            )
            print(
                f"{name}, quality {quality}: {_size(stored)}, {change:.2f} off"
            )
        print(f"{name}, PNG: {_size([tf.io.encode_png(x) for x in images])}")


def _size(stored):
    each = statistics.mean(len(x.numpy()) for x in stored)
    return f"{each / 1e3:.1f} kB each, {OFFICIAL * each / 1e9:.0f} GB in all"


if __name__ == "__main__":
    app.run(main)
