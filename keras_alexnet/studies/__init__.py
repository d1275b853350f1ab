"""Studies: which of the paper's choices matter, and how much."""

from keras_alexnet.studies.ablation import run_ablation as run_ablation
from keras_alexnet.studies.ablation_table import Ablation as Ablation
from keras_alexnet.studies.changes import CHANGES as CHANGES
from keras_alexnet.studies.changes import Change as Change
from keras_alexnet.studies.cifar_results import (
    compare_results as compare_results,
)
from keras_alexnet.studies.cifar_results import epochs_until as epochs_until
from keras_alexnet.studies.cifar_results import paired_ratio as paired_ratio
from keras_alexnet.studies.cifar_results import read_results as read_results
from keras_alexnet.studies.experiments import Experiment as Experiment
from keras_alexnet.studies.family import FAMILY as FAMILY
from keras_alexnet.studies.family import Member as Member
from keras_alexnet.studies.family import measure as measure
from keras_alexnet.studies.family import time_ratios as time_ratios
from keras_alexnet.studies.intervals import Interval as Interval
from keras_alexnet.studies.intervals import (
    paired_difference as paired_difference,
)
from keras_alexnet.studies.median_stop import MedianStop as MedianStop
from keras_alexnet.studies.run_files import Run as Run
from keras_alexnet.studies.scaling import Scaling as Scaling
from keras_alexnet.studies.scaling import run_scaling as run_scaling
from keras_alexnet.studies.scaling import (
    with_training_share as with_training_share,
)
