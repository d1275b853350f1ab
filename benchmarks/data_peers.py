"""The input pipeline beside others, on the same JPEG files in the same run.

    python benchmarks/data_peers.py [--images=500] [--copies=8] [--repeats=5]

Images per second, and CPU seconds per thousand images, of `TrainingData` with
and without color noise, `image_dataset_from_directory` of Keras (whole images,
nothing random), PyTorch's `DataLoader` with Pillow (random crops and flips),
and the limit: TensorFlow reading the same files and decoding one crop of each.
The files have 256 x 256 pixels at quality 95, the crops 224. A round is three
epochs. The first epoch, in which `TrainingData` examines each file, is stated
apart. TensorFlow prepares the graph of a pipeline anew in each epoch, however
long: short epochs show what that costs, and long ones what an image costs.
"""

import io
import multiprocessing
import os
import pathlib
import statistics
import tempfile
import time

# As in examples/train.py.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")

import numpy as np
from absl import app
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("images", 1000, "JPEG files.")
flags.DEFINE_integer("copies", 1, "Links to each: longer epochs of the same.")
flags.DEFINE_integer("batch_size", 128, "Images.")
flags.DEFINE_integer("repeats", 5, "Counted rounds, after one that is not.")
flags.DEFINE_integer("epochs", 3, "Epochs of a round.")

SIDE, CROP = 256, 224


def write_files(folder):
    """JPEG files of waves and grain, of the size that photos have."""
    from PIL import Image

    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    sizes = []
    for number in range(FLAGS.images):
        rng = np.random.default_rng(number)
        waves = [
            60 * np.sin(a * x + b * y + c) + 30 * np.sin(17 * a * b * x * y)
            for a, b, c in rng.uniform(1, 25, (3, 3))
        ]
        pixels = 127 + np.stack(waves, -1) + rng.normal(0, 8, (SIDE, SIDE, 1))
        image = Image.fromarray(pixels.clip(0, 255).astype("uint8"))
        path = folder / "train" / str(number % 10) / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=95)
        path.write_bytes(file.getvalue())
        for copy in range(1, FLAGS.copies):
            os.link(path, path.with_name(f"{number}-{copy}.jpg"))
        sizes.append(len(file.getvalue()))
    return sorted(folder.glob("train/*/*.jpg")), statistics.mean(sizes)


def training_data(source, color):
    from keras_alexnet.data import TrainingData

    data = TrainingData(
        source, input_size=CROP, batch_size=FLAGS.batch_size, color=color
    )
    return data.dataset


def keras_directory(folder):
    import keras

    return keras.utils.image_dataset_from_directory(
        folder / "train",
        image_size=(SIDE, SIDE),
        batch_size=FLAGS.batch_size,
        seed=0,
        verbose=False,
    )


def crops_alone(paths):
    import tensorflow as tf

    from keras_alexnet.autotuning import parallel_calls

    def read(path):
        window = [16, 16, CROP, CROP]
        encoded = tf.io.read_file(path)
        return tf.io.decode_and_crop_jpeg(encoded, window, channels=3), 0

    files = tf.data.Dataset.from_tensor_slices(list(map(str, paths)))
    images = files.map(read, num_parallel_calls=parallel_calls())
    return images.batch(FLAGS.batch_size).prefetch(2)


class Files:
    """What a `DataLoader` reads: a random crop of each file, half mirrored."""

    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        import torch
        from PIL import Image

        image = np.asarray(Image.open(self.paths[index]).convert("RGB"))
        top, left, flip = torch.randint(SIDE - CROP + 1, (3,)).tolist()
        image = image[top : top + CROP, left : left + CROP]
        image = image[:, ::-1] if flip % 2 else image
        image = torch.from_numpy(np.ascontiguousarray(image))
        return image.permute(2, 0, 1).float(), index % 10


def torch_loader(paths):
    import torch

    from keras_alexnet.autotuning import parallel_calls

    return torch.utils.data.DataLoader(
        Files(paths),
        batch_size=FLAGS.batch_size,
        shuffle=True,
        num_workers=parallel_calls(),
        # TensorFlow's threads do not survive a fork.
        multiprocessing_context="forkserver",
        persistent_workers=True,
    )


def cpu_seconds():
    """Of this process and of the workers that a `DataLoader` has started."""
    ticks = 0
    for worker in multiprocessing.active_children():
        stat = pathlib.Path(f"/proc/{worker.pid}/stat").read_text()
        ticks += sum(map(int, stat.rsplit(")")[-1].split()[11:13]))
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def one_round(batches, epochs):
    """Seconds and CPU seconds per image."""
    start, cpu = time.perf_counter(), cpu_seconds()
    count = sum(len(labels) for _ in range(epochs) for _, labels in batches)
    return (
        (time.perf_counter() - start) / count,
        (cpu_seconds() - cpu) / count,
    )


def main(_):
    from timing import machine
    from timing import restart_with_tcmalloc

    restart_with_tcmalloc()
    from keras_alexnet.data import load_source

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        paths, size = write_files(folder)
        source = load_source(folder)
        contestants = {
            "TrainingData": training_data(source, True),
            "TrainingData, color=False": training_data(source, False),
            "image_dataset_from_directory": keras_directory(folder),
            "decode_and_crop_jpeg alone": crops_alone(paths),
            "torch DataLoader, Pillow": torch_loader(paths),
        }
        rounds = {
            name: [one_round(batches, 1)]
            for name, batches in contestants.items()
        }
        for _ in range(FLAGS.repeats):
            for name, batches in contestants.items():
                rounds[name].append(one_round(batches, FLAGS.epochs))
    print(
        f"{machine()}\n{len(paths)} JPEG files of {SIDE}x{SIDE} pixels, "
        f"{size / 1000:.1f} kB each; median of n = {FLAGS.repeats} rounds of "
        f"{FLAGS.epochs} epochs, batches of {FLAGS.batch_size}"
    )
    for name, times in rounds.items():
        wall, cpu = map(statistics.median, zip(*times[1:], strict=True))
        print(
            f"{name:30} {1 / wall:7.0f} images/s, {1000 * cpu:.3f} CPU seconds "
            f"per 1000 images (first epoch: {1 / times[0][0]:.0f} images/s, "
            f"{1000 * times[0][1]:.3f})"
        )


if __name__ == "__main__":
    app.run(main)
