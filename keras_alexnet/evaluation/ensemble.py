"""Several networks that answer as one."""

import keras
import numpy as np
from keras import ops

from keras_alexnet.data.crops import center_offset
from keras_alexnet.data.loader import image_size
from keras_alexnet.evaluation.checks import check_probabilities
from keras_alexnet.evaluation.model_input import input_size
from keras_alexnet.evaluation.model_input import main_output
from keras_alexnet.evaluation.model_input import takes_channels_first
from keras_alexnet.evaluation.resizing import resize_square


@keras.saving.register_keras_serializable("keras_alexnet")
class Ensemble(keras.Model):
    """Averages the class probabilities of several networks.

    ```
    p = Σ w_m mean(p_m(view) for view in views) / Σ w_m
    ```

    Probabilities are averaged and not logits, as in the paper and in
    `avg-test.py` of the 2012 code, over the views of each network and then
    over the networks.

    It is a `keras.Model` of raw images in 0-255: `predict` shows each member
    the center view, `keras_alexnet.evaluation.evaluate` and `predict_views`
    also ten or nine views. Members may take images of different sizes and
    bring their own preprocessing: each gets the images scaled to the size
    that its views are cut from, as `resize_and_crop` scales them. Give images
    of the largest of these sizes, `keras_alexnet.data.image_size(ensemble)`.

    `save` writes a `.keras` file of all members, which
    `keras.saving.load_model` reads once `keras_alexnet.evaluation` is
    imported.

    Args:
        models: List of `keras.Model`s from raw RGB images to the
            probabilities of the same classes in the same order
            (`AlexNet(include_preprocessing=True)`).
        weights: List of floats, 0 or more, one per model. Only their
            proportions matter. Defaults to equal ones.
        **kwargs: `name` and other arguments of `keras.Model`.

    Call arguments:
        images: Tensor of shape `(batch, side, side, 3)`, in 0-255.

    Returns:
        Tensor of shape `(batch, classes)`, float32.

    Attributes:
        members: List of the models.
        shares: List of floats, their weights, with sum 1.

    Raises:
        ValueError: If there is no model or one is given twice; if members
            differ in their classes, have no fixed input size, or do not
            return probabilities; if the weights are not as many, negative,
            not finite or all 0.

    Example:

    >>> from keras_alexnet import AlexNet
    >>> members = [
    ...     AlexNet(input_shape=(size, size, 3), classes=3,
    ...             include_preprocessing=True)
    ...     for size in (64, 67)
    ... ]
    >>> ensemble = Ensemble(members, weights=[3, 1])
    >>> ensemble.shares
    [0.75, 0.25]
    >>> ensemble.predict(np.zeros((2, 73, 73, 3)), verbose=0).shape
    (2, 3)

    Reference: [Krizhevsky et al., 2012](
    https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks),
    section 6, tables 1 and 2.
    """

    def __init__(self, models, weights=None, name="ensemble", **kwargs):
        members = list(models)
        _check_members(members)
        super().__init__(name=name, **kwargs)
        self.members = members
        self.shares = _shares(weights, len(members))
        # The members are, and there is nothing else.
        self.built = True

    def call(self, images, training=None):
        return sum(
            share
            * ops.cast(
                main_output(
                    member,
                    member(_center_view(images, member), training=training),
                ),
                "float32",
            )
            for member, share in zip(self.members, self.shares, strict=True)
        )

    def average_views(self, predict, images):
        """Averages what a function says of each member.

        Args:
            predict: Function of a member and its images that returns class
                probabilities, an array.
            images: Tensor of shape `(batch, side, side, 3)`.

        Returns:
            float32 array of shape `(batch, classes)`.
        """
        return sum(
            np.float32(share)
            * predict(member, resize_square(images, image_size(member)))
            for member, share in zip(self.members, self.shares, strict=True)
        )

    def compute_output_shape(self, input_shape):
        return (input_shape[0], _output_shape(self.members[0])[-1])

    def get_config(self):
        # Not that of `keras.Model`, which would be the arguments of this call.
        return {
            "name": self.name,
            "models": [
                keras.saving.serialize_keras_object(member)
                for member in self.members
            ],
            "weights": list(self.shares),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        config["models"] = [
            keras.saving.deserialize_keras_object(member, custom_objects)
            for member in config["models"]
        ]
        return cls(**config)


def _center_view(images, member):
    """The central crop that a member takes, in its order of axes."""
    x = ops.cast(resize_square(images, image_size(member)), "float32")
    size = input_size(member)
    top, left = center_offset(*x.shape[1:3], size)
    x = x[:, top : top + size, left : left + size]
    return ops.transpose(x, (0, 3, 1, 2)) if takes_channels_first(member) else x


def _check_members(members):
    if not members or not all(isinstance(m, keras.Model) for m in members):
        raise ValueError(
            "`models` must be a list of `keras.Model`s, at least one. "
            f"Received: {[type(m).__name__ for m in members]}"
        )
    if len({id(member) for member in members}) < len(members):
        raise ValueError(
            "`models` must be different ones; `weights` counts one for more. "
            f"Received: {[m.name for m in members]}, some of them twice"
        )
    shapes = [_output_shape(member) for member in members]
    if len({str(shape) for shape in shapes}) > 1 or np.ndim(shapes[:1]) != 2:
        raise ValueError(
            "`models` must have one output of shape (batch, classes), all of "
            f"the same classes. Received: output shapes {shapes}"
        )
    for number, member in enumerate(members):
        _check_member(member, f"models[{number}]")


def _output_shape(member):
    """That of the output that counts; `None` if the model is not built."""
    return main_output(member, getattr(member, "output_shape", None))


def _check_member(member, name):
    try:
        input_size(member)
        zeros = np.zeros((1, *member.input_shape[1:]), "float32")
        outputs = member.predict_on_batch(zeros)
        check_probabilities(main_output(member, outputs))
    except ValueError as error:
        raise ValueError(
            "The members of an `Ensemble` must take square images of a fixed "
            f"size and return probabilities. Received: {name}, of which: "
            f"{error}"
        ) from error


def _shares(weights, count):
    values = np.ones(count) if weights is None else np.asarray(weights, float)
    sound = values.shape == (count,) and np.isfinite(values).all()
    if not sound or values.min() < 0 or not values.sum():
        raise ValueError(
            "`weights` must be one number per model, 0 or more and not all "
            f"0. Received: weights={weights} for {count} models"
        )
    return (values / values.sum()).tolist()
