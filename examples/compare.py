"""AlexNet and its successors in one table, and does LRN help the later ones?

    python examples/compare.py

counts the parameters, multiply-adds and activations of all networks of the
family, keras.applications' ResNet50 included, measures their latency and
throughput on this machine, and prints them beside the errors that were
published. Two studies train:

    python examples/compare.py --study=accuracy --data_dir=../shared/tfds
    python examples/compare.py --study=norms --data_dir=../shared/tfds

"accuracy": narrow networks of each kind, by one recipe and for as many epochs,
on small images of Imagenette. "norms": VGG's A and A-LRN, and GoogLeNet with
and without its two norms, on CIFAR-10; what those norms cost in time and
memory at 224 pixels is measured by

    python examples/compare.py --study=norm_cost

Each measurement and each network that is trained leaves a small file in
`--results`. What is there is not done again, and a training that was
interrupted goes on from its last epoch. `--tables` does nothing new: it prints,
and keeps as CSV and as pictures, what the files say.
"""

import dataclasses
import json
import logging
import os
import pathlib
import statistics
import time

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
from absl import app
from absl import flags

from keras_alexnet import models
from keras_alexnet.csv_table import write_csv
from keras_alexnet.data import load_source
from keras_alexnet.disk import replacing
from keras_alexnet.report import hardware
from keras_alexnet.studies import FAMILY
from keras_alexnet.studies import Experiment
from keras_alexnet.studies import compare_results
from keras_alexnet.studies import measure
from keras_alexnet.studies import read_results
from keras_alexnet.studies import time_ratios
from keras_alexnet.studies import with_training_share
from keras_alexnet.training import SMALL_DATA_RECIPE
from keras_alexnet.visualization import plot_tradeoff

NAMES = [member.name for member in FAMILY]

FLAGS = flags.FLAGS
flags.DEFINE_enum(
    "study",
    "cost",
    ["cost", "norm_cost", "accuracy", "norms"],
    "What is done.",
)
flags.DEFINE_multi_enum(
    "networks", None, NAMES, "Of which networks; by default of all."
)
flags.DEFINE_string(
    "dataset", None, "By default Imagenette; CIFAR-10 for --study=norms."
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
flags.DEFINE_integer("seeds", 3, "Networks of each kind.", lower_bound=1)
flags.DEFINE_integer("epochs", 10, "Of each training.", lower_bound=1)
flags.DEFINE_float("width", 0.25, "Factor of all widths.", lower_bound=0.01)
flags.DEFINE_float("share", 1.0, "Share of the training images.", 0.001, 1.0)
flags.DEFINE_integer(
    "input_size", None, "Pixels; 64, or 32 for --study=norms.", lower_bound=8
)
flags.DEFINE_integer("batch_size", 64, "Of each training.", lower_bound=1)
flags.DEFINE_integer("repeats", 5, "Predictions timed.", lower_bound=1)
flags.DEFINE_bool("tables", False, "Only print what the results say.")
flags.DEFINE_string("output", "runs/compare", "Folder of backups; not small.")
flags.DEFINE_string("results", "docs/results/family", "Folder of results.")

# keras.applications' network has no architecture that `train` could prepare.
UNTRAINED = {"resnet50": "not run"}


def folder():
    """What changes a training is in the name, unless it is the default."""
    if FLAGS.study in ("cost", "norm_cost"):
        return pathlib.Path(FLAGS.results) / FLAGS.study
    name = f"{FLAGS.study}-{input_size()}px-width{FLAGS.width:g}"
    name += f"-share{FLAGS.share:g}-{FLAGS.epochs}epochs"
    if FLAGS.batch_size != FLAGS["batch_size"].default:
        name += f"-batch{FLAGS.batch_size}"
    if FLAGS.dataset:
        name += f"-{FLAGS.dataset.strip('/').replace('/', '-')}"
    return pathlib.Path(FLAGS.results) / name


def input_size():
    """Pixels per side of the crops of a training."""
    return FLAGS.input_size or (32 if FLAGS.study == "norms" else 64)


def keep(name, result, seed=0):
    """Writes a result in full, or not at all."""
    result = {"name": name, "seed": seed, "hardware": hardware(), **result}
    with replacing(folder() / f"{name}-seed{seed}.json") as temporary:
        pathlib.Path(temporary).write_text(json.dumps(result, indent=1))


def chosen():
    """The members of the family that the flags name."""
    return [m for m in FAMILY if m.name in (FLAGS.networks or NAMES)]


def measure_costs():
    done = read_results(folder())
    for member in chosen():
        if member.name in done:
            continue
        keras.backend.clear_session()
        keep(member.name, measure(member.build(), repeats=FLAGS.repeats))
        print(f"{member.name}: measured", flush=True)


# Two networks each, without and with norms.
NORMS = {
    "vgg": (models.VGG_A, models.VGG_A_LRN),
    "googlenet": (
        dataclasses.replace(models.GOOGLENET, norms=()),
        models.GOOGLENET,
    ),
}


def measure_norms():
    done = read_results(folder())
    wanted = {member.name for member in chosen()}
    for name, networks in NORMS.items():
        if name in done or wanted.isdisjoint(n.name for n in networks):
            continue
        keras.backend.clear_session()
        plain, normed = map(models.build_network, networks)
        keep(
            name,
            {
                "ratios": time_ratios(plain, normed, repeats=FLAGS.repeats),
                "activation_bytes": [
                    models.activation_bytes(model) for model in (plain, normed)
                ],
            },
        )


def print_norms():
    for name, runs in read_results(folder()).items():
        ratios = sorted(runs[0]["ratios"])
        plain, normed = runs[0]["activation_bytes"]
        print(
            f"{name:10} with norms takes {statistics.median(ratios):.2f} "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f}, n = {len(ratios)}) times "
            f"as long, and {normed / 1e6:.1f} MB per image in place of "
            f"{plain / 1e6:.1f}"
        )


def small(architecture):
    """A narrow network for small images."""
    architecture = models.with_width(architecture, FLAGS.width)
    if isinstance(architecture, models.InceptionArchitecture):
        # Images so small leave no map for the auxiliary classifiers; at a
        # stride of 2 CIFAR's would leave one pixel to the last modules.
        stride = 1 if input_size() < 64 else 2
        architecture = dataclasses.replace(
            architecture, stem_stride=stride, auxiliary_after=()
        )
    return SMALL_DATA_RECIPE.prepare(architecture)


def contestants():
    """Dict of a name to what is trained under it."""
    if FLAGS.study == "norms":
        names = ("A", "A-LRN", "GoogLeNet without norms", "GoogLeNet")
        networks = (*NORMS["vgg"], *NORMS["googlenet"])
        wanted = [member.name for member in chosen()]
        found = {
            name: network
            for name, network in zip(names, networks, strict=True)
            if network.name in wanted
        }
    else:
        found = {
            member.name: models.resolve_architecture(member.name)
            for member in chosen()
            if member.name not in UNTRAINED
        }
    return {name: small(network) for name, network in found.items()}


def train_all():
    default = "cifar10" if FLAGS.study == "norms" else "imagenette/160px-v2"
    source = load_source(FLAGS.dataset or default, FLAGS.data_dir)
    output = pathlib.Path(FLAGS.output)
    experiment = Experiment(
        source,
        output,
        input_size=input_size(),
        split="test",
        cache=output / "images",
    )
    recipe = dataclasses.replace(
        SMALL_DATA_RECIPE, epochs=FLAGS.epochs, batch_size=FLAGS.batch_size
    )
    # All networks with the first seed before any with the second.
    for seed in range(FLAGS.seeds):
        for name, architecture in contestants().items():
            if seed in read_results(folder()).get(name, {}):
                continue
            start = time.monotonic()
            part = with_training_share(experiment, FLAGS.share, seed)
            run = part.run(architecture, recipe, seed)
            network = experiment.network(architecture)
            keep(
                name,
                {
                    "top1_error": run.top1_error,
                    "n": run.n,
                    "status": run.status,
                    "seconds": time.monotonic() - start,
                    "multiply_adds": sum(
                        models.multiply_adds(network).values()
                    ),
                    "activation_bytes": models.activation_bytes(network),
                    "epochs": FLAGS.epochs,
                    "history": run.history,
                },
                seed,
            )
            print(f"{name}, seed {seed}: {run.top1_error}", flush=True)


def print_costs():
    results = read_results(folder())
    print(
        f"{'':14}{'million':>10}{'G mult-':>9}{'MB per':>8}{'MB of':>8}"
        f"{'ms':>9}{'images':>9}  reported top-1/5 error\n"
        f"{'':14}{'params':>10}{'adds':>9}{'image':>8}{'file':>8}"
        f"{'':>9}{'per s':>9}"
    )
    rows = []
    for member in FAMILY:
        if member.name not in results:
            print(f"{member.name:14} not measured")
            continue
        found = results[member.name][0]
        print(
            f"{member.name:14}{found['parameters'] / 1e6:10.2f}"
            f"{found['multiply_adds'] / 1e9:9.3f}"
            f"{found['activation_bytes'] / 1e6:8.1f}"
            f"{found['file_bytes'] / 1e6:8.1f}"
            f"{1e3 * found['latency']:9.1f}{found['images_per_second']:9.1f}"
            f"  {member.top1_error}/{member.top5_error} {member.protocol} "
            f"({member.source})"
        )
        rows.append({**dataclasses.asdict(member), **found})
    if rows:
        write_csv(folder() / "table.csv", rows)
        points = {
            row["name"]: (row["multiply_adds"], row["top1_error"])
            for row in rows
        }
        plot_tradeoff(
            points,
            folder() / "reported.png",
            "multiply-adds of one image",
            "reported top-1 error (%), by different protocols",
        )


def print_errors():
    results = read_results(folder())
    pairs = [("A", ["A", "A-LRN"])]
    pairs.append(
        ("GoogLeNet without norms", ["GoogLeNet without norms", "GoogLeNet"])
    )
    if FLAGS.study == "accuracy":
        pairs = [("paper", NAMES)]
    rows = [
        row
        for baseline, names in pairs
        for row in compare_results(results, baseline, names)
    ]
    for row in rows:
        text = f"{row['name']:26} {row['error']:6.2f} % (n = {row['n']})"
        if row["difference"] is not None:
            text += (
                f", {row['difference']:+.2f} points "
                f"[{row['low']:+.2f}, {row['high']:+.2f}]"
            )
        seconds = [r["seconds"] for r in results[row["name"]].values()]
        row["seconds"] = sum(seconds) / len(seconds)
        row["activation_bytes"] = next(iter(results[row["name"]].values()))[
            "activation_bytes"
        ]
        print(f"{text}, {row['activation_bytes'] / 1e6:.2f} MB per image")
    for name in NAMES if FLAGS.study == "accuracy" else ():
        if name not in results:
            print(f"{name:26} {UNTRAINED.get(name, 'not run')}")
    if not rows:
        print("No result is there yet.")
        return
    write_csv(folder() / "table.csv", rows)
    if FLAGS.study == "accuracy":
        points = {}
        for row in rows:
            runs = results[row["name"]]
            cost = next(iter(runs.values()))["multiply_adds"]
            errors = [100 * run["top1_error"] for run in runs.values()]
            points[row["name"]] = (cost, row["error"], min(errors), max(errors))
        plot_tradeoff(
            points,
            folder() / "accuracy.png",
            "multiply-adds of one image",
            "top-1 error (%), mean and range of the seeds",
        )


def main(_):
    # TensorFlow warns of every function that it traces again, and each new
    # network needs that.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if FLAGS.study == "cost":
        if not FLAGS.tables:
            measure_costs()
        print_costs()
    elif FLAGS.study == "norm_cost":
        if not FLAGS.tables:
            measure_norms()
        print_norms()
    else:
        if not FLAGS.tables:
            train_all()
        print_errors()


if __name__ == "__main__":
    app.run(main)
