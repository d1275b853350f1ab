"""The input pipeline against the training step that it feeds.

    python benchmarks/data.py --dataset=imagenette/160px-v2 [--repeats=5]

Images per second of `TrainingData` alone, with and without decoded images in
memory, and what a thousand images cost in CPU seconds; then the training
step's rate, and the ratio. The pipeline runs while the step does, so it must
be several times as fast and cost little.

    python benchmarks/data.py --records=1281167

writes that many small records of 1,000 classes into a temporary folder (1.3 GB
of disk for ImageNet's number), opens them twice, each time in a new process,
and states seconds, CPU seconds and memory.
"""

import os
import statistics
import time

# As in examples/train.py.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")

from absl import app
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_string("dataset", "digits", "As of examples/train.py.")
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
flags.DEFINE_integer("input_size", 227, "Pixels.")
flags.DEFINE_integer("batch_size", 128, "Images.")
flags.DEFINE_integer("batches", 16, "Batches per round, at most.")
flags.DEFINE_integer("repeats", 5, "Counted rounds, after a whole epoch.")
flags.DEFINE_bool("step", True, "Time the training step, too.")
flags.DEFINE_integer("records", None, "Open this many small records instead.")
flags.DEFINE_enum(
    "mixed_precision", None, ["float16", "bfloat16"], "Of the training step."
)


def one_round(data, epoch):
    """Seconds and CPU seconds per image, the start included; the images."""
    data.seek(epoch)
    start, cpu = time.perf_counter(), time.process_time()
    count = sum(len(labels) for _, labels in data.dataset.take(FLAGS.batches))
    return (
        (time.perf_counter() - start) / count,
        (time.process_time() - cpu) / count,
        count,
    )


def step_seconds(source, data):
    """Seconds per image of `train_on_batch` on one batch."""
    import keras

    from keras_alexnet import AlexNet

    if FLAGS.mixed_precision:
        keras.config.set_dtype_policy(f"mixed_{FLAGS.mixed_precision}")
    model = AlexNet(
        input_shape=(FLAGS.input_size, FLAGS.input_size, 3),
        classes=len(source.class_names),
        include_preprocessing=True,
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    images, labels = next(iter(data.dataset))
    seconds = []
    for _ in range(FLAGS.repeats + 1):
        start = time.perf_counter()
        model.train_on_batch(images, labels)
        seconds.append((time.perf_counter() - start) / len(labels))
    return statistics.median(seconds[1:])


def main(_):
    from data_records import measure_records
    from timing import machine

    from keras_alexnet.data import TrainingData
    from keras_alexnet.data import load_source

    if FLAGS.records:
        print(machine())
        measure_records(FLAGS.records)
        return
    source = load_source(FLAGS.dataset, FLAGS.data_dir)
    contestants = {
        name: TrainingData(
            source,
            input_size=FLAGS.input_size,
            batch_size=FLAGS.batch_size,
            cache=cache,
        )
        for name, cache in (("no cache", None), ('cache="memory"', "memory"))
    }
    # An image is examined, and decoded whole, when it is met first.
    for data in contestants.values():
        data.seek(0)
        for _ in data.dataset:
            pass
    rounds = {name: [] for name in contestants}
    for epoch in range(1, FLAGS.repeats + 1):
        for name, data in contestants.items():
            rounds[name].append(one_round(data, epoch))
    print(machine())
    step = step_seconds(source, data) if FLAGS.step else None
    if step:
        print(f"training step: {1 / step:.1f} images/s")
    for name, times in rounds.items():
        wall, cpu, images = map(statistics.median, zip(*times, strict=True))
        ratio = f", {step / wall:.1f}x the step" if step else ""
        print(
            f"{name}: {1 / wall:.0f} images/s, {1000 * cpu:.2f} CPU seconds "
            f"per 1000 images{ratio} (median of n = {FLAGS.repeats} rounds of "
            f"{images:.0f} images)"
        )


if __name__ == "__main__":
    app.run(main)
