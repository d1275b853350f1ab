"""What a person reads about a training: TensorBoard, and one page of HTML."""

from keras_alexnet.report.health_log import HealthLog as HealthLog
from keras_alexnet.report.run import Run as Run
from keras_alexnet.report.run import read_run as read_run
from keras_alexnet.report.speed import hardware as hardware
from keras_alexnet.report.write_report import write_report as write_report
