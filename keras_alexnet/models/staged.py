"""Begins a deeper network with the weights of a shallower one."""

from keras_alexnet.columns.shares import by_whole_name
from keras_alexnet.columns.shares import transfer
from keras_alexnet.models.pretrained import architecture_of_model


def copy_common_layers(source, target, names=None):
    """Begins a deeper network with layers of a trained, shallower one.

    VGG's authors trained network A from random weights, and let the deeper
    ones begin with A's first four convolutions and fully connected layers;
    the other layers stayed random, and no learning rate was lowered. Layers
    are found by their names: A's `conv2_1` becomes D's `conv2_1`.

    Args:
        source: A trained `Network`.
        target: A `Network`, changed in place.
        names: Sequence of names of layers. Defaults to the first four
            convolutions of `source` and its fully connected layers.

    Returns:
        Tuple of the names of the layers that were copied.

    Raises:
        ValueError: If a network carries no architecture, lacks one of the
            layers, or has it in another shape; nothing is copied then.

    Example:

    >>> from keras_alexnet.models import VGG, VGG_A, VGG_B, with_width
    >>> options = {"input_shape": (32, 32, 3), "classes": 10}
    >>> a = VGG(architecture=with_width(VGG_A, 1 / 16), **options)
    >>> b = VGG(architecture=with_width(VGG_B, 1 / 16), **options)
    >>> copy_common_layers(a, b)
    ('conv1_1', 'conv2_1', 'conv3_1', 'conv3_2', 'fc6', 'fc7', 'fc8')

    Reference: [Simonyan and Zisserman, 2015](
    https://arxiv.org/abs/1409.1556), section 3.1.
    """
    architecture_of_model(target)
    if names is None:
        architecture = architecture_of_model(source)
        names = architecture.conv_names[:4] + architecture.fc_names
    theirs, ours = by_whole_name(source.weights), by_whole_name(target.weights)
    for name in names:
        shapes = [_shape(parts, name) for parts in (theirs, ours)]
        if None in shapes or shapes[0] != shapes[1]:
            raise ValueError(
                "Both networks must have each layer of `names`, in the same "
                f"shape. Received: {name!r}, with a kernel of shape "
                f"{shapes[0]} in the source and {shapes[1]} in the target "
                "(`None` where there is no such layer)"
            )
    chosen = [f"{name}/{kind}" for name in names for kind in ("kernel", "bias")]
    transfer(
        [w for path in chosen for w in theirs[path]],
        [w for path in chosen for w in ours[path]],
    )
    return tuple(names)


def _shape(parts, name):
    """The shape of a whole layer's kernel, or `None` without that layer."""
    kernels = parts.get(f"{name}/kernel")
    if not kernels:
        return None
    shape = tuple(kernels[0].shape)
    return (*shape[:-1], sum(kernel.shape[-1] for kernel in kernels))
