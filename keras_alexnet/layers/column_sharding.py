"""Grouped convolutions on JAX that send nothing between column devices."""

import keras
from keras import ops

# The mesh axis over which the channels are divided.
COLUMN_AXIS = "column"


def column_distribution(groups):
    """The current `keras.distribution` if it divides channels into columns.

    Args:
        groups: Integer, of a convolution.

    Returns:
        A `keras.distribution.ModelParallel` whose mesh has an axis
        `"column"` by which the groups can be divided, or `None`.
    """
    if keras.backend.backend() != "jax":
        return None
    distribution = keras.distribution.distribution()
    if not isinstance(distribution, keras.distribution.ModelParallel):
        return None
    mesh = distribution.device_mesh
    if COLUMN_AXIS not in mesh.axis_names:
        return None
    columns = mesh.shape[mesh.axis_names.index(COLUMN_AXIS)]
    return distribution if columns > 1 and groups % columns == 0 else None


def convolve_columns(convolve, inputs, kernel, distribution, channel_axis):
    """Convolves each column's channels on the device that holds them.

    XLA replicates a convolution in groups: it gathers the activations and the
    kernels of all columns on each device. Under `jax.shard_map` each device
    sees its own share alone, so nothing moves.

    Args:
        convolve: Function of inputs and kernel.
        inputs: Tensor of rank 4.
        kernel: Tensor `(height, width, channels per group, filters)`.
        distribution: From `column_distribution`.
        channel_axis: Integer, `1` or `-1`.

    Returns:
        Tensor of rank 4, its channels divided as those of the inputs.
    """
    # Imported here: only this backend needs it.
    import jax
    from jax.sharding import PartitionSpec

    axes = [distribution.batch_dim_name, None, None, None]
    axes[channel_axis] = COLUMN_AXIS
    images = PartitionSpec(*axes)
    kernels = PartitionSpec(None, None, None, COLUMN_AXIS)
    return jax.shard_map(
        convolve,
        mesh=distribution.device_mesh.backend_mesh,
        in_specs=(images, kernels),
        out_specs=images,
    )(inputs, ops.convert_to_tensor(kernel))
