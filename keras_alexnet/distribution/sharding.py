"""Columns on the JAX backend, made by sharding the channels."""

import keras

from keras_alexnet.layers.column_sharding import COLUMN_AXIS


def column_layout_map(device_mesh):
    """A `keras.distribution.LayoutMap` that divides AlexNet into columns.

    The filters of the convolutions, the units of `fc6` and `fc7` and the rows
    of `fc8` are sharded over the mesh axis `"column"`, with their optimizer
    slots. Layers that see their own column alone (`conv2`, `conv4`, `conv5`)
    then need no communication. This is for the JAX backend, where
    `tf.distribute` does not work; the model is the ordinary one.

    Args:
        device_mesh: A `keras.distribution.DeviceMesh` with an axis
            `"column"`.

    Returns:
        A `LayoutMap`.

    Raises:
        ValueError: If the backend is not JAX, or the mesh has no such axis.

    Example:

    >>> mesh = keras.distribution.DeviceMesh(
    ...     (2, 2), ("batch", "column"))  # doctest: +SKIP
    >>> keras.distribution.set_distribution(
    ...     keras.distribution.ModelParallel(
    ...         layout_map=column_layout_map(mesh),
    ...         batch_dim_name="batch"))  # doctest: +SKIP

    Reference: https://github.com/openxla/xla/issues/47945 for what happens
    to grouped convolutions otherwise.
    """
    if keras.backend.backend() != "jax":
        raise ValueError(
            "`column_layout_map` is for the JAX backend: with TensorFlow, "
            "Keras ignores distributions. Use `ColumnParallelStrategy` there. "
            f"Received: backend {keras.backend.backend()!r}"
        )
    if COLUMN_AXIS not in device_mesh.axis_names:
        raise ValueError(
            f'`device_mesh` must have an axis "{COLUMN_AXIS}". '
            f"Received: axis_names={device_mesh.axis_names}"
        )
    layout_map = keras.distribution.LayoutMap(device_mesh)
    last = r"(.*/)?fc8"
    inner = r"(.*/)?(conv\d+|fc[67])"
    layout_map[r"(.*/)?conv\d+/kernel"] = (None, None, None, COLUMN_AXIS)
    layout_map[r"(.*/)?fc[67]/kernel"] = (None, COLUMN_AXIS)
    layout_map[f"{inner}/bias"] = (COLUMN_AXIS,)
    layout_map[f"{last}/kernel"] = (COLUMN_AXIS, None)
    return layout_map
