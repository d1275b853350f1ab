"""Training: `train` from images to a network, and all that it is made of."""

from keras_alexnet.training.backup import ResumableBackup as ResumableBackup
from keras_alexnet.training.callbacks import DivergenceGuard as DivergenceGuard
from keras_alexnet.training.callbacks import EpochSeek as EpochSeek
from keras_alexnet.training.callbacks import KeepBest as KeepBest
from keras_alexnet.training.callbacks import StopBelow as StopBelow
from keras_alexnet.training.callbacks import Stopwatch as Stopwatch
from keras_alexnet.training.class_names import (
    write_class_names as write_class_names,
)
from keras_alexnet.training.family_recipes import (
    GOOGLENET_RECIPE as GOOGLENET_RECIPE,
)
from keras_alexnet.training.family_recipes import (
    VGG_JITTERED_RECIPE as VGG_JITTERED_RECIPE,
)
from keras_alexnet.training.family_recipes import VGG_RECIPE as VGG_RECIPE
from keras_alexnet.training.family_recipes import ZFNET_RECIPE as ZFNET_RECIPE
from keras_alexnet.training.fit import fit as fit
from keras_alexnet.training.fit import make_schedule as make_schedule
from keras_alexnet.training.losses import LabelCrossentropy as LabelCrossentropy
from keras_alexnet.training.metrics import TopKError as TopKError
from keras_alexnet.training.optimizer import AlexNetSGD as AlexNetSGD
from keras_alexnet.training.presets import CODE_2012_RECIPE as CODE_2012_RECIPE
from keras_alexnet.training.presets import (
    FINE_TUNING_RECIPE as FINE_TUNING_RECIPE,
)
from keras_alexnet.training.presets import PAPER_RECIPE as PAPER_RECIPE
from keras_alexnet.training.presets import RECIPES as RECIPES
from keras_alexnet.training.presets import (
    SMALL_DATA_RECIPE as SMALL_DATA_RECIPE,
)
from keras_alexnet.training.presets import resolve_recipe as resolve_recipe
from keras_alexnet.training.recipe import Recipe as Recipe
from keras_alexnet.training.schedules import AsRunSchedule as AsRunSchedule
from keras_alexnet.training.schedules import DivideOnPlateau as DivideOnPlateau
from keras_alexnet.training.schedules import (
    PolynomialSchedule as PolynomialSchedule,
)
from keras_alexnet.training.schedules import StepSchedule as StepSchedule
from keras_alexnet.training.schedules import cosine_schedule as cosine_schedule
from keras_alexnet.training.weight_average import WeightAverage as WeightAverage

LATE = {
    "Training": "training",
    "train": "training",
    "DryRun": "dry_run_result",
    "DryRunError": "dry_run_result",
    "dry_run": "dry_runs",
}


def __getattr__(name):
    # Imported when asked for: it needs TensorFlow's input pipelines, which
    # take seconds to import on the other backends.
    if name in LATE:
        from importlib import import_module

        module = import_module(f"keras_alexnet.training.{LATE[name]}")
        return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
