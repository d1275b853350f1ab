"""What a network costs: multiply-adds and neurons, layer by layer."""

import collections
import math

import keras

from keras_alexnet.columns.placement import OnColumn
from keras_alexnet.layers.locally_connected2d import LocallyConnected2D


def multiply_adds(model):
    """Multiply-adds of one image's forward pass, per layer with weights.

    ```
    convolution: pixels_out * filters * kernel_area * channels_in / groups
    unshared:    as many as a convolution's
    dense:       units_in * units_out
    ```

    Biases, activations, normalization and pooling are not counted, as is
    usual.

    Args:
        model: A `keras.Model` with a fixed input size.

    Returns:
        Dict of layer name to integer.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> sum(multiply_adds(AlexNet()).values())
    724406816
    """
    found = collections.Counter()
    for layer, output in _computed(model):
        if isinstance(layer, keras.layers.Conv2D):
            kernel = math.prod(layer.kernel.shape)
            first = layer.data_format == "channels_first"
            found[layer.name] += kernel * math.prod(
                output[1:] if first else output[:2]
            )
        elif isinstance(layer, keras.layers.Dense | LocallyConnected2D):
            # Each weight is used once.
            found[layer.name] += math.prod(layer.kernel.shape)
    return dict(found)


def activation_bytes(model):
    """Bytes of all layers' outputs for one image, in 32 bits.

    It is what training keeps of each image if nothing is computed again.
    Layers that compute nothing in prediction, or only give a tensor another
    shape, are not counted; an activation inside a layer is not kept apart.

    Args:
        model: A `keras.Model` with a fixed input size.

    Returns:
        Integer.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> activation_bytes(AlexNet())
    5039040
    """
    free = (
        keras.layers.InputLayer,
        keras.layers.Dropout,
        keras.layers.Flatten,
        keras.layers.Reshape,
    )
    return 4 * sum(
        math.prod(output)
        for layer, output in _computed(model)
        if not isinstance(layer, free)
    )


def training_bytes(model, batch_size):
    """Bytes that a training step needs at least, by what they are for.

    ```
    parameters, gradients, velocities: 4 each
    activations: batch size * outputs of all layers, 4 each, or 2 in 16 bits
    ```

    Temporary buffers of convolutions come on top, and copies of the batch
    that the input pipeline holds.

    Args:
        model: A `keras.Model` with a fixed input size.
        batch_size: Integer, images of one step on one replica.

    Returns:
        Dict of `parameters`, `gradients`, `velocities`, `activations` to
        integers.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> {k: v // 10**6 for k, v in training_bytes(AlexNet(), 128).items()}
    {'parameters': 243, 'gradients': 243, 'velocities': 243, 'activations': 644}
    """
    trained = 4 * sum(math.prod(w.shape) for w in model.trainable_weights)
    short = model.compute_dtype in ("float16", "bfloat16")
    return {
        "parameters": 4 * model.count_params(),
        "gradients": trained,
        "velocities": trained,
        "activations": batch_size * activation_bytes(model) // (1 + short),
    }


def neurons(model):
    """Outputs of each layer that has weights, as the paper counts neurons.

    Args:
        model: A `keras.Model` with a fixed input size.

    Returns:
        Dict of layer name to integer.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> sum(neurons(AlexNet()).values())  # "650,000 neurons"
    659272

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    abstract; its section 3.5 gives conv1 253,440, which is not 55 * 55 * 96.
    """
    found = collections.Counter()
    for layer, output in _computed(model):
        if isinstance(
            layer,
            keras.layers.Conv2D | keras.layers.Dense | LocallyConnected2D,
        ):
            found[layer.name] += math.prod(output)
    return dict(found)


def _computed(model):
    """Each layer with the shape of each of its outputs, for one image.

    Of columns it is the share of a layer, which has the whole layer's name.
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _computed(layer)
            continue
        outputs = keras.tree.flatten(layer.output)
        inner = layer.layer if isinstance(layer, OnColumn) else layer
        for output in outputs:
            yield inner, output.shape[1:]
