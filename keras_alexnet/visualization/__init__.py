from keras_alexnet.visualization.curves import plot_curves as plot_curves
from keras_alexnet.visualization.predictions import (
    plot_predictions as plot_predictions,
)
from keras_alexnet.visualization.search_plot import plot_search as plot_search
from keras_alexnet.visualization.studies import plot_ablation as plot_ablation
from keras_alexnet.visualization.studies import plot_scaling as plot_scaling
from keras_alexnet.visualization.tradeoff import plot_tradeoff as plot_tradeoff
