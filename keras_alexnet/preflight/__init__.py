"""What may be wrong with a network and its data, before the first step."""

from keras_alexnet.preflight.check import check as check
from keras_alexnet.preflight.duplicates import (
    find_duplicates as find_duplicates,
)
from keras_alexnet.preflight.findings import Finding as Finding
from keras_alexnet.preflight.findings import Preflight as Preflight
