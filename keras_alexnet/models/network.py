"""A functional model that carries its architecture."""

import functools
import os
import pathlib
import tempfile

import keras
from keras import ops

from keras_alexnet.layers.local_response_normalization import (
    compiled_normalization,
)
from keras_alexnet.models.keras_files import WEIGHTS_ENDING
from keras_alexnet.models.keras_files import is_keras_file
from keras_alexnet.models.keras_files import load_weights_file
from keras_alexnet.models.keras_files import save_weights_file


@keras.saving.register_keras_serializable("keras_alexnet")
class Network(keras.Model):
    """A functional `keras.Model` that carries its `Architecture`.

    `AlexNet` returns one. Saving, loading, pickling, cloning, `get_config`
    and the conversion to columns and back keep the architecture. What is built
    from some of its layers, such as `keras.Model(network.input, features)`, is
    an ordinary `keras.Model` without one.

    If there are auxiliary outputs, see `GoogLeNet`, and one label per image,
    the first output alone is measured, and the losses of the others are added
    in training.

    Args:
        inputs: Keras tensor, or a structure of them.
        outputs: Keras tensor, or a structure of them.
        name: Optional string.
        architecture: An `Architecture` or `InceptionArchitecture`, or `None`
            if none describes the layers. Defaults to `None`.
        **kwargs: `trainable`, as of `keras.Model`.

    Attributes:
        architecture: As given, read-only.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> model = AlexNet(architecture="one_gpu")
    >>> model.architecture.columns
    1
    >>> keras.models.clone_model(model).architecture == model.architecture
    True
    """

    architecture = None

    # The positional arguments must be those of Keras's functional models:
    # by them Keras knows that it can rebuild the graph from a configuration.
    def __init__(
        self, inputs, outputs, name=None, *, architecture=None, **kwargs
    ):
        super().__init__(inputs, outputs, name=name, **kwargs)
        self._was_called = False
        if architecture is not None:
            self.__class__ = _class_of(architecture)

    # Keras reads from the names of the arguments that there is a `training`
    # to pass on, without which dropout does nothing.
    def call(self, inputs, training=None, mask=None, **kwargs):
        self._was_called = True
        return super().call(inputs, training=training, mask=mask, **kwargs)

    def test_step(self, *args, **kwargs):
        with compiled_normalization():
            return super().test_step(*args, **kwargs)

    def predict_step(self, *args, **kwargs):
        with compiled_normalization():
            return super().predict_step(*args, **kwargs)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        if not self._has_auxiliary_outputs(y, y_pred):
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        main, *others = y_pred
        total = super().compute_loss(x, y, main, sample_weight, training)
        if training:
            loss = _mean_loss(self.loss)
            losses = [loss(y, output, sample_weight) for output in others]
            total += self.architecture.auxiliary_weight * sum(losses)
        return total

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        if self._has_auxiliary_outputs(y, y_pred):
            y_pred = y_pred[0]
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _has_auxiliary_outputs(self, y, y_pred):
        """Whether auxiliary classifiers are trained on the same labels."""
        several = isinstance(y_pred, list | tuple)
        return several and not isinstance(y, list | tuple | dict)

    def export(self, filepath, format="tf_saved_model", **kwargs):
        """Exports the model, as `keras.Model.export` does.

        Args:
            filepath: Path.
            format: `"tf_saved_model"`, `"onnx"` or another of Keras's.
            **kwargs: As of `keras.Model.export`.

        Returns:
            What `keras.Model.export` returns.
        """
        # Keras refuses to export a model that has never been called.
        if not self._was_called:
            self(keras.tree.map_structure(self._one_image, self.input))
        return super().export(filepath, format=format, **kwargs)

    def _one_image(self, tensor):
        side = getattr(self.architecture, "input_size", 224)
        shape = [side if n is None else n for n in tensor.shape[1:]]
        return ops.zeros([1, *shape], tensor.dtype)

    def save_weights(self, filepath, overwrite=True, **kwargs):
        """Saves the weights in Keras's format, with the architecture.

        Args:
            filepath: Path that ends in `.weights.h5`. It is written in full,
                or stays as it was.
            overwrite: Boolean. Whether to replace a file without asking.
                Defaults to `True`.
            **kwargs: As of `keras.Model.save_weights`.
        """
        whole = os.fspath(filepath).endswith(WEIGHTS_ENDING) and not kwargs
        if whole and (overwrite or not os.path.exists(filepath)):
            save_weights_file(self, filepath)
        else:
            super().save_weights(filepath, overwrite, **kwargs)

    def load_weights(self, filepath, **kwargs):
        """Loads weights in Keras's format, of columns or of whole layers.

        Args:
            filepath: Path of a `.weights.h5` or `.keras` file.
            **kwargs: `strict`, whether a file of an architecture of equal
                shapes that computes something else is refused (by default it
                is); and those of `keras.Model.load_weights`.

        Raises:
            ValueError: If the file is damaged, of another network, or holds
                numbers that are not finite. The model is as it was then.
        """
        if is_keras_file(filepath):
            load_weights_file(self, filepath, **kwargs)
        else:
            super().load_weights(filepath, **kwargs)

    def __reduce__(self):
        # Its class is made when it is needed, so pickle cannot import it.
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "network.keras"
            self.save(path)
            return _unpickled, (path.read_bytes(),)

    def get_config(self):
        return {
            **super().get_config(),
            "architecture": keras.saving.serialize_keras_object(
                self.architecture
            ),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        architecture = keras.saving.deserialize_keras_object(
            config.pop("architecture", None), custom_objects
        )
        return _class_of(architecture)._from_graph(config, custom_objects)

    @classmethod
    def _from_graph(cls, config, custom_objects):
        return super().from_config(config, custom_objects)


def all_layers(model):
    """The layers of a model, and of models within it, without its inputs.

    Args:
        model: A `keras.Model`.

    Yields:
        `keras.layers.Layer`s that are no models.

    Example:

    >>> base = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    >>> model = keras.Sequential([base, keras.layers.Softmax()])
    >>> [type(layer).__name__ for layer in all_layers(model)]
    ['Dense', 'Softmax']
    """
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


def class_count(model):
    """How many classes a model tells apart, at its first output.

    Args:
        model: A `keras.Model`.

    Returns:
        Integer.

    Example:

    >>> from keras_alexnet.models import GoogLeNet
    >>> class_count(GoogLeNet(classes=7, auxiliary=True))
    7
    """
    shape = model.output_shape
    return (shape[0] if isinstance(shape, list) else shape)[-1]


def _unpickled(data):
    """The network in the bytes of a `.keras` file."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "network.keras"
        path.write_bytes(data)
        return keras.saving.load_model(path)


class _MeanLoss(keras.losses.Loss):
    """The mean of a function of labels and outputs, over a batch."""

    def __init__(self, function):
        super().__init__(name="auxiliary_loss")
        self._function = function

    def call(self, y_true, y_pred):
        return self._function(y_true, y_pred)


def _mean_loss(identifier):
    """The `keras.losses.Loss` that `compile` makes of its argument."""
    loss = keras.losses.get(identifier)
    return loss if isinstance(loss, keras.losses.Loss) else _MeanLoss(loss)


@functools.cache
def _class_of(architecture):
    """The class of networks of one architecture.

    `keras.models.clone_model` tells the class of a clone nothing but the
    tensors, so the class must know the architecture. (It does not look at
    `get_config`, which would be the public way.)
    """
    namespace = {"architecture": architecture, "__module__": __name__}
    made = type(Network.__name__, (Network,), namespace)
    # Saved under the name of `Network`; `from_config` finds the right one.
    return keras.saving.register_keras_serializable("keras_alexnet")(made)
