"""Searches k, n, alpha, beta of LRN and its place, or the connectivity.

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

import logging
import os
import pathlib

os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras_tuner
import shared_flags
from absl import app
from absl import flags

from keras_alexnet.models import difference
from keras_alexnet.studies import Experiment
from keras_alexnet.tuning import ConnectivityHyperModel
from keras_alexnet.tuning import LRNHyperModel
from keras_alexnet.tuning import SearchResults
from keras_alexnet.tuning import try_first
from keras_alexnet.visualization import plot_search

# What the flags mean for the digits, where they are not given.
DIGITS = {**shared_flags.DIGITS, "input_size": 48, "width": 0.125, "epochs": 4}

FLAGS = flags.FLAGS
shared_flags.define_source()
shared_flags.define_holdout(0.2, "to judge by.")
shared_flags.define_architecture("What is tuned.", DIGITS)
shared_flags.define_width(DIGITS)
shared_flags.define_recipe(DIGITS)
shared_flags.define_mixed_precision()
shared_flags.define_output("runs/tune_lrn")
flags.DEFINE_enum("space", "lrn", ["lrn", "connectivity"], "What is tuned.")
flags.DEFINE_enum(
    "tuner",
    "bayesian",
    ["random", "bayesian", "hyperband", "grid"],
    "Which tuner proposes the values.",
)
flags.DEFINE_integer(
    "trials",
    14,
    "Trials, the author's included; hyperband has its own.",
    lower_bound=1,
)
flags.DEFINE_integer("seeds", 2, "Networks to train per trial.", lower_bound=1)

TUNERS = {
    "random": keras_tuner.RandomSearch,
    "bayesian": keras_tuner.BayesianOptimization,
    "hyperband": keras_tuner.Hyperband,
    "grid": keras_tuner.GridSearch,
}


def main(_):
    # TensorFlow warns of every function that it traces again, and each new
    # network needs that.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    shared_flags.set_precision()
    output = pathlib.Path(FLAGS.output)
    recipe = shared_flags.recipe(DIGITS)
    architecture = shared_flags.architecture(DIGITS)

    experiment = Experiment(
        shared_flags.source(),
        output,
        input_size=shared_flags.input_size(architecture, DIGITS),
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
    print(results)
    best = results.best_architecture()
    print(f"Best:\n{difference(architecture, best) or 'as it was'}")
    print(f"Saved {output}/trials.csv, best.json, search.json, tensorboard")
    # Last: where all trials were stopped there is none.
    picture = plot_search(
        results.rows,
        results.names,
        output / "search.png",
        results.logarithmic,
    )
    print(f"Saved {picture}")


if __name__ == "__main__":
    app.run(main)
