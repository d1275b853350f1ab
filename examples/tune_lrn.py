"""Searches k, n, alpha, beta of LRN and where it stands, or the connectivity.

    python examples/tune_lrn.py

tries on handwritten digits, with a narrow network, what the author of the
network tried and then what a Gaussian process proposes: some minutes on two
cores. For a result that means something:

    python examples/tune_lrn.py --dataset=imagenette/160px-v2 --trials=60
    python examples/tune_lrn.py --dataset=cifar10 --input_size=64

A search that is interrupted goes on when it is started again with the same
`--output`. Several processes share one through KerasTuner's variables
KERASTUNER_TUNER_ID ("chief", "tuner0", …), KERASTUNER_ORACLE_IP and
KERASTUNER_ORACLE_PORT.
"""

import dataclasses
import logging
import os
import pathlib

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras_tuner
from absl import app
from absl import flags

from keras_alexnet.data import load_source
from keras_alexnet.models import with_width
from keras_alexnet.models.difference import difference
from keras_alexnet.models.presets import ARCHITECTURES
from keras_alexnet.models.presets import resolve_architecture
from keras_alexnet.studies import Experiment
from keras_alexnet.training import RECIPES
from keras_alexnet.training import resolve_recipe
from keras_alexnet.tuning import ConnectivityHyperModel
from keras_alexnet.tuning import LRNHyperModel
from keras_alexnet.tuning import SearchResults
from keras_alexnet.tuning import try_first
from keras_alexnet.visualization.studies import plot_search

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "dataset", "digits", '"digits", a TFDS name, or a folder of class folders.'
)
flags.DEFINE_string("data_dir", None, "Where TFDS keeps its data sets.")
flags.DEFINE_enum("space", "lrn", ["lrn", "connectivity"], "What is tuned.")
flags.DEFINE_enum(
    "tuner",
    "bayesian",
    ["random", "bayesian", "hyperband", "grid"],
    "Who proposes.",
)
flags.DEFINE_integer("trials", 14, "The author's included; not of hyperband.")
flags.DEFINE_integer("seeds", 2, "Networks per trial.")
flags.DEFINE_float("holdout", 0.2, "Share of the training set to judge by.")
flags.DEFINE_enum(
    "architecture", "paper", list(ARCHITECTURES), "What is tuned."
)
flags.DEFINE_enum("recipe", "small_data", list(RECIPES), "How it is trained.")
flags.DEFINE_float("width", None, "Of all layers; 1, or 0.125 for digits.")
flags.DEFINE_integer(
    "input_size", None, "Pixels; the architecture's, or 48 for digits."
)
flags.DEFINE_integer("epochs", None, "The recipe's, or 4 for digits.")
flags.DEFINE_integer("batch_size", None, "The recipe's, or 32 for digits.")
flags.DEFINE_bool("flip", None, "Mirror images; the recipe's, no for digits.")
flags.DEFINE_string("output", "runs/tune_lrn", "Folder for all that is saved.")

# Digits have no mirror images.
DIGITS = {"epochs": 4, "batch_size": 32, "flip": False}
TUNERS = {
    "random": keras_tuner.RandomSearch,
    "bayesian": keras_tuner.BayesianOptimization,
    "hyperband": keras_tuner.Hyperband,
    "grid": keras_tuner.GridSearch,
}


def main(_):
    # It warns of functions traced anew, which every network brings.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    output = pathlib.Path(FLAGS.output)
    digits = FLAGS.dataset == "digits"
    changes = dict(DIGITS) if digits else {}
    for name in ("epochs", "batch_size", "flip"):
        if FLAGS[name].value is not None:
            changes[name] = FLAGS[name].value
    recipe = dataclasses.replace(resolve_recipe(FLAGS.recipe), **changes)
    width = FLAGS.width or (0.125 if digits else 1.0)
    architecture = with_width(resolve_architecture(FLAGS.architecture), width)
    size = FLAGS.input_size or (48 if digits else architecture.input_size)

    experiment = Experiment(
        load_source(FLAGS.dataset, FLAGS.data_dir, holdout=FLAGS.holdout),
        output,
        input_size=size,
        cache=output / "images",
    )
    hypermodels = {"lrn": LRNHyperModel, "connectivity": ConnectivityHyperModel}
    hypermodel = hypermodels[FLAGS.space](
        experiment, architecture, recipe, seeds=range(FLAGS.seeds)
    )
    budget = (
        {"max_epochs": recipe.epochs}
        if FLAGS.tuner == "hyperband"
        else {"max_trials": FLAGS.trials}
    )
    tuner = TUNERS[FLAGS.tuner](
        hypermodel,
        hypermodel.objective,
        seed=1,
        directory=output,
        # Another data set or recipe is another search.
        project_name=f"{FLAGS.space}-{FLAGS.tuner}-{hypermodel.key}",
        # Go on however many fail one after the other.
        max_consecutive_failed_trials=10**6,
        **budget,
    )
    try_first(tuner, hypermodel.space.author_trials())
    tuner.search(verbose=0)
    if not hasattr(tuner.oracle, "trials"):
        return  # A worker; the chief has the results.

    results = SearchResults(tuner)
    results.save(output)
    plot_search(results.rows, results.names, output / "search.png")
    print(results)
    best = results.best_architecture()
    print(f"Best:\n{difference(architecture, best) or 'as it was'}")
    print(f"Saved {output}/trials.csv, search.json, tensorboard, search.png")


if __name__ == "__main__":
    app.run(main)
