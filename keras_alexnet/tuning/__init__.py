"""Searches with KerasTuner: k, n, alpha, beta of LRN, and the connectivity."""

from keras_alexnet.tuning.first_trials import try_first as try_first
from keras_alexnet.tuning.hypermodels import (
    ConnectivityHyperModel as ConnectivityHyperModel,
)
from keras_alexnet.tuning.hypermodels import LRNHyperModel as LRNHyperModel
from keras_alexnet.tuning.median_stop import MedianStop as MedianStop
from keras_alexnet.tuning.search_results import SearchResults as SearchResults
