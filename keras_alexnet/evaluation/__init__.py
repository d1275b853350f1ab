from keras_alexnet.evaluation.answer_files import read_answers as read_answers
from keras_alexnet.evaluation.answer_files import write_answers as write_answers
from keras_alexnet.evaluation.answers import Answers as Answers
from keras_alexnet.evaluation.answers import answers as answers
from keras_alexnet.evaluation.calibration import Calibration as Calibration
from keras_alexnet.evaluation.calibration import calibration as calibration
from keras_alexnet.evaluation.calibration import (
    confusion_matrix as confusion_matrix,
)
from keras_alexnet.evaluation.ensemble import Ensemble as Ensemble
from keras_alexnet.evaluation.errors import Errors as Errors
from keras_alexnet.evaluation.errors import top_k_wrong as top_k_wrong
from keras_alexnet.evaluation.errors import wilson_interval as wilson_interval
from keras_alexnet.evaluation.views import evaluate as evaluate
from keras_alexnet.evaluation.views import predict_views as predict_views
