import keras

if keras.backend.backend() != "tensorflow":
    collect_ignore_glob = ["test_*.py"]

from landscapes import landscape as landscape
from landscapes import recipe as recipe
from landscapes import source as source
from landscapes import tiny as tiny
