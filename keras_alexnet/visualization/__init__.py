from keras_alexnet.visualization.activations import (
    plot_activations as plot_activations,
)
from keras_alexnet.visualization.activations import (
    plot_dead_units as plot_dead_units,
)
from keras_alexnet.visualization.activations import plot_lrn as plot_lrn
from keras_alexnet.visualization.architecture import (
    plot_architecture as plot_architecture,
)
from keras_alexnet.visualization.attributions import (
    plot_attributions as plot_attributions,
)
from keras_alexnet.visualization.class_maps import (
    plot_class_maps as plot_class_maps,
)
from keras_alexnet.visualization.curves import plot_curves as plot_curves
from keras_alexnet.visualization.kernels import plot_kernels as plot_kernels
from keras_alexnet.visualization.neighbors import (
    plot_neighbors as plot_neighbors,
)
from keras_alexnet.visualization.occlusion import (
    plot_occlusion as plot_occlusion,
)
from keras_alexnet.visualization.predictions import (
    plot_predictions as plot_predictions,
)
from keras_alexnet.visualization.search_plot import plot_search as plot_search
from keras_alexnet.visualization.studies import plot_ablation as plot_ablation
from keras_alexnet.visualization.studies import plot_scaling as plot_scaling
from keras_alexnet.visualization.top_patches import (
    plot_top_patches as plot_top_patches,
)
from keras_alexnet.visualization.tradeoff import plot_tradeoff as plot_tradeoff
