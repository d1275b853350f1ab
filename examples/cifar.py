"""The paper's small experiments on CIFAR-10, each with several seeds.

    python examples/cifar.py --study=figure_1 --data_dir=../shared/tfds

Studies: "figure_1", how much faster a network with ReLUs learns than one with
tanh; "lrn", the 11 % net with and without its two norms, and with batch
normalization in their place.

Each network that is trained leaves a small file in `--results`. What is there
is not trained again, and a run that was interrupted goes on from its last
epoch. `--tables` trains nothing and prints the tables of what is there.
"""

import dataclasses
import json
import logging
import os
import pathlib

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import app
from absl import flags

from keras_alexnet.data import load_source
from keras_alexnet.models import cifar_presets as networks
from keras_alexnet.studies import Experiment
from keras_alexnet.training import cifar_recipes as recipes
from keras_alexnet.training.callbacks import StopBelow

FLAGS = flags.FLAGS
flags.DEFINE_enum("study", "figure_1", ["figure_1", "lrn"], "What is run.")
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
flags.DEFINE_integer("seeds", 3, "Networks of each kind.")
flags.DEFINE_integer("epochs", None, "In place of the study's own.")
flags.DEFINE_bool("tables", False, "Only print what the results say.")
flags.DEFINE_string("output", "runs/cifar", "Folder of backups; not small.")
flags.DEFINE_string("results", "docs/results/cifar", "Folder of results.")

# Training error that Figure 1 asks for.
TARGET = 0.25
# Seeds of the search for learning rates; the comparison has its own.
SEARCH_SEED = 100


def train(name, architecture, recipe, seed, source, split="test", callbacks=()):
    """One network, unless its result is there; returns what is in its file."""
    folder = pathlib.Path(FLAGS.results) / FLAGS.study
    path = folder / f"{name}-seed{seed}.json"
    if path.exists():
        return json.loads(path.read_text())
    experiment = Experiment(
        source,
        pathlib.Path(FLAGS.output) / FLAGS.study,
        architecture.input_size,
        split,
        "ten" if recipe.crop == "random" else "center",
        cache=pathlib.Path(FLAGS.output) / "images",
    )
    run = experiment.run(architecture, recipe, seed, callbacks, verbose=2)
    result = {
        "name": name,
        "architecture": architecture.name,
        "recipe": dataclasses.asdict(recipe),
        "judged": str(experiment),
        **dataclasses.asdict(run),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1))
    print(f"{name}, seed {seed}: {run.top1_error}", flush=True)
    return result


def figure_1():
    whole = load_source("cifar10", FLAGS.data_dir)
    part = load_source("cifar10", FLAGS.data_dir, holdout=0.2)
    chosen = {}
    for activation in ("relu", "tanh"):
        network = dataclasses.replace(networks.FIGURE_1, activation=activation)
        rate = best_rate(activation, network, part)
        print(f"{activation}: rate {rate:g}", flush=True)
        recipe = dataclasses.replace(recipes.FIGURE_1, learning_rate=rate)
        chosen[activation] = network, recipe
    for seed in range(FLAGS.seeds):
        for activation, (network, recipe) in chosen.items():
            stop = StopBelow("top1_error", TARGET)
            train(activation, network, recipe, seed, whole, callbacks=[stop])


def best_rate(activation, network, source, epochs=2):
    """The power of two times 0.001 after which held-out error is least."""
    found = {}

    def error(power):
        if power not in found:
            rate = recipes.FIGURE_1.learning_rate * 2.0**power
            recipe = dataclasses.replace(
                recipes.FIGURE_1, learning_rate=rate, epochs=epochs
            )
            run = train(
                f"search-{activation}-{rate:g}",
                network,
                recipe,
                SEARCH_SEED,
                source,
                split="holdout",
            )
            found[power] = (
                1.0 if run["top1_error"] is None else run["top1_error"]
            )
        return found[power]

    best = 0
    while True:
        around = min((best - 1, best, best + 1), key=error)
        if around == best:
            return recipes.FIGURE_1.learning_rate * 2.0**best
        best = around


def main(_):
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    {"figure_1": figure_1}[FLAGS.study]()


if __name__ == "__main__":
    app.run(main)
