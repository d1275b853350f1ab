from keras_alexnet.models.alexnet import AlexNet as AlexNet
from keras_alexnet.models.architecture import CAFFE as CAFFE
from keras_alexnet.models.architecture import CAFFENET as CAFFENET
from keras_alexnet.models.architecture import CODE_2012 as CODE_2012
from keras_alexnet.models.architecture import ONE_GPU as ONE_GPU
from keras_alexnet.models.architecture import OWT as OWT
from keras_alexnet.models.architecture import PAPER as PAPER
from keras_alexnet.models.architecture import SIX_CONV as SIX_CONV
from keras_alexnet.models.architecture import Architecture as Architecture
from keras_alexnet.models.architecture import difference as difference
from keras_alexnet.models.cost import multiply_adds as multiply_adds
from keras_alexnet.models.cost import neurons as neurons
from keras_alexnet.models.geometry import sizes as sizes
from keras_alexnet.models.imagenet import (
    decode_predictions as decode_predictions,
)
from keras_alexnet.models.imagenet import preprocess_input as preprocess_input
from keras_alexnet.models.pretrained import architecture_of as architecture_of
from keras_alexnet.models.pretrained import load_weights as load_weights
from keras_alexnet.models.pretrained import save_weights as save_weights
from keras_alexnet.models.ready import load_network as load_network
