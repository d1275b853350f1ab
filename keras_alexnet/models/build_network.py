"""Builds whatever an architecture describes."""

from keras_alexnet.models.alexnet import AlexNet
from keras_alexnet.models.googlenet import GoogLeNet
from keras_alexnet.models.inception import InceptionArchitecture
from keras_alexnet.models.presets import resolve_architecture


def build_network(architecture, **options):
    """Builds the network of any architecture of the family.

    Args:
        architecture: An `Architecture`, an `InceptionArchitecture`, or the
            name of a preset.
        **options: Further arguments of `AlexNet`, or of `GoogLeNet`.

    Returns:
        A `Network`.

    Raises:
        ValueError, TypeError, OSError: As of `AlexNet`.

    Example:

    >>> build_network("cifar_13", classes=10).name
    'alexnet'
    >>> build_network("googlenet").name
    'googlenet'
    """
    architecture = resolve_architecture(architecture)
    inception = isinstance(architecture, InceptionArchitecture)
    build = GoogLeNet if inception else AlexNet
    return build(architecture=architecture, **options)
