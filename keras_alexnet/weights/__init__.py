from keras_alexnet.weights.caffe_net import CaffeLayer as CaffeLayer
from keras_alexnet.weights.caffe_net import CaffeNet as CaffeNet
from keras_alexnet.weights.caffemodel import (
    read_binaryproto as read_binaryproto,
)
from keras_alexnet.weights.caffemodel import read_caffemodel as read_caffemodel
from keras_alexnet.weights.caffemodel import (
    write_caffemodel as write_caffemodel,
)
from keras_alexnet.weights.prototxt import read_prototxt as read_prototxt
from keras_alexnet.weights.prototxt import write_prototxt as write_prototxt
from keras_alexnet.weights.published import PUBLISHED as PUBLISHED
from keras_alexnet.weights.published import PublishedWeights as PublishedWeights
from keras_alexnet.weights.shipped import SHIPPED as SHIPPED
from keras_alexnet.weights.shipped import ShippedWeights as ShippedWeights
from keras_alexnet.weights.state_dict import read_state_dict as read_state_dict
from keras_alexnet.weights.state_dict import (
    write_state_dict as write_state_dict,
)
