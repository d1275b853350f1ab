"""AlexNet (Krizhevsky, Sutskever and Hinton, 2012) for Keras 3.

The subpackages `data`, `training`, `evaluation`, `weights` and `distribution`
are imported where they are used: `import keras_alexnet.data`.
"""

from keras_alexnet import layers as layers
from keras_alexnet import models as models
from keras_alexnet.models.alexnet import AlexNet as AlexNet
from keras_alexnet.models.architecture import Architecture as Architecture

__version__ = "0.1.0"
