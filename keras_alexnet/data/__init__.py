"""Sources of labelled images and the paper's input pipeline."""

from keras_alexnet.data.crops import center_view as center_view
from keras_alexnet.data.crops import fifty_views as fifty_views
from keras_alexnet.data.crops import googlenet_views as googlenet_views
from keras_alexnet.data.crops import nine_views as nine_views
from keras_alexnet.data.crops import ten_views as ten_views
from keras_alexnet.data.image_files import image_files as image_files
from keras_alexnet.data.image_files import (
    remote_image_files as remote_image_files,
)
from keras_alexnet.data.images import MISSING as MISSING
from keras_alexnet.data.images import decode as decode
from keras_alexnet.data.images import problem as problem
from keras_alexnet.data.images import resize_and_crop as resize_and_crop
from keras_alexnet.data.load_source import load_source as load_source
from keras_alexnet.data.loader import default_resize as default_resize
from keras_alexnet.data.loader import image_size as image_size
from keras_alexnet.data.means import color_covariance as color_covariance
from keras_alexnet.data.means import mean_color as mean_color
from keras_alexnet.data.means import mean_image as mean_image
from keras_alexnet.data.pipelines import TrainingData as TrainingData
from keras_alexnet.data.pipelines import evaluation_data as evaluation_data
from keras_alexnet.data.prepare_imagenet import (
    prepare_imagenet as prepare_imagenet,
)
from keras_alexnet.data.source import Source as Source
