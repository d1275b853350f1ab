from keras_alexnet.layers.ceil_average_pooling2d import (
    CeilAveragePooling2D as CeilAveragePooling2D,
)
from keras_alexnet.layers.ceil_max_pooling2d import (
    CeilMaxPooling2D as CeilMaxPooling2D,
)
from keras_alexnet.layers.grouped_conv2d import GroupedConv2D as GroupedConv2D
from keras_alexnet.layers.local_response_normalization import (
    LocalResponseNormalization as LocalResponseNormalization,
)
from keras_alexnet.layers.locally_connected2d import (
    LocallyConnected2D as LocallyConnected2D,
)
from keras_alexnet.layers.max_rms import MaxRMS as MaxRMS
from keras_alexnet.layers.mean_subtraction import (
    MeanSubtraction as MeanSubtraction,
)
from keras_alexnet.layers.pca_color_augmentation import (
    PCAColorAugmentation as PCAColorAugmentation,
)
