"""Columns on devices of their own, alone and in data parallelism."""

from keras_alexnet.distribution.cluster import CLUSTERS as CLUSTERS
from keras_alexnet.distribution.cluster import (
    cluster_resolver as cluster_resolver,
)
from keras_alexnet.distribution.column_parallel import (
    ColumnParallelStrategy as ColumnParallelStrategy,
)
from keras_alexnet.distribution.conversion import on_one_device as on_one_device
from keras_alexnet.distribution.conversion import to_columns as to_columns
from keras_alexnet.distribution.conversion import to_grouped as to_grouped
from keras_alexnet.distribution.mirrored import Mirrored as Mirrored
from keras_alexnet.distribution.mirrored_columns import (
    MirroredColumns as MirroredColumns,
)
from keras_alexnet.distribution.multi_worker import (
    MultiWorkerColumns as MultiWorkerColumns,
)
from keras_alexnet.distribution.multi_worker import (
    MultiWorkerMirrored as MultiWorkerMirrored,
)
from keras_alexnet.distribution.placed_graph import PlacedOp as PlacedOp
from keras_alexnet.distribution.placed_graph import Transfer as Transfer
from keras_alexnet.distribution.placed_graph import placed_step as placed_step
from keras_alexnet.distribution.placement_plot import (
    plot_placement as plot_placement,
)
from keras_alexnet.distribution.placement_report import (
    LayerPlacement as LayerPlacement,
)
from keras_alexnet.distribution.placement_report import (
    PlacementReport as PlacementReport,
)
from keras_alexnet.distribution.placement_report import (
    placement_report as placement_report,
)
from keras_alexnet.distribution.sharding import (
    column_layout_map as column_layout_map,
)
from keras_alexnet.distribution.strategies import STRATEGIES as STRATEGIES
from keras_alexnet.distribution.strategies import (
    strategy_from_name as strategy_from_name,
)
from keras_alexnet.distribution.workers import WorkersAgree as WorkersAgree
from keras_alexnet.distribution.workers import worker_folder as worker_folder
