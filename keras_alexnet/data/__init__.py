"""Sources of labelled images and the paper's input pipeline."""

from keras_alexnet.data.crops import center_view as center_view
from keras_alexnet.data.crops import nine_views as nine_views
from keras_alexnet.data.crops import ten_views as ten_views
from keras_alexnet.data.load_source import load_source as load_source
from keras_alexnet.data.loader import default_resize as default_resize
from keras_alexnet.data.means import mean_color as mean_color
from keras_alexnet.data.means import mean_image as mean_image
from keras_alexnet.data.pipelines import TrainingData as TrainingData
from keras_alexnet.data.pipelines import evaluation_data as evaluation_data
from keras_alexnet.data.source import Source as Source
