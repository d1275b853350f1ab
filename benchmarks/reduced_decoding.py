"""JPEG decoding at half size against decoding in full, before images shrink.

    python benchmarks/reduced_decoding.py --dataset=imagenette/160px-v2

A JPEG decoder can give an image of half the size, or of a quarter, without
computing the rest. Where images shrink to half their size or less anyway, that
takes less time, and gives other pixels. For each image this states the CPU time
of both ways to `resize` x `resize` pixels, and how far apart the results are.
"""

import statistics
import time

from absl import app
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_string("dataset", "imagenette/160px-v2", "A set of JPEG files.")
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
flags.DEFINE_integer("images", 200, "Images of the test split.")
flags.DEFINE_integer("resize", 64, "Pixels of the shorter side afterwards.")
flags.DEFINE_integer("repeats", 5, "Times each image is decoded each way.")


def largest_ratio(encoded, resize):
    """The largest power of two that leaves the shorter side long enough."""
    import tensorflow as tf

    shorter = min(tf.io.extract_jpeg_shape(encoded)[:2].numpy())
    return max(r for r in (1, 2, 4, 8) if shorter >= r * resize)


def compare(encoded, ratio, resize):
    """Pixels of both ways, and the CPU seconds that they take."""
    import tensorflow as tf

    from keras_alexnet.data import resize_and_crop

    pixels, seconds = [], []
    for reduction in (1, ratio):
        taken = []
        for _ in range(FLAGS.repeats):
            start = time.process_time()
            image = tf.io.decode_jpeg(encoded, channels=3, ratio=reduction)
            image = resize_and_crop(image, resize)
            taken.append(time.process_time() - start)
        pixels.append(tf.cast(image, "int32").numpy())
        seconds.append(min(taken))
    return pixels, seconds


def main(_):
    import numpy as np
    import tensorflow as tf
    from timing import machine

    from keras_alexnet.data import load_source

    split = load_source(FLAGS.dataset, FLAGS.data_dir).split("test")
    mean, largest, times = [], [], []
    for number in range(min(FLAGS.images, split.count)):
        encoded = split.fetch(tf.constant(number, tf.int64))[0]
        ratio = largest_ratio(encoded, FLAGS.resize)
        if ratio == 1:
            continue
        (whole, reduced), seconds = compare(encoded, ratio, FLAGS.resize)
        difference = np.abs(whole - reduced)
        mean.append(difference.mean())
        largest.append(difference.max())
        times.append(seconds)
    if not times:
        raise app.UsageError(
            f"No image of {FLAGS.dataset} has a shorter side of "
            f"{2 * FLAGS.resize} pixels or more. Try a smaller --resize"
        )
    in_full, at_once = (
        1e3 * statistics.mean(x) for x in zip(*times, strict=True)
    )
    print(
        f"{machine()}\n{len(times)} images to {FLAGS.resize} pixels: "
        f"{in_full:.2f} ms of CPU in full, {at_once:.2f} ms reduced; they "
        f"differ by {statistics.mean(mean):.2f} of 255 in the mean, "
        f"{statistics.median(largest):.0f} at most in the median image, "
        f"{max(largest)} at most in all"
    )


if __name__ == "__main__":
    app.run(main)
