"""What a network looks at, and what goes on in it."""

from keras_alexnet.inspection.attributions import deconvnet as deconvnet
from keras_alexnet.inspection.attributions import gradient as gradient
from keras_alexnet.inspection.attributions import (
    guided_backpropagation as guided_backpropagation,
)
from keras_alexnet.inspection.attributions import (
    integrated_gradients as integrated_gradients,
)
from keras_alexnet.inspection.grad_cam import grad_cam as grad_cam
from keras_alexnet.inspection.kernels import (
    ColorSpecialization as ColorSpecialization,
)
from keras_alexnet.inspection.kernels import chromatic_share as chromatic_share
from keras_alexnet.inspection.kernels import (
    color_specialization as color_specialization,
)
from keras_alexnet.inspection.kernels import first_kernels as first_kernels
from keras_alexnet.inspection.occlusion import Occlusion as Occlusion
from keras_alexnet.inspection.occlusion import occlusion as occlusion
from keras_alexnet.inspection.receptive_fields import (
    ReceptiveField as ReceptiveField,
)
from keras_alexnet.inspection.receptive_fields import (
    receptive_fields as receptive_fields,
)
from keras_alexnet.inspection.statistics import (
    LayerStatistics as LayerStatistics,
)
from keras_alexnet.inspection.statistics import LRNEffect as LRNEffect
from keras_alexnet.inspection.statistics import activations as activations
from keras_alexnet.inspection.statistics import (
    layer_statistics as layer_statistics,
)
from keras_alexnet.inspection.statistics import lrn_effect as lrn_effect
from keras_alexnet.inspection.top_patches import TopPatches as TopPatches
from keras_alexnet.inspection.top_patches import top_patches as top_patches
