"""Networks whose dense layers are convolutions, for images of any size."""

import warnings

import keras
import numpy as np
from keras import layers
from keras import ops

from keras_alexnet.layers.grouped_conv2d import GroupedConv2D
from keras_alexnet.layers.locally_connected2d import LocallyConnected2D
from keras_alexnet.layers.mean_subtraction import MeanSubtraction
from keras_alexnet.models.layer_graph import walk
from keras_alexnet.models.layer_graph import whole

GLOBAL_POOLS = {
    layers.GlobalAveragePooling2D: layers.AveragePooling2D,
    layers.GlobalMaxPooling2D: layers.MaxPooling2D,
}

# What may stand between the flattening of a map and its dense layer.
ELEMENTWISE = (layers.Dropout, layers.ReLU, layers.LeakyReLU, layers.ELU)
ACROSS_CLASSES = (
    keras.activations.softmax,
    keras.activations.log_softmax,
    keras.activations.sparsemax,
    keras.activations.glu,
)


def to_fully_convolutional(model):
    """Makes dense layers convolutions, so that images may be of any size.

    ```
    dense on a map of h x w:  convolution by a kernel of h x w
    dense on a vector:        convolution by a kernel of 1 x 1
    ```

    What was one prediction for an image is a map of predictions for a larger
    one: one for each place of the network's window over it. At the size that
    the model was built for, the map is 1 x 1 and holds what the model
    returns. Elsewhere a prediction is not quite that for the part of the image
    alone, because where that part ends, convolutions see its neighbors in
    place of zeros.

    A mean *image* cannot be subtracted from images of another size: its mean
    color is, with a warning where that makes a difference.

    Args:
        model: A `keras.Model` that is a graph of layers, such as `AlexNet`
            builds, of columns or not. It is not changed.

    Returns:
        A `keras.Model` from images `(batch, height, width, channels)` of at
        least the old size to class probabilities `(batch, rows, columns,
        classes)`. It has copies of the weights.

    Raises:
        ValueError: If a layer cannot be part of such a network, as unshared
            convolutions cannot, and norms of a flattened map.

    Example:

    >>> import numpy as np
    >>> from keras_alexnet import AlexNet
    >>> from keras_alexnet.models import PAPER, with_width
    >>> model = AlexNet(classes=10, architecture=with_width(PAPER, 0.05))
    >>> dense = to_fully_convolutional(model)
    >>> photo = np.zeros((1, 320, 480, 3), "float32")
    >>> dense(photo).shape == (1, 4, 9, 10)
    True

    Reference: [Sermanet et al., 2014](https://arxiv.org/abs/1312.6229),
    section 3.5.
    """
    model = whole(model)
    first = _channels_first()
    shape = list(model.inputs[0].shape)
    for axis in (2, 3) if first else (1, 2):
        shape[axis] = None
    image = x = keras.Input(batch_shape=shape)
    convert = _Conversion()
    for _, y in walk(model, image, convert):
        x = y
    new = keras.Model(image, x, name=model.name)
    convert.copy_weights()
    return new


class _Conversion:
    """Makes the layers, and remembers what their weights are copied from."""

    def __init__(self):
        # By tensor, height and width of the map that it is the vector of.
        self.flattened = {}
        self.copied = []

    def __call__(self, layer, x):
        size = self._flattened_size(layer, x)
        if isinstance(layer, layers.Dense):
            return self._convolution(layer, size)(x)
        if size != (1, 1):
            y = self._elementwise(layer, size)(x)
            self.flattened[id(y)] = size
            return y
        if isinstance(layer, layers.Flatten | layers.Reshape):
            self.flattened[id(x)] = _size_before(layer)
            return x
        if isinstance(layer, LocallyConnected2D):
            raise ValueError(
                f"Layer {layer.name!r} has another kernel at every position, "
                "so it cannot be computed for images of another size. "
                f"Received: a {type(layer).__name__}"
            )
        for kind, local in GLOBAL_POOLS.items():
            if isinstance(layer, kind):
                size = _map_size(layer.input.shape)
                return local(size, strides=1, name=layer.name)(x)
        if isinstance(layer, MeanSubtraction):
            return self._mean(layer)(x)
        if _is_softmax(layer):
            return _softmax(layer, layer.name)(x)
        return self._copy(layer)(x)

    def copy_weights(self):
        """Assigns the weights, once all layers are built."""
        for old, new in self.copied:
            # A kernel of a dense layer has a row per input of its window.
            # `Flatten` puts them in one order, whatever the data format.
            for source, target in zip(old.weights, new.weights, strict=True):
                # JAX's own `reshape` may return the array itself, which
                # training of either model would then delete for both.
                array = ops.convert_to_numpy(source)
                target.assign(np.reshape(array, target.shape))

    def _flattened_size(self, layer, x):
        """Height and width of the map whose vector the layer gets."""
        pairs = zip(
            keras.tree.flatten(layer.input), keras.tree.flatten(x), strict=True
        )
        sizes = {
            self.flattened.get(id(new), (1, 1))
            for old, new in pairs
            if len(old.shape) == 2
        }
        return max(sizes, default=(1, 1))

    def _elementwise(self, layer, size):
        activation = getattr(layer, "activation", None)
        is_activation = isinstance(layer, layers.Activation)
        if not isinstance(layer, ELEMENTWISE) and not (
            is_activation and activation not in ACROSS_CLASSES
        ):
            raise ValueError(
                f"Layer {layer.name!r} must be dense, dropout or an "
                "activation of each value alone, because it follows the "
                f"flattening of a map of {size[0]} x {size[1]} pixels. "
                f"Received: a {type(layer).__name__}"
            )
        return self._copy(layer)

    def _copy(self, layer):
        copy = layer.from_config(layer.get_config())
        self.copied.append((layer, copy))
        return copy

    def _convolution(self, layer, size):
        softmax = _is_softmax(layer)
        convolution = GroupedConv2D(
            layer.units,
            size,
            activation=None if softmax else layer.activation,
            use_bias=layer.use_bias,
            name=layer.name,
            dtype=layer.dtype_policy,
        )
        self.copied.append((layer, convolution))
        if not softmax:
            return convolution
        return lambda x: _softmax(layer)(convolution(x))

    def _mean(self, layer):
        mean = np.array(ops.convert_to_numpy(layer.offset))
        axes = (1, 2) if _channels_first() else (0, 1)
        if np.ptp(mean, axis=axes).max() > 1e-3:
            warnings.warn(
                f"Layer {layer.name!r} subtracts a mean image. Images of any "
                "size are centered on its mean color instead, so predictions "
                "differ a little from those of the model.",
                stacklevel=2,
            )
        # Summed in 32 bits, it would be off by a hundredth of a grey level.
        color = mean.mean(axis=axes, dtype="float64").tolist()
        return layer.from_config(
            {**layer.get_config(), "per_pixel": False, "mean": color}
        )


def _size_before(layer):
    """Height and width of the map that a layer flattens."""
    before, after = layer.input.shape, layer.output.shape
    if len(before) == 2 and _map_size(after) == (1, 1):
        return (1, 1)
    if len(before) != 4 or len(after) != 2:
        raise ValueError(
            f"Layer {layer.name!r} must turn a map into a vector, or a "
            f"vector into a map of one pixel. Received: {before} to {after}"
        )
    return _map_size(before)


def _is_softmax(layer):
    softmax = keras.activations.softmax
    is_layer = isinstance(layer, layers.Softmax)
    return is_layer or getattr(layer, "activation", None) is softmax


def _softmax(layer, name=None):
    """That of a layer, over the classes of every place of a map."""
    axis = 1 if _channels_first() else -1
    return layers.Softmax(axis, name=name, dtype=layer.dtype_policy)


def _map_size(shape):
    return tuple(shape[2:] if _channels_first() else shape[1:3])


def _channels_first():
    return keras.config.image_data_format() == "channels_first"
