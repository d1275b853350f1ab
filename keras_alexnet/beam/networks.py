"""Networks whose weights lie on a remote file system."""

import contextlib

from keras_alexnet.beam.files import reading
from keras_alexnet.models.load_network import load_network


def load_remote_network(weights, architecture=None, prototxt=None):
    """As `load_network`; the paths may be remote, such as `gs://...`.

    Args:
        weights, architecture, prototxt: As of
            `keras_alexnet.models.load_network`.

    Returns:
        A `keras.Model`.

    Raises:
        ValueError: As of `load_network`.

    Example:

    >>> load_remote_network("cifar10").output_shape
    (None, 10)
    """
    with contextlib.ExitStack() as stack:
        weights, prototxt = (
            path and stack.enter_context(reading(path))
            for path in (weights, prototxt)
        )
        return load_network(weights, architecture, prototxt)
