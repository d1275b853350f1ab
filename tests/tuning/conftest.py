import gc
import importlib.util

import keras
import pytest

if (
    keras.backend.backend() != "tensorflow"
    or importlib.util.find_spec("keras_tuner") is None
):
    collect_ignore_glob = ["test_*.py"]

from landscapes import landscape as landscape
from landscapes import recipe as recipe
from landscapes import source as source
from landscapes import tiny as tiny


@pytest.fixture(scope="session", autouse=True)
def fast_collection():
    """Keras and KerasTuner collect garbage often; TensorFlow is none."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
