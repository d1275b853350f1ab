"""Searches with KerasTuner: k, n, alpha, beta of LRN, and the connectivity."""

try:
    import keras_tuner as _  # noqa: F401
except ImportError as error:
    raise ImportError(
        "`keras_alexnet.tuning` needs KerasTuner. Install it with "
        '`pip install "keras-alexnet[tuning]"`.'
    ) from error

from keras_alexnet.tuning.first_trials import try_first as try_first
from keras_alexnet.tuning.hypermodels import (
    ArchitectureHyperModel as ArchitectureHyperModel,
)
from keras_alexnet.tuning.hypermodels import (
    ConnectivityHyperModel as ConnectivityHyperModel,
)
from keras_alexnet.tuning.hypermodels import LRNHyperModel as LRNHyperModel
from keras_alexnet.tuning.search_results import SearchResults as SearchResults
