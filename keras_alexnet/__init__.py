"""AlexNet (Krizhevsky, Sutskever and Hinton, 2012) for Keras 3.

The subpackages `data`, `evaluation`, `retrieval`, `weights`, `distribution`,
`studies`, `tuning` and `visualization` are imported where they are used:
`import keras_alexnet.data`.
"""

from keras_alexnet import layers as layers
from keras_alexnet import models as models
from keras_alexnet import training as training
from keras_alexnet.models.alexnet import AlexNet as AlexNet
from keras_alexnet.models.architecture import Architecture as Architecture
from keras_alexnet.models.load_network import load_network as load_network

__version__ = "0.2.0"


def __getattr__(name):
    # Imported when asked for, see `keras_alexnet.training`.
    if name == "train":
        return training.train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
