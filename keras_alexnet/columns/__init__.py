"""How a network is divided into columns, each on a device of its own.

Without a column strategy (`keras_alexnet.distribution`) nothing here has any
effect.
"""

from keras_alexnet.columns.branches import Columns as Columns
from keras_alexnet.columns.exchange import ColumnExchange as ColumnExchange
from keras_alexnet.columns.placement import OnColumn as OnColumn
from keras_alexnet.columns.placement import column_device as column_device
from keras_alexnet.columns.placement import column_strategy as column_strategy
