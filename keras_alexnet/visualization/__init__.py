from keras_alexnet.visualization.curves import plot_curves as plot_curves
from keras_alexnet.visualization.predictions import (
    plot_predictions as plot_predictions,
)
