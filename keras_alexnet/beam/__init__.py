"""Millions of images on several machines, by Apache Beam."""

from keras_alexnet.beam.answers import AnswerShards as AnswerShards
from keras_alexnet.beam.answers import evaluate_split as evaluate_split
from keras_alexnet.beam.features import FeatureShards as FeatureShards
from keras_alexnet.beam.features import extract_features as extract_features
from keras_alexnet.beam.imagenet import ImagenetShards as ImagenetShards
from keras_alexnet.beam.imagenet import prepare_imagenet as prepare_imagenet
from keras_alexnet.beam.networks import (
    load_remote_network as load_remote_network,
)
from keras_alexnet.beam.pipeline import run_shards as run_shards
