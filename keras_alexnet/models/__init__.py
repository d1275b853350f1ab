from keras_alexnet.models.alexnet import AlexNet as AlexNet
from keras_alexnet.models.architecture import Architecture as Architecture
from keras_alexnet.models.build_network import build_network as build_network
from keras_alexnet.models.caffe_import import read_mean_image as read_mean_image
from keras_alexnet.models.cifar import CIFARNet as CIFARNet
from keras_alexnet.models.cifar_presets import CIFAR_11 as CIFAR_11
from keras_alexnet.models.cifar_presets import CIFAR_13 as CIFAR_13
from keras_alexnet.models.cifar_presets import CIFAR_18 as CIFAR_18
from keras_alexnet.models.cifar_presets import CIFAR_19 as CIFAR_19
from keras_alexnet.models.cifar_presets import CIFAR_26 as CIFAR_26
from keras_alexnet.models.cifar_presets import FIGURE_1 as FIGURE_1
from keras_alexnet.models.cost import activation_bytes as activation_bytes
from keras_alexnet.models.cost import multiply_adds as multiply_adds
from keras_alexnet.models.cost import neurons as neurons
from keras_alexnet.models.cost import training_bytes as training_bytes
from keras_alexnet.models.dense_network import dense_network as dense_network
from keras_alexnet.models.difference import describe as describe
from keras_alexnet.models.difference import difference as difference
from keras_alexnet.models.family_presets import ALEXNET_PTCV as ALEXNET_PTCV
from keras_alexnet.models.family_presets import VGG_A as VGG_A
from keras_alexnet.models.family_presets import VGG_A_LRN as VGG_A_LRN
from keras_alexnet.models.family_presets import VGG_B as VGG_B
from keras_alexnet.models.family_presets import VGG_C as VGG_C
from keras_alexnet.models.family_presets import VGG_D as VGG_D
from keras_alexnet.models.family_presets import VGG_E as VGG_E
from keras_alexnet.models.family_presets import ZFNET as ZFNET
from keras_alexnet.models.family_presets import ZFNET_512 as ZFNET_512
from keras_alexnet.models.family_presets import ZFNET_PTCV as ZFNET_PTCV
from keras_alexnet.models.family_presets import ZFNETB_PTCV as ZFNETB_PTCV
from keras_alexnet.models.fully_convolutional import (
    to_fully_convolutional as to_fully_convolutional,
)
from keras_alexnet.models.geometry import sizes as sizes
from keras_alexnet.models.googlenet import GoogLeNet as GoogLeNet
from keras_alexnet.models.googlenet import (
    without_auxiliary as without_auxiliary,
)
from keras_alexnet.models.imagenet import (
    decode_predictions as decode_predictions,
)
from keras_alexnet.models.imagenet import preprocess_input as preprocess_input
from keras_alexnet.models.inception import GOOGLENET as GOOGLENET
from keras_alexnet.models.inception import (
    InceptionArchitecture as InceptionArchitecture,
)
from keras_alexnet.models.load_caffe import load_caffe as load_caffe
from keras_alexnet.models.load_network import load_network as load_network
from keras_alexnet.models.network import Network as Network
from keras_alexnet.models.presets import ARCHITECTURES as ARCHITECTURES
from keras_alexnet.models.presets import CAFFE as CAFFE
from keras_alexnet.models.presets import CAFFENET as CAFFENET
from keras_alexnet.models.presets import CODE_2012 as CODE_2012
from keras_alexnet.models.presets import ONE_GPU as ONE_GPU
from keras_alexnet.models.presets import OWT as OWT
from keras_alexnet.models.presets import PAPER as PAPER
from keras_alexnet.models.presets import SIX_CONV as SIX_CONV
from keras_alexnet.models.presets import (
    resolve_architecture as resolve_architecture,
)
from keras_alexnet.models.pretrained import architecture_of as architecture_of
from keras_alexnet.models.pretrained import load_weights as load_weights
from keras_alexnet.models.save_weights import save_weights as save_weights
from keras_alexnet.models.staged import copy_common_layers as copy_common_layers
from keras_alexnet.models.variants import one_column as one_column
from keras_alexnet.models.variants import with_all_pooling as with_all_pooling
from keras_alexnet.models.variants import with_biases as with_biases
from keras_alexnet.models.variants import with_norms as with_norms
from keras_alexnet.models.variants import with_width as with_width
from keras_alexnet.models.variants import without_cross as without_cross
from keras_alexnet.models.variants import without_norms as without_norms
from keras_alexnet.models.variants import without_overlap as without_overlap
from keras_alexnet.models.vgg import VGG as VGG
from keras_alexnet.models.without_conv import without_conv as without_conv
from keras_alexnet.models.zfnet import ZFNet as ZFNet
