"""Finds similar images by what a network says of them."""

from keras_alexnet.retrieval.autoencoder_codes import (
    AutoencoderCodes as AutoencoderCodes,
)
from keras_alexnet.retrieval.binary import (
    hamming_distances as hamming_distances,
)
from keras_alexnet.retrieval.binary import nearest_codes as nearest_codes
from keras_alexnet.retrieval.binary import pack_bits as pack_bits
from keras_alexnet.retrieval.feature_files import FeatureWriter as FeatureWriter
from keras_alexnet.retrieval.feature_files import (
    check_feature_file as check_feature_file,
)
from keras_alexnet.retrieval.features import (
    FeatureExtractor as FeatureExtractor,
)
from keras_alexnet.retrieval.features import layer_features as layer_features
from keras_alexnet.retrieval.image_reader import feature_rows as feature_rows
from keras_alexnet.retrieval.index import ImageIndex as ImageIndex
from keras_alexnet.retrieval.index import Neighbor as Neighbor
from keras_alexnet.retrieval.nearest import nearest as nearest
from keras_alexnet.retrieval.pca_codes import PCACodes as PCACodes
from keras_alexnet.retrieval.precision import precision_at_k as precision_at_k
