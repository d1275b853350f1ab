"""The paper's small experiments on CIFAR-10, each with several seeds.

    python examples/cifar.py --study=figure_1 --data_dir=../shared/tfds
    python examples/cifar.py --study=lrn --epochs=40
    python examples/cifar.py --study=augmentation --epochs=40
    python examples/cifar.py --study=winner --search=runs/tune_lrn/best.json

"figure_1": how many epochs a network with ReLUs and one with tanh need to
25 % training error. "lrn": the 11 % net without and with its two norms, and
with batch normalization in their place. "augmentation": the 19 % net without
and with crops and mirror images. "winner": what a search of `tune_lrn.py` has
found, beside the author's constants, from seeds that the search did not use,
by the recipe and at the size of the search.

Each network that is trained leaves a small file in `--results`. What is there
is not trained again, and a run that was interrupted goes on from its last
epoch. Several processes may share a study, except for Figure 1: each leaves
out what another one is training. `--tables` trains nothing: it prints, and
keeps as CSV and as a picture, what the files say.
"""

import dataclasses
import json
import logging
import os
import pathlib

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import filelock
import keras
from absl import app
from absl import flags

from keras_alexnet import models
from keras_alexnet.csv_table import write_csv
from keras_alexnet.data import load_source
from keras_alexnet.disk import replacing
from keras_alexnet.models import describe
from keras_alexnet.models import difference
from keras_alexnet.report import hardware
from keras_alexnet.studies import Experiment
from keras_alexnet.studies import compare_results
from keras_alexnet.studies import epochs_until
from keras_alexnet.studies import paired_ratio
from keras_alexnet.studies import read_results
from keras_alexnet.training import RECIPES
from keras_alexnet.training import Recipe
from keras_alexnet.training import StopBelow

STUDIES = ("figure_1", "lrn", "augmentation", "winner")

FLAGS = flags.FLAGS
flags.DEFINE_enum("study", "figure_1", STUDIES, "What is run.")
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
flags.DEFINE_integer("seeds", 3, "Networks of each kind.", lower_bound=1)
flags.DEFINE_integer(
    "epochs",
    None,
    "In place of the recipe's; its milestones scale. Not of figure_1.",
)
flags.DEFINE_list(
    "variants",
    None,
    "Those of a study that are trained; not of figure_1. Defaults to all.",
)
flags.DEFINE_string(
    "search", None, "The best.json of a search, for the study of its winner."
)
flags.DEFINE_bool("tables", False, "Only print what the results say.")
flags.DEFINE_string("output", "runs/cifar", "Folder of backups; not small.")
flags.DEFINE_string("results", "docs/results/cifar", "Folder of results.")

# Training error that Figure 1 asks for.
TARGET = 0.25
# Ten classes of equal size.
CHANCE = 0.9
# The seed of the search for learning rates; the comparison has its own.
SEARCH_SEED = 100
SEARCH_EPOCHS = 2
# The first seed of what `tune_lrn.py` has found.
WINNER_SEED = 1000


def results_folder():
    """Runs of other lengths are other results."""
    epochs = f"-{FLAGS.epochs}-epochs" if FLAGS.epochs else ""
    return pathlib.Path(FLAGS.results) / f"{FLAGS.study}{epochs}"


def train(name, architecture, recipe, seed, source, split="test", callbacks=()):
    """One network, unless its result is there; returns what is in its file."""
    path = results_folder() / f"{name}-seed{seed}.json"
    network = describe(architecture)
    kept = json.loads(path.read_text()) if path.exists() else {}
    # A run that failed may have lacked memory.
    if kept and kept.get("status") != "failed":
        # Another search has another winner.
        if kept.get("network", network) != network:
            refuse(path, "network")
        if FLAGS.study == "winner" and "recipe" in kept:
            if Recipe(**kept["recipe"]) != recipe:
                refuse(path, "recipe")
        return kept
    experiment = Experiment(
        source,
        pathlib.Path(FLAGS.output) / FLAGS.study,
        architecture.input_size,
        split,
        # A network that saw whole images is not asked about their corners.
        "ten" if recipe.crop == "random" else "center",
        cache=pathlib.Path(FLAGS.output) / "images",
    )
    run = experiment.run(architecture, recipe, seed, callbacks, verbose=2)
    result = {
        "name": name,
        "architecture": architecture.name,
        "network": network,
        "recipe": dataclasses.asdict(recipe),
        "judged": str(experiment),
        "hardware": hardware(),
        "software": f"Keras {keras.__version__}, {keras.backend.backend()}",
        **dataclasses.asdict(run),
    }
    with replacing(path) as temporary:
        pathlib.Path(temporary).write_text(json.dumps(result, indent=1))
    print(f"{name}, seed {seed}: {run.top1_error}", flush=True)
    return result


def refuse(path, what):
    raise app.UsageError(
        f"{path} is of another {what}. Name another --results."
    )


def figure_1():
    whole = load_source("cifar10", FLAGS.data_dir)
    part = load_source("cifar10", FLAGS.data_dir, holdout=0.2)
    chosen = {}
    for activation in ("relu", "tanh"):
        network = dataclasses.replace(models.FIGURE_1, activation=activation)
        rate = best_rate(activation, network, part)
        print(f"{activation}: rate {rate:g}", flush=True)
        recipe = dataclasses.replace(RECIPES["figure_1"], learning_rate=rate)
        chosen[activation] = network, recipe
    for seed in range(FLAGS.seeds):
        for activation, (network, recipe) in chosen.items():
            stop = StopBelow("top1_error", TARGET)
            train(activation, network, recipe, seed, whole, callbacks=[stop])


def best_rate(activation, network, source):
    """The power of two times 0.001 after which held-out error is least."""
    found = {}

    def error(power):
        if power not in found:
            rate = RECIPES["figure_1"].learning_rate * 2.0**power
            recipe = dataclasses.replace(
                RECIPES["figure_1"], learning_rate=rate, epochs=SEARCH_EPOCHS
            )
            name = f"search-{activation}-{rate:g}"
            run = train(name, network, recipe, SEARCH_SEED, source, "holdout")
            # It may have diverged.
            failed = run["top1_error"] is None
            found[power] = 1.0 if failed else run["top1_error"]
        return found[power]

    best = 0
    while True:
        around = min((best - 1, best, best + 1), key=error)
        if around == best:
            return RECIPES["figure_1"].learning_rate * 2.0**best
        best = around


def pairs(variants):
    """Trains each variant, a pair of network and recipe, with each seed."""
    unknown = set(FLAGS.variants or ()) - set(variants)
    if unknown:
        raise app.UsageError(
            f"--variants must be among {list(variants)}. "
            f"Received: {sorted(unknown)}"
        )
    # Runs of other lengths are other runs.
    locks = pathlib.Path(FLAGS.output) / results_folder().name / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    source = load_source("cifar10", FLAGS.data_dir)
    # The search's own seeds are those from 0 on.
    first = WINNER_SEED if FLAGS.study == "winner" else 0
    for seed in range(first, first + FLAGS.seeds):
        for name in FLAGS.variants or variants:
            network, recipe = variants[name]
            if FLAGS.epochs:
                recipe = dataclasses.replace(recipe, epochs=FLAGS.epochs)
            lock = filelock.FileLock(locks / f"{name}-seed{seed}", timeout=0)
            try:
                with lock:
                    train(name, network, recipe, seed, source)
            except filelock.Timeout:
                print(f"{name}, seed {seed}: another process trains it")


def lrn_variants():
    """Widths and decays of the 11 % net, in the proportions of the 13 % one's
    schedule, which is the shorter."""
    recipe = dataclasses.replace(
        RECIPES["cifar_11"],
        epochs=RECIPES["cifar_13"].epochs,
        milestones=RECIPES["cifar_13"].milestones,
    )
    batch = dataclasses.replace(models.CIFAR_11, normalization="batch")
    return {
        "no norm": (models.without_norms(models.CIFAR_11), recipe),
        "lrn": (models.CIFAR_11, recipe),
        "batch norm": (batch, recipe),
    }


def augmentation_variants():
    crops = dataclasses.replace(models.CIFAR_19, input_size=24)
    return {
        "whole images": (models.CIFAR_19, RECIPES["cifar_19"]),
        "crops and mirrors": (crops, RECIPES["cifar_19_crops"]),
    }


def winner_variants():
    """The network that was searched, and the best one."""
    if not FLAGS.search:
        raise app.UsageError("Name the best.json of a search by --search.")
    found = json.loads(pathlib.Path(FLAGS.search).read_text())
    author, best = (
        keras.saving.deserialize_keras_object(found[name])
        for name in ("searched", "best")
    )
    print(difference(author, best) or "The search has found what was there.")
    if "recipe" in found:
        recipe = Recipe(**found["recipe"])
        author, best = (
            dataclasses.replace(
                recipe.prepare(network), input_size=found["input_size"]
            )
            for network in (author, best)
        )
    elif author.name in RECIPES:
        # Searches of earlier versions did not keep it.
        recipe = RECIPES[author.name]
    else:
        raise app.UsageError(f"There is no recipe for {author.name!r}.")
    return {WINNER[0]: (author, recipe), WINNER[1]: (best, recipe)}


# Names of the variants, each with the function that makes them.
WINNER = ("the author's constants", "the search's winner")
NAMES = {
    "lrn": (("no norm", "lrn", "batch norm"), lrn_variants),
    "augmentation": (
        ("whole images", "crops and mirrors"),
        augmentation_variants,
    ),
    "winner": (WINNER, winner_variants),
}


def figure_1_rows(results):
    """Epochs to the target of each run, and a ratio with its interval."""
    rows, epochs = [], {}
    for activation in ("relu", "tanh"):
        for seed, run in results.get(activation, {}).items():
            errors = run["history"]["top1_error"]
            epochs[activation, seed] = epochs_until(errors, TARGET, CHANCE)
            rows.append(
                {
                    "activation": activation,
                    "seed": seed,
                    "learning_rate": run["recipe"]["learning_rate"],
                    "epochs_to_25_percent": epochs[activation, seed],
                    "seconds": run["seconds"],
                }
            )
    both = [
        (tanh, epochs.get(("relu", seed)))
        for (activation, seed), tanh in epochs.items()
        if activation == "tanh"
    ]
    both = [pair for pair in both if None not in pair]
    if both:
        r = paired_ratio(*zip(*both, strict=True))
        print(
            f"tanh needs {r.value:.2f} times the epochs ({r.low:.2f} to "
            f"{r.high:.2f}, n = {r.n} pairs; the paper says six)"
        )
    return rows


def draw_figure_1(results, path):
    """Solid is ReLU and dashed is tanh, as in the paper."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for activation, style in (("relu", "-"), ("tanh", "--")):
        for run in results.get(activation, {}).values():
            errors = [CHANCE, *run["history"]["top1_error"]]
            axes.plot(range(len(errors)), errors, f"k{style}")
    axes.axhline(TARGET, color="0.7", linewidth=0.8)
    axes.set_xlabel("epochs")
    axes.set_ylabel("training error rate")
    axes.set_ylim(0, CHANCE)
    axes.legend(
        handles=[
            axes.plot([], [], "k-", label="ReLU")[0],
            axes.plot([], [], "k--", label="tanh")[0],
        ],
        frameon=False,
    )
    figure.savefig(path, dpi=120)


def tables():
    folder = results_folder()
    results = read_results(folder)
    if FLAGS.study == "figure_1":
        rows = figure_1_rows(results)
    else:
        names, _ = NAMES[FLAGS.study]
        rows = compare_results(results, names[0], names)
    if not rows:
        print(f"No result in {folder}")
        return
    write_csv(folder / "table.csv", rows)
    print((folder / "table.csv").read_text())
    if FLAGS.study == "figure_1":
        draw_figure_1(results, folder / "figure_1.png")


def check_flags():
    """Refuses flags that a study does not have."""
    if FLAGS.study == "figure_1" and (FLAGS.epochs or FLAGS.variants):
        raise app.UsageError("--study=figure_1 has no --epochs or --variants.")
    if FLAGS.study != "winner" and FLAGS.search:
        raise app.UsageError("--search is of --study=winner.")


def main(_):
    check_flags()
    # It warns of functions traced anew, which every network brings.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if not FLAGS.tables and FLAGS.study == "figure_1":
        figure_1()
    elif not FLAGS.tables:
        _, variants = NAMES[FLAGS.study]
        pairs(variants())
    tables()


if __name__ == "__main__":
    app.run(main)
