"""What the preflight costs, against the training step that it precedes.

python benchmarks/preflight.py --dataset=imagenette/160px-v2

The network is the paper's at its own size. CPU seconds are those of all
cores together; they are what counts where others use the machine, too.
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
flags.DEFINE_integer("batch_size", 128, "Images.")
flags.DEFINE_integer("repeats", 3, "Counted rounds, after one that is not.")


def timed(function):
    """Medians of seconds and of CPU seconds, over the counted rounds."""
    found = []
    for _ in range(FLAGS.repeats + 1):
        start = time.perf_counter(), time.process_time()
        function()
        found.append(
            (
                time.perf_counter() - start[0],
                time.process_time() - start[1],
            )
        )
    seconds, cpu = zip(*found[1:], strict=True)
    return statistics.median(seconds), statistics.median(cpu)


def main(_):
    from keras_alexnet import AlexNet
    from keras_alexnet.data import TrainingData
    from keras_alexnet.data import load_source
    from keras_alexnet.preflight import check

    source = load_source(FLAGS.dataset, FLAGS.data_dir)
    data = TrainingData(source, batch_size=FLAGS.batch_size)
    model = AlexNet(classes=len(source.class_names), include_preprocessing=True)
    model.compile("sgd", "sparse_categorical_crossentropy")
    images, labels = next(iter(data.dataset))
    for name, function in (
        ("preflight", lambda: check(model, data)),
        ("without duplicates", lambda: check(model, data, examples=0)),
        ("training step", lambda: model.train_on_batch(images, labels)),
    ):
        seconds, cpu = timed(function)
        print(
            f"{name}: {seconds:.2f} s, {cpu:.2f} CPU s (median of n = "
            f"{FLAGS.repeats}, batch {FLAGS.batch_size})",
            flush=True,
        )


if __name__ == "__main__":
    app.run(main)
