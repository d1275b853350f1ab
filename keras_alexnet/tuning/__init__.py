"""Searches and studies: which of the paper's choices matter, and how much."""

from keras_alexnet.tuning.ablation import run_ablation as run_ablation
from keras_alexnet.tuning.changes import CHANGES as CHANGES
from keras_alexnet.tuning.changes import Change as Change
from keras_alexnet.tuning.depth import without_conv as without_conv
from keras_alexnet.tuning.edits import with_width as with_width
from keras_alexnet.tuning.experiments import Experiment as Experiment
from keras_alexnet.tuning.first_trials import try_first as try_first
from keras_alexnet.tuning.hypermodels import (
    ConnectivityHyperModel as ConnectivityHyperModel,
)
from keras_alexnet.tuning.hypermodels import LRNHyperModel as LRNHyperModel
from keras_alexnet.tuning.median_stop import MedianStop as MedianStop
from keras_alexnet.tuning.results import SearchResults as SearchResults
from keras_alexnet.tuning.runs import Run as Run
from keras_alexnet.tuning.scaling import run_scaling as run_scaling
from keras_alexnet.tuning.tables import Ablation as Ablation
