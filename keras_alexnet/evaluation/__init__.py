from keras_alexnet.evaluation.errors import Errors as Errors
from keras_alexnet.evaluation.errors import top_k_wrong as top_k_wrong
from keras_alexnet.evaluation.errors import wilson_interval as wilson_interval
from keras_alexnet.evaluation.views import evaluate as evaluate
from keras_alexnet.evaluation.views import predict_views as predict_views
