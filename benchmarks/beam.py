"""What `extract.py` costs with and without Apache Beam.

    python benchmarks/beam.py --images=512 --weights=net.keras

Makes a folder of pictures of 500 x 375 pixels, and runs `examples/extract.py`
on it in each way, in turns: without Beam, and with its DirectRunner of each
number of processes. It compares the rows, and prints the time on the clock and
the CPU time of all processes, which other work on the machine changes less.
Starting Python and TensorFlow, and loading the network, are counted: they are
what each worker pays before its first image.
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from absl import app
from absl import flags

FLAGS = flags.FLAGS
flags.DEFINE_integer("images", 512, "Pictures.", lower_bound=1)
flags.DEFINE_string("weights", None, "As of extract.py.", required=True)
flags.DEFINE_string("layer", "fc7", "As of extract.py.")
flags.DEFINE_integer("shards", 8, "Files of features.", lower_bound=1)
flags.DEFINE_list("processes", ["1", "2"], "Numbers of workers to compare.")
flags.DEFINE_integer("repeats", 1, "Rounds.", lower_bound=1)

ROOT = pathlib.Path(__file__).parents[1]


def write_pictures(folder):
    from PIL import Image

    rng = np.random.default_rng(0)
    for number in range(FLAGS.images):
        small = rng.integers(0, 256, (12, 16, 3), "uint8")
        large = Image.fromarray(small).resize((500, 375), Image.BICUBIC)
        large.save(folder / f"{number:06d}.jpg", quality=95)


def timed(*arguments):
    """Seconds on the clock, and of CPU time, of the example."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [
            sys.executable,
            ROOT / "examples" / "extract.py",
            f"--weights={FLAGS.weights}",
            f"--layer={FLAGS.layer}",
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu


def rows(files):
    from pyarrow import parquet

    tables = [parquet.read_table(file)["features"] for file in sorted(files)]
    return np.concatenate([np.array(table.to_pylist()) for table in tables])


def main(_):
    took = {}
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "pictures").mkdir()
        write_pictures(scratch / "pictures")
        for repeat in range(FLAGS.repeats):
            for count in ("0", *FLAGS.processes):
                output = scratch / f"{count}-{repeat}" / "features.parquet"
                output.parent.mkdir()
                flags_of_beam = [
                    f"--shards={FLAGS.shards}",
                    "--runner=DirectRunner",
                    "--",
                    "--direct_running_mode=multi_processing",
                    f"--direct_num_workers={count}",
                ]
                took.setdefault(count, []).append(
                    timed(
                        scratch / "pictures",
                        f"--output={output}",
                        *(flags_of_beam if count != "0" else ()),
                    )
                )
        first = rows(scratch.glob("0-0/*.parquet"))
        for count in FLAGS.processes:
            other = rows(scratch.glob(f"{count}-0/*.parquet"))
            equal = np.array_equal(first, other)
            print(f"{count} processes: rows are equal: {equal}")
    for count, times in took.items():
        clock, cpu = (statistics.median(x) for x in zip(*times, strict=True))
        what = f"Beam, {count} processes" if count != "0" else "without Beam"
        print(
            f"{what}: {clock:.0f} s on the clock, {cpu:.0f} s of CPU time, "
            f"{FLAGS.images} images, n = {len(times)}"
        )


if __name__ == "__main__":
    app.run(main)
